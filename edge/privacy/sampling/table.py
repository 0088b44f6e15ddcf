"""Tables that draw the steps of a law exactly: what a table cannot settle goes to a finer one, without end."""

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from edge.privacy.bits import Bits, Words
from edge.privacy.sampling.coin import sample_below
from edge.privacy.sampling.lanes import LEFT_OVER, Lanes, pack
from edge.privacy.sampling.law import Law

_GUARD = 64


@dataclass(frozen=True, slots=True)
class Widths:
    """Bits of the parts of a sampler. Other values than these are for proofs by exhaustion.

    slots: of the first table. finer: that the second adds. deeper: that each further one adds.
    coin: of the coin that says whether a rest is looked at.
    word, floor: as Lanes has them; slots + finer and coin are at most floor, so that no draw starves a lane.
    """

    slots: int = 18
    finer: int = 14
    deeper: int = 32
    coin: int = 12
    word: int = 32
    floor: int = 32

    def __post_init__(self) -> None:
        """Raise ValueError for widths that do not go together."""
        if min(self.slots, self.finer, self.deeper, self.coin, self.word) < 1:
            raise ValueError("each part has at least one bit")
        if max(self.slots + self.finer, self.coin) > self.floor or self.word + self.floor > LEFT_OVER:
            raise ValueError("slots + finer and coin are at most floor, word + floor at most 64")


def masses(law: Law, bits: int) -> list[int]:
    """Lower bounds of 2^bits · P[symbol], in the order of symbols; they tend to it as `bits` grows.

    Symbols of a law without rests (width 0) are the integers 0, -1, 1, -2, 2, ...; of others the pairs of a step h and
    a sign, (0, +), (0, -), (1, +), (1, -), ..., where each sign has half of the mass.
    """
    weights, total = law.weights(bits + _GUARD)
    if law.width:
        divisor = 2 * total
        found = [(weight << bits) // divisor for weight in weights for _ in range(2)]
    else:
        divisor = 2 * total - (1 << bits + _GUARD)
        found = [(weight << bits) // divisor for weight in weights for _ in range(2)][1:]
    while found and not found[-1]:
        found.pop()
    return found


def finer(law: Law, bits: int, known: list[int], more: int) -> list[int]:
    """The masses at `bits` + `more` bits, none below 2^more times what was `known` of it at `bits`."""
    found = masses(law, bits + more)
    return [max(new, old << more) for new, old in zip_longest(found, known, fillvalue=0)]


class StepTable:
    """Draws symbols of `masses` with exactly their probabilities.

    counts: (symbols + 1,) uint64, the slots of each symbol in the first table, and last those that are open.
    """

    def __init__(self, law: Law, widths: Widths) -> None:
        """Two tables are made now; deeper ones where a draw needs them, once in more than 2^19."""
        self._law = law
        self._bits, self._deeper = widths.slots + widths.finer, widths.deeper
        first = masses(law, widths.slots)
        left = (1 << widths.slots) - sum(first)
        self.counts: Words = np.array([*first, left], np.uint64)
        self._packed = pack(self.counts)
        self._known = finer(law, widths.slots, first, widths.finer)
        gains = [new - (old << widths.finer) for new, old in zip_longest(self._known, first, fillvalue=0)]
        self._open = (left << widths.finer) - sum(gains)
        self._starts: Words = np.cumsum([0, *gains, self._open], dtype=np.uint64)

    @property
    def steps(self) -> int:
        """How many steps h the two tables know, of a law with rests."""
        return (len(self._known) + 1) // 2

    def draw(self, lanes: Lanes, source: Bits, count: int) -> NDArray[np.int64]:
        """`count` symbols, (count,) int64."""
        symbols = lanes.table(self._packed, count)
        escaped = np.flatnonzero(symbols == len(self.counts) - 1)
        if escaped.size:
            second = lanes.below(self._starts, len(escaped))
            for place in np.flatnonzero(second == len(self._known)):
                second[place] = self._settle(source)
            symbols[escaped] = second
        return symbols

    def _settle(self, source: Bits) -> int:
        """A symbol with the probability that the tables leave open of it, by ever finer tables."""
        bits, known, left, more = self._bits, self._known, self._open, self._deeper
        while True:
            deeper = finer(self._law, bits, known, more)
            left <<= more
            slot = sample_below(source, left)
            for symbol, (new, old) in enumerate(zip_longest(deeper, known, fillvalue=0)):
                gain = new - (old << more)
                if slot < gain:
                    return symbol
                slot -= gain
                left -= gain
            bits, known = bits + more, deeper
