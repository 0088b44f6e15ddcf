"""Exact samples of discrete Laplace and discrete Gaussian noise, many at once, near the Shannon limit."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.privacy.bits import Bits, Words
from edge.privacy.sampling.coin import sample_below, sample_bernoulli_exp, survives
from edge.privacy.sampling.lanes import Lanes
from edge.privacy.sampling.law import Law
from edge.privacy.sampling.table import StepTable, Widths

_MOST_LANES, _FEWEST_LANES, _SAMPLES_OF_A_LANE = 4096, 16, 11
"""A lane is left with 32 to 64 bits, so each serves 2^11 samples where there are enough of them."""
_BLOCK: Final = 1 << 16
"""Samples drawn at a time, so that what is worked on stays in the processor's cache."""
_LONG = 256


class Sampler:
    """Draws integers with exactly P[z] ∝ w(|z|) of a law. docs/proofs/noise.md, Theorem 7. Used by one thread."""

    def __init__(self, law: Law, widths: Widths | None = None) -> None:
        """Make the tables of `law`."""
        self.law = law
        self.widths = _widths_for(law) if widths is None else widths
        self.table = StepTable(law, self.widths)
        self._chances = _chances(law, self.widths.coin, self.table.steps)

    def draw(self, source: Bits, count: int, lanes: Lanes | None = None) -> NDArray[np.int64]:
        """`count` independent samples modulo 2^64, in -2^63..2^63 - 1: (count,) int64.

        lanes: to go on with what an earlier draw from the same source left over. Raises what `source` raises.
        """
        mine = lanes is None
        if lanes is None:
            lanes = Lanes(source, lanes_for(count), word=self.widths.word, floor=self.widths.floor)
        out = np.empty(count, np.int64)
        try:
            for start in range(0, count, _BLOCK):
                part = out[start : start + _BLOCK]
                symbols = self.table.draw(lanes, source, len(part))
                if self.law.width:
                    self._add_rests(symbols, lanes, source, part)
                else:
                    part[:] = symbols >> 1
                    part ^= -(symbols & 1)
        except BaseException:  # whatever stops the draw, half of it does not stay
            out[:] = 0
            raise
        finally:
            if mine:
                lanes.wipe()
        return out

    def _add_rests(self, symbols: NDArray[np.int64], lanes: Lanes, source: Bits, out: NDArray[np.int64]) -> None:
        """Give each step its rest: uniform, and kept with the probability that the law says, else all is redrawn."""
        width = self.law.width
        places = np.arange(len(symbols))
        while places.size:
            steps, negative = symbols >> 1, -(symbols & 1)
            rests = source.words(len(places), width).astype(np.int64)
            out[places] = (steps << width) + rests ^ negative
            places = places[self._rejected(steps, rests - negative, lanes, source)]
            symbols = self.table.draw(lanes, source, len(places))

    def _rejected(
        self, steps: NDArray[np.int64], rests: NDArray[np.int64], lanes: Lanes, source: Bits
    ) -> NDArray[np.intp]:
        """The places of the rests, 0..s, that are not kept: each is kept with probability e^-γ(step, rest)."""
        chances = self._chances[np.minimum(steps, len(self._chances) - 1)]
        looked = np.flatnonzero(lanes.coins(chances, self.widths.coin))
        kept = [
            self._keeps(source, int(steps[place]), int(rests[place]), int(chances[place])) for place in looked.tolist()
        ]
        return looked[~np.array(kept, np.bool_)]

    def _keeps(self, source: Bits, step: int, rest: int, chance: int) -> bool:
        """Whether a rest that the coin said to look at is kept, so that all in all it is with probability e^-γ."""
        numerator, denominator = self.law.exponent(step, rest)
        if chance >> self.widths.coin:
            return sample_bernoulli_exp(source, numerator, denominator)
        if sample_below(source, denominator * chance) >= numerator << self.widths.coin:
            return True
        return survives(source, numerator, denominator, k=2)


def lanes_for(count: int) -> int:
    """How many lanes draw `count` samples."""
    return max(1, min(count, _MOST_LANES, max(_FEWEST_LANES, count >> _SAMPLES_OF_A_LANE)))


def _widths_for(law: Law) -> Widths:
    """A larger first table for a law with many symbols and no rests, where each escape is felt."""
    return Widths(slots=20, finer=12) if not law.width and len(law.weights(8)[0]) > _LONG else Widths()


def _chances(law: Law, bits: int, steps: int) -> Words:
    """For each step of a law with rests the chance that a rest is looked at, in units of 2^-bits.

    It is at least the γ of the largest rest. The last stands for all steps from `steps` on, and is 1.
    """
    chances = [1 << bits] * (steps + 1)
    for h in range(steps if law.width else 0):
        numerator, denominator = law.exponent(h, 1 << law.width)
        chances[h] = min(1 << bits, -(-(numerator << bits) // denominator))
    return np.array(chances, np.uint64)
