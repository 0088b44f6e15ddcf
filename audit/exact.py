"""What can be decided without chance: the sensitivity of windows, and the laws of the noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from audit.enumerate import all_videos, enumerate_sampler, gaussian_bounds, laplace_bounds, largest_loss, window_sums
from edge.privacy.bits import Bits
from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.sampling.law import Gaussian, Laplace, Law
from edge.privacy.sampling.sampler import Sampler
from edge.privacy.sampling.table import Widths

SCALE = 7
"""Of the windows that are enumerated. Any will do: their sums are what is looked at."""
VALUES = (0, 1, 2)
_TINY = Widths(slots=2, finer=2, deeper=2, coin=2, word=1, floor=4)
_DEPTH = 16
Progress = Callable[[float], None]
Distances = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shape:
    """A window small enough that every video of it can be tried: pixels are 0, 1 or 2."""

    frames: int
    height: int
    width: int
    cell: int
    lut: Lut

    @property
    def mechanism(self) -> Mechanism:
        """Of the whole cells that fit; what is left over at the border is in no cell."""
        return Mechanism(self.lut, self.cell, self.height // self.cell, self.width // self.cell, self.frames, SCALE)


def _reference(*rows: tuple[int, ...]) -> NDArray[np.int64]:
    return np.array(rows, np.int64)


SHAPES = (
    Shape(1, 2, 3, 1, LinearLut(2)),
    Shape(2, 2, 1, 1, LogLut(2, 1)),
    Shape(1, 2, 3, 2, LinearLut(2)),
    Shape(3, 1, 2, 1, LinearLut(2)),
    Shape(1, 2, 3, 1, ResidualLut(_reference((0, 1, 2), (2, 1, 0)), 1, 2)),
    Shape(2, 1, 3, 1, ResidualLut(_reference((1, 2, 0)), 1, 2)),
)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What exhaustion found of one shape.

    pairs: of videos compared. found, proved: for each exposure from 1 the largest ‖S - S'‖₁ of any pair, and R · E,
    both in units of the sums.
    """

    pairs: int
    found: tuple[int, ...]
    proved: tuple[int, ...]

    @property
    def passed(self) -> int:
        """How many exposures have a pair that passes it."""
        return sum(one > other for one, other in zip(self.found, self.proved, strict=True))

    @property
    def attained(self) -> int:
        """How many exposures have a pair that reaches it."""
        return sum(one == other for one, other in zip(self.found, self.proved, strict=True))


def exhaust(shape: Shape, ledger: Ledger) -> Sensitivity:
    """Every pair of videos of a shape, each summed by a real window, against the closed form R · E."""
    mechanism = shape.mechanism
    videos = list(all_videos(shape.frames, shape.height, shape.width, VALUES))
    sums = np.array([window_sums(ledger, "audit", mechanism, video).ravel() for video in videos])
    pixels = np.array([video.ravel() for video in videos])
    found = np.zeros(pixels.shape[1] + 1, np.int64)
    for i in range(len(videos)):
        distances: Distances = np.abs(sums[i:] - sums[i]).sum(1)
        np.maximum.at(found, np.count_nonzero(pixels[i:] != pixels[i], axis=1), distances)
    if found[0]:
        raise AssertionError("one video has two sums")
    proved = tuple(mechanism.lut.range * e for e in range(1, len(found)))
    return Sensitivity(len(videos) * (len(videos) - 1) // 2, tuple(found[1:].tolist()), proved)


@dataclass(frozen=True, slots=True)
class Ratios:
    """tried: releases y, over all pairs of sums. worst: the largest privacy loss over ‖S - S'‖₁ / t. holds: all ≤ 1."""

    tried: int
    worst: Fraction
    holds: bool


def rational_ratios(scales: Sequence[int], most: int, cells: int = 2) -> Ratios:
    """The exact log ratio of the noise's law at every release between and around two sums, for every pair of sums.

    Sums are 0..most in each of `cells` cells. ln P[y | S] - ln P[y | S'] is (‖y - S'‖₁ - ‖y - S‖₁) / t, so nothing
    here is rounded.
    """
    tried, worst, holds = 0, Fraction(0), True
    grids = [np.array(sums, np.int64) for sums in combinations_with_replacement(range(most + 1), cells)]
    for scale in scales:
        for one in grids:
            for other in grids:
                distance = int(np.abs(one - other).sum())
                loss = largest_loss(one, other, scale)
                tried += int((np.abs(one - other) + 5).sum())
                holds &= loss <= Fraction(distance, scale)
                if distance:
                    worst = max(worst, loss * scale / distance)
    return Ratios(tried, worst, holds)


@dataclass(frozen=True, slots=True)
class Tree:
    """What all strings of bits up to a length do. open: the share of the mass that they leave undecided."""

    outputs: int
    open: Fraction
    holds: bool


LAWS: tuple[Law, ...] = (
    Laplace(Fraction(1)),
    Laplace(Fraction(2)),
    Laplace(Fraction(7, 5)),
    Laplace(Fraction(2), 1),
    Gaussian(Fraction(1)),
    Gaussian(Fraction(2)),
    Gaussian(Fraction(4), 1),
)


def bracket(law: Law) -> Tree:
    """Whether the sampler's exact masses leave room for the law, and the law for them, at every integer."""
    sampler = Sampler(law, _TINY)

    def one(source: Bits) -> int:
        return int(sampler.draw(source, 1)[0])

    masses = enumerate_sampler(one, _DEPTH)
    holds = True
    for z in sorted({*range(-8, 9), *masses.decided}):
        low, high = laplace_bounds(z, law.scale) if isinstance(law, Laplace) else _gaussian(z, law)
        mass = masses.decided.get(z, Fraction(0))
        holds &= mass <= high and mass + masses.open >= low
    return Tree(len(masses.decided), masses.open, holds)


def _gaussian(z: int, law: Law) -> tuple[Fraction, Fraction]:
    if not isinstance(law, Gaussian):
        raise TypeError("a law that nobody has bounds for")
    return gaussian_bounds(z, law.variance)
