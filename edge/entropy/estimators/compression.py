import math

import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators import bound
from edge.entropy.estimators.solve import falling

BLOCK = 6
"""Bits of a block (SP 800-90B, 6.3.4, step 1)."""
DICTIONARY = 1000
"""Blocks that only fill the dictionary (step 2)."""
_NOTHING = -700
"""Logarithm of what no longer adds anything to a sum of doubles."""
_SPREAD = 0.5907
"""Factor of the standard deviation for overlapping statistics with b = 6 (step 5)."""


def compression(bits: NDArray[np.uint8], dictionary: int = DICTIONARY) -> float:
    """Compression estimate after Maurer (SP 800-90B, 6.3.4), in bits per bit; alphabet {0, 1}.

    The bits are read as blocks of six. For each block after the first `dictionary`, D is the number of blocks since
    its value was last seen (since the beginning, if never). X̄ is the mean of log2 D over v blocks, and
    X̄' = X̄ - Z c σ̂ / √v its lower 99 % bound. If one block value has probability p and the other 63 share the rest
    evenly, the expected mean is G(p) + 63 G((1 - p) / 63). With the p for which that equals X̄', H = -log2(p) / 6;
    H = 1 if there is none.

    Args:
        bits: (L,) of 0 and 1, with at least `dictionary` + 2 blocks.
        dictionary: blocks that only fill the dictionary; the standard's 1000 but for its own small example.

    Raises:
        ValueError: too few bits.
    """
    blocks = _blocks(bits)
    tested = blocks.size - dictionary
    if tested < 2:
        raise ValueError(f"the compression estimate needs {BLOCK * (dictionary + 2)} bits or more")
    surprise = np.log2(_distances(blocks)[dictionary:])
    mean = float(surprise.mean())
    variance = float((surprise * surprise).sum()) / (tested - 1) - mean * mean
    low = mean - bound.Z * _SPREAD * math.sqrt(max(variance, 0.0)) / math.sqrt(tested)
    expected = _Expectation(blocks.size, dictionary)
    likeliest = falling(expected, low, 1 / (1 << BLOCK), 1.0)
    return 1.0 if likeliest is None else bound.bits(likeliest) / BLOCK


def _blocks(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    whole = bits[: bits.size // BLOCK * BLOCK].reshape(-1, BLOCK)
    return np.packbits(whole, axis=1)[:, 0] >> np.uint8(8 - BLOCK)


def _distances(blocks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each block the number of blocks back to the same value, or to the beginning of the string."""
    order = np.argsort(blocks, kind="stable")
    before = np.empty_like(order)
    before[1:] = order[:-1]
    first = np.flatnonzero(np.diff(blocks[order], prepend=255))
    before[first] = -1
    distances = np.empty_like(order)
    distances[order] = order - before
    return distances


class _Expectation:
    """The mean of log2 D to expect (steps 6 and 7), with both sums over the distance done at once."""

    def __init__(self, blocks: int, dictionary: int) -> None:
        back = np.arange(1, blocks + 1, dtype=np.float64)
        self._age = np.arange(blocks, dtype=np.float64)
        self._log = np.log2(back)
        self._ends = np.where(back <= dictionary, blocks - dictionary, blocks - back)
        self._starts = (back > dictionary).astype(np.float64)
        self._tested = blocks - dictionary

    def __call__(self, likeliest: float) -> float:
        others: int = (1 << BLOCK) - 1
        return self._one(likeliest) + others * self._one((1 - likeliest) / others)

    def _one(self, z: float) -> float:
        """G(z) = (1 / v) Σ_t (Σ_{u<t} z² (1-z)^(u-1) log2 u + z (1-z)^(t-1) log2 t)."""
        if z <= 0 or z >= 1:
            return 0.0
        decay = math.log1p(-z)
        terms = min(self._log.size, math.ceil(_NOTHING / decay))
        weight = self._log[:terms] * np.exp(self._age[:terms] * decay)
        # Not a dot product: that would wake a thread for each core for a few thousand numbers.
        total = float((weight * (z * self._ends[:terms] + self._starts[:terms])).sum())
        return z * total / self._tested
