"""Two chains of private windows at one place, for each variant of a candidate, and the table they give."""

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.gains import measure
from benchmarks.gains.mechanisms import VALUES, Axis, Function, Grey, Mechanism, Released, linear
from benchmarks.gains.scenes import CELL, Scene, Shot, view

PIXELS = 1024
"""Of the unit."""
PART = 144
"""The unit is a visit of one part of a window in so many: 10 minutes of 24 hours."""


class Past(NamedTuple):
    """What is public before a window: the denoised map of the one before it, its number, and the size of the plane."""

    grey: Grey
    noise: float
    window: int
    height: int
    width: int


Make = Callable[[Past], Function]
Clean = Callable[[Released], Grey]


class Variant(NamedTuple):
    """make: the function of each window after the first, which is linear; windows: how many follow it."""

    make: Make
    windows: int = 1
    clean: Clean = measure.cleaned

    def finished(self, released: Released) -> Grey:
        return np.clip(released.finish(self.clean(released)), 0, VALUES - 1)


def mechanism(
    function: Function, frames: NDArray[np.uint8], epsilon: Fraction, *, overlap: int = 1, cell: int = CELL
) -> Mechanism:
    """A window over these frames."""
    count, height, width = frames.shape
    rows, columns = Axis(height, cell, overlap), Axis(width, cell, overlap)
    return Mechanism(function, rows, columns, math.ceil(PIXELS * count / PART), epsilon)


class Looks:
    """The windows of one scene, made once and seen by every variant."""

    def __init__(self, scene: Scene, dimmed: float = 1.0, aside: tuple[int, int] = (0, 0)) -> None:
        """dimmed: the light of the second run. aside: pixels down and right that the camera looks to the side."""
        self._scene = scene
        self._aside = aside
        self._gains = (1.0, dimmed)
        self._shots: dict[tuple[int, int], Shot] = {}

    def shot(self, run: int, index: int) -> Shot:
        if (run, index) not in self._shots:
            frames, stood = self._scene.shot(run, index, self._gains[run])
            self._shots[run, index] = Shot(view(frames, *self._aside), measure.truth(view(stood, *self._aside)))
        return self._shots[run, index]

    @property
    def truths(self) -> tuple[Grey, Grey]:
        empty = self.truth(CELL)
        return empty, self._gains[1] * empty

    def truth(self, cell: int) -> Grey:
        return measure.truth(view(self._scene.empty, *self._aside), cell)


def chain(looks: Looks, run: int, variant: Variant, epsilon: Fraction, rng: np.random.Generator) -> Released:
    """The release of the last window of a chain."""
    function: Function = linear()
    released = None
    for index in range(variant.windows + 1):
        frames = looks.shot(run, index).frames
        count, height, width = frames.shape
        if released is not None:
            function = variant.make(Past(variant.finished(released), released.spread, index, height, width))
        window = mechanism(function, frames, epsilon)
        released = window.release(window.sums(frames), count, rng)
    if released is None:
        raise ValueError("a chain has a window")
    return released


Kept = dict[str, list[measure.Score]]
"""By variant: its scores, scene by scene."""


def scores(scenes: Iterable[Scene], variants: Mapping[str, Variant], epsilon: Fraction, *, dimmed: float = 1.0) -> Kept:
    """Every variant at every scene. All variants see the same frames and the same seeds."""
    kept: Kept = {name: [] for name in variants}
    for number, scene in enumerate(scenes):
        looks = Looks(scene, dimmed)
        for name, variant in variants.items():
            seeds = (np.random.default_rng((5, run, number)) for run in (0, 1))
            one, two = (chain(looks, run, variant, epsilon, rng) for run, rng in enumerate(seeds))
            stood = looks.shot(0, variant.windows).stood, looks.shot(1, variant.windows).stood
            noise = (one.spread + two.spread) / 2
            clean = variant.finished(one), variant.finished(two)
            kept[name].append(measure.score(scene.name, noise, clean, looks.truths, stood))
    return kept


HEAD = """\
| scenes | variant | n | noise | error | change | where people stood | change | matches | right | change | vector |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def lines(group: str, kept: Mapping[str, list[measure.Score]]) -> list[str]:
    """A row for each variant; `change` is against the first one, paired by scene."""
    first = next(iter(kept.values()))
    rows = []
    for name, own in kept.items():
        pairs = list(zip(own, first, strict=True))
        rows.append(
            f"| {group} | {name} | {len(own)} | {np.mean([s.noise for s in own]):.1f} "
            f"| {measure.interval([s.error for s in own])} | {measure.change([s.error - f.error for s, f in pairs])} "
            f"| {measure.interval([s.stood for s in own]).mean:.1f} "
            f"| {measure.change([s.stood - f.stood for s, f in pairs])} "
            f"| {np.mean([s.matches for s in own]):.1f} | {np.mean([s.right for s in own]):.1f} "
            f"| {measure.change([s.right - f.right for s, f in pairs])} | {_ratio(own)} |"
        )
    return rows


def _ratio(own: list[measure.Score]) -> str:
    ratios = measure.vector_ratio(own)
    return f"{measure.interval(ratios).mean:.3f}" if ratios else "-"
