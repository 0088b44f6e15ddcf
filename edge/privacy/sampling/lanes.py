"""Random numbers that recycle what a draw does not use.

T. L. Draper and F. A. Saad, "Efficient rejection sampling in the entropy-optimal range" and "Randomness recycling"
(arXiv 2504.04267, 2505.18879), for many draws at once. docs/proofs/noise.md, section 4, proves what is drawn.
"""

from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge.errors import Reason, SecretError
from edge.privacy.bits import Bits, Words

LEFT_OVER: Final = 64
"""Bits that a lane holds at most, and may be left with."""
SYMBOL_BITS: Final = 16
SLOT_BITS: Final = 24
"""An entry of a packed table: a symbol, the number of its slots, and which of them this one is."""
_SYMBOL, _COUNT = np.uint64((1 << SYMBOL_BITS) - 1), np.uint64((1 << SLOT_BITS) - 1)


def pack(counts: Words) -> Words:
    """The table in which symbol i has counts[i] slots, Σ counts = 2^k: (2^k,) uint64.

    Raises ValueError for more symbols or slots than an entry can hold.
    """
    total = int(counts.sum())
    if len(counts) > 1 << SYMBOL_BITS or not 0 < total < 1 << SLOT_BITS or total & (total - 1):
        raise ValueError("a table has 2^k slots, k < 24, and at most 2^16 symbols")
    symbol = np.repeat(np.arange(len(counts), dtype=np.uint64), counts.astype(np.intp))
    within = np.arange(total, dtype=np.uint64) - (np.cumsum(counts) - counts)[symbol]
    packed: Words = symbol | counts[symbol] << np.uint64(SYMBOL_BITS) | within << np.uint64(SYMBOL_BITS + SLOT_BITS)
    return packed


class Lanes:
    """Lanes that each hold x, uniform on 0..n - 1 given n and everything drawn so far. Secret."""

    def __init__(self, source: Bits, count: int, *, word: int = 32, floor: int = 32) -> None:
        """`count` lanes that take `word` bits from `source` whenever n is below 2^floor.

        Raises ValueError unless word ≥ 1 and word + floor ≤ 64: n would overflow, and x would not be uniform.
        """
        if word < 1 or word + floor > LEFT_OVER:
            raise ValueError("a lane's word has at least 1 bit, and word + floor are at most 64")
        self._source = source
        self._word = word
        self._floor = np.uint64(1 << floor)
        self._x = source.words(count, word)
        self._n = np.full(count, 1 << word, np.uint64)
        self._fill(np.arange(count))

    def __len__(self) -> int:
        return len(self._x)

    def table(self, packed: Words, count: int) -> NDArray[np.int64]:
        """`count` symbols: (count,) int64. Symbol i comes with the share of the slots that it has."""
        out = np.empty(count, np.int64)
        for start in range(0, count, len(self._x)):
            part = out[start : start + len(self._x)]
            quotient, share, slot = self._divide(len(part), len(packed))
            entry = packed[slot]
            np.bitwise_and(entry, _SYMBOL, out=part, casting="unsafe")
            entry >>= np.uint64(SYMBOL_BITS)
            slots = entry & _COUNT
            entry >>= np.uint64(SLOT_BITS)
            self._recycle(quotient, share, slots, entry)
        return out

    def below(self, starts: Words, count: int) -> NDArray[np.int64]:
        """`count` symbols: symbol i has the slots starts[i]..starts[i + 1] - 1 of starts[-1], starts[0] = 0."""
        bound = int(starts[-1])
        out = np.empty(count, np.int64)
        for start in range(0, count, len(self._x)):
            part = out[start : start + len(self._x)]
            quotient, share, slot = self._divide(len(part), bound)
            part[:] = np.searchsorted(starts, slot, side="right") - 1
            first = starts[part]
            self._recycle(quotient, share, starts[part + 1] - first, slot - first)
        return out

    def coins(self, chances: Words, bits: int) -> NDArray[np.bool_]:
        """For each of `chances`, in 0..2^bits, true with probability chance / 2^bits: (count,) bool."""
        bound = 1 << bits
        out = np.empty(len(chances), np.bool_)
        for start in range(0, len(chances), len(self._x)):
            part, chance = out[start : start + len(self._x)], chances[start : start + len(self._x)]
            quotient, share, slot = self._divide(len(part), bound)
            np.less(slot, chance, out=part)
            slots = np.where(part, chance, np.uint64(bound) - chance)
            self._recycle(quotient, share, slots, np.where(part, slot, slot - chance))
        return out

    def wipe(self) -> None:
        """Overwrite the state."""
        self._x[:] = 0
        self._n[:] = 0

    def _divide(self, count: int, bound: int) -> tuple[Words, Words, Words]:
        """The first `count` lanes, once each x lies in a whole stripe of `bound`: its stripe, how many, its slot.

        Raises ValueError for a bound above 2^floor, for which a lane may have no stripe at all.
        """
        if bound > int(self._floor):
            raise ValueError("these lanes are too narrow for this table")
        x, n, size = self._x[:count], self._n[:count], np.uint64(bound)
        self._fill(np.flatnonzero(n < self._floor))
        quotient, share = _quotient(x, bound), _quotient(n, bound)
        bad = np.flatnonzero(quotient >= share)
        while bad.size:
            whole = share[bad] * size
            x[bad] -= whole
            n[bad] -= whole
            self._fill(bad)
            quotient[bad], share[bad] = x[bad] // size, n[bad] // size
            bad = bad[quotient[bad] >= share[bad]]
        slot = x & (size - np.uint64(1)) if _is_power(bound) else x - quotient * size
        return quotient, share, slot

    def _recycle(self, quotient: Words, share: Words, slots: Words, within: Words) -> None:
        """What a draw that had `slots` slots and took the one `within` them left over."""
        x, n = self._x[: len(slots)], self._n[: len(slots)]
        np.multiply(quotient, slots, out=x)
        x += within
        np.multiply(share, slots, out=n)

    def _fill(self, lanes: NDArray[np.intp]) -> None:
        """Append words to the lanes named whose n is below the floor, until none is."""
        lanes = lanes[self._n[lanes] < self._floor]
        while lanes.size:
            self._x[lanes] = self._x[lanes] << np.uint64(self._word) | self._source.words(len(lanes), self._word)
            self._n[lanes] <<= np.uint64(self._word)
            lanes = lanes[self._n[lanes] < self._floor]

    def __repr__(self) -> str:
        return "<Lanes: secret>"

    def _refuse(self, *_: object) -> NoReturn:
        raise SecretError(Reason.FRAME, "the state of a sampler cannot be copied", "make new lanes")

    __copy__ = __deepcopy__ = __getstate__ = __reduce__ = __reduce_ex__ = _refuse


def _quotient(x: Words, bound: int) -> Words:
    quotient: Words = x >> np.uint64(bound.bit_length() - 1) if _is_power(bound) else x // np.uint64(bound)
    return quotient


def _is_power(bound: int) -> bool:
    return not bound & (bound - 1)
