from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators import bound
from edge.entropy.estimators.suffixes import common_prefixes

OFTEN = 35
"""Repetitions below which a tuple's frequency says too little (SP 800-90B, 6.3.5, step 1)."""
_SHALLOW = 64
"""Tuple lengths that are counted one by one; the longer ones are counted as intervals."""


@dataclass(frozen=True, slots=True)
class TupleCounts:
    """How often tuples of each length t = 0 … v occur in a string of `size` symbols; v is the longest repeat.

    most[t]: occurrences of the commonest t-tuple. pairs[t]: pairs of equal t-tuples, Σ C(occurrences, 2).
    """

    size: int
    most: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def frequent(self, often: int) -> int:
        """The greatest length whose commonest tuple occurs `often` times, else 0."""
        return int(np.count_nonzero(self.most[1:] >= often))


def count_tuples(symbols: NDArray[np.uint8], symbol_bits: int) -> TupleCounts:
    """Count the repeated tuples of (L,) symbols of `symbol_bits` bits. About 60 bytes of memory a symbol."""
    shared = common_prefixes(symbols, symbol_bits)
    longest = int(shared.max())
    most = np.ones(longest + 1, np.int64)
    pairs = np.zeros(longest + 1, np.int64)
    most[0], pairs[0] = symbols.size, symbols.size * (symbols.size - 1) // 2
    for length in range(1, min(longest, _SHALLOW) + 1):
        alike = np.concatenate(([False], shared >= length, [False]))
        edges = np.flatnonzero(alike[1:] != alike[:-1])
        runs = edges[1::2] - edges[::2]
        most[length] = runs.max() + 1
        pairs[length] = int((runs * (runs + 1) // 2).sum())
        # What stays are the runs and, after each, one entry that keeps it apart from the next.
        shared = shared[alike[1:-1] | alike[:-2]]
    if longest > _SHALLOW:
        _count_long(shared, most, pairs)
    return TupleCounts(symbols.size, most, pairs)


def _count_long(shared: NDArray[np.int64], most: NDArray[np.int64], pairs: NDArray[np.int64]) -> None:
    """Count the tuples longer than _SHALLOW: each interval of the sorted suffixes stands for a range of lengths."""
    lengths, above, counts = _intervals(shared)
    steps = np.zeros(most.size + 1, np.int64)
    alike = counts * (counts - 1) // 2
    np.add.at(steps, above + 1, alike)
    np.add.at(steps, lengths + 1, -alike)
    np.maximum.at(most, lengths, counts)
    long = slice(_SHALLOW + 1, None)
    most[long] = np.maximum.accumulate(most[long][::-1])[::-1]
    pairs[long] = np.cumsum(steps)[_SHALLOW + 1 : -1]


def _intervals(shared: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The intervals of suffixes that share more than _SHALLOW symbols, found with a stack of open intervals.

    Returns length, above, count: `count` suffixes share exactly `length` symbols, and more than `above` only with
    each other.
    """
    length, above, count = array("q"), array("q"), array("q")
    open_lengths, open_starts = [_SHALLOW], [0]
    for place, here in enumerate([*np.maximum(shared, _SHALLOW).tolist(), _SHALLOW]):
        start = place - 1
        while open_lengths[-1] > here:
            closing, start = open_lengths.pop(), open_starts.pop()
            length.append(closing)
            above.append(max(open_lengths[-1], here))
            count.append(place - start)
        if open_lengths[-1] < here:
            open_lengths.append(here)
            open_starts.append(start)
    return (np.asarray(length, np.int64), np.asarray(above, np.int64), np.asarray(count, np.int64))


def t_tuple(counts: TupleCounts, often: int = OFTEN) -> float | None:
    """t-tuple estimate (SP 800-90B, 6.3.5), in bits per symbol; any alphabet.

    Q_i is the count of the commonest i-tuple, for every length i whose Q_i ≥ `often`. p̂ is the greatest of
    (Q_i / (L - i + 1))^(1/i), p_u its upper 99 % bound, and H = -log2 p_u. None where no value occurs that often.
    """
    lengths = np.arange(1, counts.frequent(often) + 1)
    return _estimate(counts.most[lengths] / (counts.size - lengths + 1), lengths, counts.size)


def longest_repeat(counts: TupleCounts, often: int = OFTEN) -> float | None:
    """Longest repeated substring estimate (SP 800-90B, 6.3.6), in bits per symbol; any alphabet.

    For each length W from the first that is too rare for the t-tuple estimate to that of the longest repeat,
    P_W is the share of equal ones among the pairs of W-tuples. p̂ is the greatest of P_W^(1/W), p_u its upper 99 %
    bound, and H = -log2 p_u. None where nothing that long is repeated.
    """
    lengths = np.arange(counts.frequent(often) + 1, counts.most.size)
    places = counts.size - lengths + 1
    return _estimate(counts.pairs[lengths] / (places * (places - 1) / 2), lengths, counts.size)


def _estimate(shares: NDArray[np.float64], lengths: NDArray[np.int64], size: int) -> float | None:
    if lengths.size == 0:
        return None
    return bound.bits(bound.upper(float((shares ** (1 / lengths)).max()), size))
