import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators.collision import collision
from edge.entropy.estimators.common_value import most_common_value
from edge.entropy.estimators.compression import compression
from edge.entropy.estimators.lag import lag
from edge.entropy.estimators.lz78y import lz78y
from edge.entropy.estimators.markov import markov
from edge.entropy.estimators.multi_mcw import multi_mcw
from edge.entropy.estimators.multi_mmc import multi_mmc
from edge.entropy.estimators.progress import Progress, silent
from edge.entropy.estimators.tuples import count_tuples, longest_repeat, t_tuple

LEAST = 10_000
"""Samples below which the estimators of SP 800-90B have too little to count; the standard asks for 1,000,000."""
STANDARD = 1_000_000
MOST = (1 << 23) - 1
"""Samples that are assessed at most: the ids of contexts have 32 bits."""

Samples = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one estimator says: `entropy` is bits per sample, or per bit for a bit string; None where it cannot say."""

    section: str
    name: str
    entropy: float | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """Min-entropy of a source by all estimators of SP 800-90B, section 6.3. Holds no sample.

    samples: how many were assessed, of sample_bits bits, with `symbols` different values.
    original: estimates in bits per sample; h_original their minimum, at most sample_bits.
    bitstring: estimates in bits per bit of the samples written as `bits` bits; h_bitstring their minimum, at most 1.
    Empty, with h_bitstring None, where a sample has at most two values: it then is one bit itself.
    entropy: min(h_original, sample_bits · h_bitstring), in bits per sample (3.1.3, without the submitter's claim).
    decided_by: which estimate that is, for people.
    """

    samples: int
    sample_bits: int
    symbols: int
    bits: int
    original: tuple[Estimate, ...]
    bitstring: tuple[Estimate, ...]
    h_original: float
    h_bitstring: float | None
    entropy: float
    decided_by: str


def assess(
    samples: Samples, sample_bits: int = 8, *, bit_limit: int | None = None, progress: Progress = silent
) -> Assessment:
    """Estimate the min-entropy of consecutive raw samples by the ten estimators of SP 800-90B, 6.3.

    One million samples of 8 bits take one to two minutes and about 1 GB of memory, nearly all for the bit string.

    Args:
        samples: (L,) uint8, 10,000 ≤ L < 2^23; the standard asks for 1,000,000. Not changed.
        sample_bits: bits of a sample, 1 to 8, in the low bits of each byte.
        bit_limit: use only so many bits for the bit string (`ea_non_iid -t` uses 1,000,000); None uses all.
        progress: told before each estimator.

    Raises:
        ValueError: too few or too many samples, or a sample that does not fit sample_bits.
    """
    if not 1 <= sample_bits <= 8:
        raise ValueError(f"a sample has 1 to 8 bits, not {sample_bits}")
    if not LEAST <= samples.size <= MOST or (bit_limit is not None and bit_limit < LEAST):
        raise ValueError(f"the estimators take {LEAST} to {MOST} samples, and {LEAST} bits or more of the bit string")
    present = np.bincount(samples, minlength=256) > 0
    if present[1 << sample_bits :].any():
        raise ValueError(f"a sample does not fit {sample_bits} bits")
    numbers = (np.cumsum(present) - 1).astype(np.uint8)
    symbols = int(np.count_nonzero(present))
    bits = _bits(samples, sample_bits)[:bit_limit] if symbols > 2 else np.empty(0, np.uint8)
    dense = numbers[samples]
    try:
        return _assess(dense, symbols, sample_bits, bits, progress)
    finally:
        dense.fill(0)
        bits.fill(0)


def _assess(dense: Samples, symbols: int, sample_bits: int, bits: Samples, progress: Progress) -> Assessment:
    if symbols == 1:
        constant = (Estimate("6.3.1", "most common value", 0.0),)
        return Assessment(dense.size, sample_bits, 1, 0, constant, (), 0.0, None, 0.0, "all samples are equal")
    weight = dense.size / (dense.size + bits.size)
    original = _estimates(dense, symbols, lambda step, done: progress(step, weight * done))
    bitstring: tuple[Estimate, ...] = ()
    if bits.size:
        bitstring = _estimates(
            bits, 2, lambda step, done: progress(f"{step}, bit string", weight + (1 - weight) * done)
        )
    lowest = _lowest(original)
    h_original = min(float(sample_bits), _value(lowest))
    entropy, decided_by = h_original, f"{lowest.name} ({lowest.section})"
    h_bitstring = None
    if bitstring:
        lowest = _lowest(bitstring)
        h_bitstring = min(1.0, _value(lowest))
        if sample_bits * h_bitstring < entropy:
            entropy, decided_by = sample_bits * h_bitstring, f"{lowest.name} ({lowest.section}) of the bit string"
    return Assessment(
        samples=dense.size,
        sample_bits=sample_bits,
        symbols=symbols,
        bits=bits.size,
        original=original,
        bitstring=bitstring,
        h_original=h_original,
        h_bitstring=h_bitstring,
        entropy=entropy,
        decided_by=decided_by,
    )


def _estimates(symbols: Samples, alphabet: int, progress: Progress) -> tuple[Estimate, ...]:
    """All estimates of a string of 0 … alphabet - 1, in the order of the standard."""
    names = _NAMES if alphabet == 2 else tuple(name for name in _NAMES if name not in _BINARY)
    found = []
    for step, (name, entropy) in enumerate(zip(names, _values(symbols, alphabet), strict=True)):
        found.append(Estimate(_NAMES[name], name, entropy))
        progress(name, (step + 1) / len(names))
    return tuple(found)


_NAMES = {
    "most common value": "6.3.1",
    "collision": "6.3.2",
    "Markov": "6.3.3",
    "compression": "6.3.4",
    "t-tuple": "6.3.5",
    "longest repeat": "6.3.6",
    "multi most common in window": "6.3.7",
    "lag": "6.3.8",
    "multi Markov model": "6.3.9",
    "LZ78Y": "6.3.10",
}
_BINARY = ("collision", "Markov", "compression")


def _values(symbols: Samples, alphabet: int) -> Iterator[float | None]:
    yield most_common_value(symbols)
    if alphabet == 2:
        yield collision(symbols)
        yield markov(symbols)
        yield compression(symbols)
    counts = count_tuples(symbols, (alphabet - 1).bit_length())
    yield t_tuple(counts)
    yield longest_repeat(counts)
    predictors: tuple[Callable[[Samples, int], float], ...] = (multi_mcw, lag, multi_mmc, lz78y)
    for predictor in predictors:
        yield predictor(symbols, alphabet)


def _lowest(estimates: tuple[Estimate, ...]) -> Estimate:
    return min(estimates, key=_value)


def _value(estimate: Estimate) -> float:
    return math.inf if estimate.entropy is None else estimate.entropy


def _bits(samples: Samples, sample_bits: int) -> Samples:
    """The low bits of each sample, most significant first."""
    return np.ascontiguousarray(np.unpackbits(samples[:, None], axis=1)[:, 8 - sample_bits :]).ravel()
