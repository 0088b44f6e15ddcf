from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LAGS = 64


@dataclass(frozen=True, slots=True)
class Counts:
    """What the drawings of a report show: counts over all samples, from which no sample can be read.

    values: (2^sample_bits) occurrences of each value. ones: ones at each bit position, most significant first.
    agreement: for each lag 1 … 64, how many of the samples' bits equal the bit that many bits before, and
    `compared` of how many.
    """

    values: tuple[int, ...]
    ones: tuple[int, ...]
    agreement: tuple[int, ...]
    compared: tuple[int, ...]


def count(samples: NDArray[np.uint8], sample_bits: int) -> Counts:
    """Count (L,) samples of `sample_bits` bits in the low bits of each byte; L > 64."""
    values = np.bincount(samples, minlength=1 << sample_bits)
    bits = np.unpackbits(samples[:, None], axis=1)[:, 8 - sample_bits :]
    ones = bits.sum(axis=0, dtype=np.int64)
    line = np.ascontiguousarray(bits).ravel()
    lags = range(1, LAGS + 1)
    agreement = tuple(int(np.count_nonzero(line[lag:] == line[:-lag])) for lag in lags)
    compared = tuple(line.size - lag for lag in lags)
    bits.fill(0)
    line.fill(0)
    return Counts(tuple(values.tolist()), tuple(ones.tolist()), agreement, compared)
