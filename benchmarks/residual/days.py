"""Absolute against residual windows at equal ε over days: how far the map is from the place, and what it is worth."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.maps import agreeing, near
from benchmarks.residual.chain import Chain, Seen, Setting
from benchmarks.residual.place import Day, Frames, Scene, draw, look
from collector.compare import match

CELL = 16
TOLERANCE = 0.02 * math.hypot(640, 480)
CHANGE = 8
"""The window from which on another place is seen."""
SETTINGS = (
    Setting("absolute", 0, 1),
    Setting("absolute", 0, 4),
    Setting("absolute", 0, 16),
    Setting("fixed", 8, 1),
    Setting("fixed", 16, 1),
    Setting("fixed", 32, 1),
    Setting("fixed", 64, 1),
    Setting("fixed", 32, 4),
    Setting("schedule", 32, 1),
    Setting("schedule", 64, 1),
)


class Story(NamedTuple):
    """Windows of drawn frames, and the cells of the empty place at that light."""

    frames: list[Frames]
    truth: list[NDArray[np.float64]]


def story(contrast: float, seed: int) -> Story:
    """Fourteen days: light that wanders by 6 %, a day a fifth darker than the one before, then another place."""
    rng = np.random.default_rng(seed)
    scenes: list[Scene] = [draw(rng, contrast), draw(rng, contrast)]
    frames, truth = [], []
    for day in range(14):
        gain = 1 + 0.06 * math.sin(2 * math.pi * day / 9) - 0.18 * (5 <= day < CHANGE)
        scene = scenes[day >= CHANGE]
        frames.append(look(scene, Day(gain=gain), rng))
        truth.append((gain * scene).reshape(30, CELL, 40, CELL).mean(axis=(1, 3), dtype=np.float64))
    return Story(frames, truth)


class Row(NamedTuple):
    """Means over windows. early, late, after: RMSE in grey in the first two windows after the first, before the
    change of place, and in the four after the first of the new place. right, matches: SIFT between two chains without
    a release in common, over one place. apart: right of matches 3 windows apart in one chain. kept, kept3:
    correlation of the noise with that of the window before, and of the third before."""

    early: float
    late: float
    after: float
    right: float
    matches: float
    apart: float
    kept: float
    kept3: float


def measure(setting: Setting, epsilon: Fraction, told: Story) -> Row:
    """One story by two chains of noise."""
    first, second = (Chain(setting, epsilon, seed) for seed in (1, 2))
    one, two = [first.window(f) for f in told.frames], [second.window(f) for f in told.frames]
    rmse = [float(np.sqrt(((s.denoised - t) ** 2).mean())) for s, t in zip(one, told.truth, strict=True)]
    # The same window by both chains: their noise and references differ, the frames are the same.
    pairs = [counts(one[day], two[day]) for day in range(1, CHANGE)]
    left = [a.raw - b.raw for a, b in zip(one, two, strict=True)][1:CHANGE]
    return Row(
        early=float(np.mean(rmse[1:3])),
        late=float(np.mean(rmse[3:CHANGE])),
        after=float(np.mean(rmse[CHANGE + 1 : CHANGE + 5])),
        right=float(np.mean([right for right, _ in pairs])),
        matches=float(np.mean([every for _, every in pairs])),
        apart=float(np.mean([counts(one[day], one[day + 3])[0] for day in range(1, CHANGE - 3)])),
        kept=correlation(left, 1),
        kept3=correlation(left, 3),
    )


def counts(a: Seen, b: Seen) -> tuple[int, int]:
    """SIFT: matches within a cell of each other that agree with one transform, and all mutual matches."""
    kept = agreeing(a.keypoints, b.keypoints, TOLERANCE)
    return int(near(a.keypoints, b.keypoints, kept, CELL).sum()), len(match(a.keypoints[1], b.keypoints[1]))


def correlation(left: Sequence[NDArray[np.float32]], lag: int) -> float:
    pairs = zip(left, left[lag:], strict=False)
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))


def table(seeds: Sequence[int]) -> Iterator[str]:
    """Rows of a table in Markdown."""
    yield "| place | ε | windows | τ | fuse | early | late | after | right | matches | apart | noise kept, 1 | 3 |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    for name, contrast in (("textured", 1.0), ("plain", 0.3)):
        stories = [story(contrast, seed) for seed in seeds]
        for epsilon in (Fraction(1), Fraction(1, 2)):
            for setting in SETTINGS:
                row = np.mean([measure(setting, epsilon, told) for told in stories], axis=0)
                early, late, after, right, matches, apart, kept, kept3 = row
                yield (
                    f"| {name} | {float(epsilon):g} | {setting.name} | {setting.tau or '-'} | {setting.fuse} "
                    f"| {early:.1f} | {late:.1f} | {after:.1f} | {right:.0f} | {matches:.0f} | {apart:.0f} "
                    f"| {kept:.2f} | {kept3:.2f} |"
                )
