"""Candidate a: overlapping kernels against disjoint cells, with a second camera that looks a little to the side."""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.gains import measure
from benchmarks.gains.chains import mechanism
from benchmarks.gains.mechanisms import Grey, linear
from benchmarks.gains.scenes import ASIDE, Scene, view

WIDTHS = {"disjoint cells": 1, "trapezoid, ramp 5": 5, "trapezoid, ramp 9": 9, "hat": 15}

HEAD = (
    "| scenes | kernel | ε | n | noise | error | same view: matches | right | change | moved view: matches | right "
    "| change | off, px |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


class _Found(NamedTuple):
    noise: float
    error: float
    still: tuple[int, int, float]
    moved: tuple[int, int, float]


def lines(group: str, scenes: Iterable[Scene], epsilons: Iterable[Fraction]) -> list[str]:
    """A row for each kernel and epsilon; `off` is the median distance of right matches of the moved view."""
    epsilons = list(epsilons)
    found: dict[tuple[Fraction, str], list[_Found]] = {(e, k): [] for e in epsilons for k in WIDTHS}
    for number, scene in enumerate(scenes):
        for (epsilon, kernel), kept in found.items():
            kept.append(_measure(scene, WIDTHS[kernel], epsilon, number))
    rows = []
    for (epsilon, kernel), own in found.items():
        first = found[epsilon, next(iter(WIDTHS))]
        rows.append(
            f"| {group} | {kernel} | {epsilon} | {len(own)} | {np.mean([f.noise for f in own]):.1f} "
            f"| {measure.interval([f.error for f in own])} "
            f"| {measure.gained([f.still for f in own], [f.still for f in first])} "
            f"| {measure.gained([f.moved for f in own], [f.moved for f in first])} "
            f"| {measure.interval([f.moved[2] for f in own])} |"
        )
    return rows


def _measure(scene: Scene, width: int, epsilon: Fraction, seed: int) -> _Found:
    rng = np.random.default_rng((11, seed))
    frames = [scene.shot(run, 0).frames for run in (0, 1)]
    one, noise = _map(view(frames[0]), width, epsilon, rng)
    two, _ = _map(view(frames[1]), width, epsilon, rng)
    down, right = ASIDE
    three, _ = _map(view(frames[1], down, right), width, epsilon, rng)
    error = measure.rms(one - measure.truth(view(scene.empty)))
    return _Found(noise, error, measure.matches(one, two), measure.matches(one, three, (-right, -down)))


def _map(frames: NDArray[np.uint8], width: int, epsilon: Fraction, rng: np.random.Generator) -> tuple[Grey, float]:
    window = mechanism(linear(), frames, epsilon, overlap=width)
    released = window.release(window.sums(frames), len(frames), rng)
    return measure.cleaned(released), released.spread
