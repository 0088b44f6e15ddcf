"""Sorted suffixes of a string of samples, in numpy: what the t-tuple and longest-repeat estimates count with."""

import numpy as np
from numpy.typing import NDArray

Symbols = NDArray[np.uint8]
Words = NDArray[np.uint64]
Places = NDArray[np.int64]


def common_prefixes(symbols: Symbols, symbol_bits: int) -> NDArray[np.int64]:
    """Lengths of the common prefixes of neighbours among the sorted suffixes: (L,), first entry 0.

    Words of up to 64 bits are compared at once, so strings without long repeats take one sort. Longer repeats are
    sorted by prefix doubling (Manber and Myers 1993) of what is still tied; the prefix lengths then come from the
    permuted array, of which only the irreducible entries are compared (Kärkkäinen, Manzini, Puglisi 2009).

    Args:
        symbols: (L,) of values below 2^symbol_bits, L ≥ 2.
        symbol_bits: 1 to 8.
    """
    words, width = _words(symbols, symbol_bits)
    order = _sorted(words, width)
    permuted = _permuted(symbols, words, width, symbol_bits, order)
    return permuted[order]


def _words(symbols: Symbols, symbol_bits: int) -> tuple[Words, int]:
    """The symbols that begin at each place, as many (a power of two) as 64 bits hold; zeros follow the end."""
    words = symbols.astype(np.uint64)
    width = 1
    while 2 * width * symbol_bits <= 64:
        following = np.zeros_like(words)
        following[:-width] = words[width:]
        words = (words << np.uint64(width * symbol_bits)) | following
        width *= 2
    return words, width


def _sorted(words: Words, width: int) -> Places:
    count = words.size
    order = np.argsort(words)
    ties = np.empty(count, bool)
    ties[0] = False
    np.equal(words[order[1:]], words[order[:-1]], out=ties[1:])
    slots = np.arange(count)
    rank = np.empty(count, np.int64)
    rank[order] = np.maximum.accumulate(np.where(ties, 0, slots))
    slots = slots[_in_group(ties)]
    while slots.size:
        suffixes = order[slots]
        ahead = suffixes + width
        # A suffix that has ended sorts before all that go on, the shorter the earlier.
        beyond = np.where(ahead < count, rank[np.minimum(ahead, count - 1)], count - ahead - 1) + width
        key = rank[suffixes] * (count + width) + beyond
        turn = np.argsort(key)
        key, suffixes = key[turn], suffixes[turn]
        ties = np.zeros(slots.size, bool)
        np.equal(key[1:], key[:-1], out=ties[1:])
        order[slots] = suffixes
        rank[suffixes] = np.maximum.accumulate(np.where(ties, 0, slots))
        slots = slots[_in_group(ties)]
        width *= 2
    return order


def _in_group(ties: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Entries that are tied with the one before or the one after."""
    grouped = ties.copy()
    grouped[:-1] |= ties[1:]
    return grouped


def _permuted(symbols: Symbols, words: Words, width: int, symbol_bits: int, order: Places) -> Places:
    """Common prefix of each suffix, in the order of the string, with its predecessor in the sorted order."""
    count = symbols.size
    before = np.empty(count, np.int64)
    before[order[0]] = -1
    before[order[1:]] = order[:-1]
    reducible = np.zeros(count, bool)
    later = np.flatnonzero(before[1:] > 0) + 1
    reducible[later] = symbols[later - 1] == symbols[before[later] - 1]
    irreducible = np.flatnonzero(~reducible)
    lengths = np.zeros(count, np.int64)
    lengths[irreducible] = _compare(words, width, symbol_bits, irreducible, before[irreducible])
    source = np.maximum.accumulate(np.where(reducible, 0, np.arange(count)))
    return np.asarray(lengths[source] - (np.arange(count) - source))


def _compare(words: Words, width: int, symbol_bits: int, left: Places, right: Places) -> Places:
    """Length of the common prefix of the suffixes at left and right, pair by pair; 0 where right is -1."""
    count = words.size
    room = np.where(right < 0, 0, count - np.maximum(left, right))
    lengths = np.zeros(left.size, np.int64)
    active = np.flatnonzero(room > 0)
    while active.size:
        at = lengths[active]
        differing = words[left[active] + at] ^ words[right[active] + at]
        at += (_leading_zeros(differing) - (64 - width * symbol_bits)) // symbol_bits
        lengths[active] = np.minimum(at, room[active])
        active = active[(differing == 0) & (at < room[active])]
    return lengths


def _leading_zeros(words: Words) -> NDArray[np.int64]:
    """Leading zero bits of each word, 64 for 0. Halves of 32 bits are exact as floats."""
    upper = np.frexp((words >> np.uint64(32)).astype(np.float64))[1]
    lower = np.frexp((words & np.uint64(0xFFFFFFFF)).astype(np.float64))[1]
    return np.asarray(np.where(upper > 0, 32 - upper, 64 - lower), np.int64)
