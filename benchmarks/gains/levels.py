"""Candidate f: releases of nested windows as nodes of a tree, joined by least squares on the device or anywhere else.

`tree` is linear algebra and has no scene; `joined` fuses the two levels of the `place` profile, cells of 16 over a day
and cells of 64 over 3 hours, into one map.
"""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from benchmarks.gains import measure
from benchmarks.gains.chains import PART, PIXELS, Looks
from benchmarks.gains.mechanisms import Axis, Grey, Mechanism, Released, linear
from benchmarks.gains.scenes import CELL, Scene

LEAF = 3
"""Hours."""
DAYS = 32
DAY_ALONE = 20.0
"""Grey: noise of one day's mean where it has all that a frame may cost (Laplace, epsilon = 1/2, cells of 16)."""

Plan = Mapping[int, Fraction]
"""Hours of each level, and its share of what each frame may cost."""


def plans() -> dict[str, Plan]:
    third, half, quarter = Fraction(1, 3), Fraction(1, 2), Fraction(1, 4)
    month = DAYS * 24
    binary = [LEAF * 2**k for k in range(9)]
    return {
        "3 h": {3: Fraction(1)},
        "24 h": {24: Fraction(1)},
        "32 d": {month: Fraction(1)},
        "3 h and 24 h, halves": {3: half, 24: half},
        "3 h 3/4, 24 h 1/4": {3: 3 * quarter, 24: quarter},
        "3 h 1/4, 24 h 3/4": {3: quarter, 24: 3 * quarter},
        "3 h, 24 h, 32 d, thirds": {3: third, 24: third, month: third},
        "3 h 2/3, 24 h 1/4, 32 d 1/12": {3: 2 * third, 24: quarter, month: Fraction(1, 12)},
        "binary tree, 3 h to 24 h": dict.fromkeys(binary[:4], quarter),
        "binary tree, 3 h to 32 d": dict.fromkeys(binary, Fraction(1, 9)),
    }


def tree() -> list[str]:
    """Noise of the least-squares estimates of means, every leaf being free to differ from every other."""
    rows = []
    for noise in ("Laplace", "Gaussian"):
        for name, plan in plans().items():
            cells = [f"{sd:.0f}" if math.isfinite(sd) else "-" for sd in deviations(plan, gaussian=noise == "Gaussian")]
            rows.append(f"| {noise} | {name} | {' | '.join(cells)} |")
    return rows


TREE_HEAD = "| noise | plan | last 3 h | last day | last 8 days | all 32 days |\n|---|---|---|---|---|---|"


def deviations(plan: Plan, *, gaussian: bool = False, days: int = DAYS) -> list[float]:
    """Standard deviation in grey of the estimated mean of the last 3 h, day, 8 days and 32 days."""
    leaves = days * 24 // LEAF
    rows, weights = [], []
    for hours, share in plan.items():
        size = hours // LEAF
        for first in range(0, leaves, size):
            row = np.zeros(leaves)
            row[first : first + size] = 1 / size
            rows.append(row)
            weights.append(1 / noise_of(hours, share, gaussian=gaussian) ** 2)
    seen = np.stack(rows)
    information = seen.T @ (np.array(weights)[:, None] * seen)
    return [_deviation(information, leaves - size) for size in (1, 8, min(64, leaves), leaves)]


def noise_of(hours: int, share: Fraction, *, gaussian: bool) -> float:
    """Noise of a window's mean is as 1 / (hours * slope): slopes add for Laplace noise, their squares for Gaussian."""
    return DAY_ALONE * 24 / hours / (math.sqrt(share) if gaussian else float(share))


def _deviation(information: NDArray[np.float64], first: int) -> float:
    query = np.zeros(len(information))
    query[first:] = 1 / (len(information) - first)
    inverse = np.linalg.pinv(information, hermitian=True)
    known = np.allclose(information @ inverse @ query, query, atol=1e-6)
    return math.sqrt(query @ inverse @ query) if known else math.inf


COARSE = 4 * CELL
PARTS = 8


def joined(scenes: Iterable[Scene], epsilon: Fraction) -> dict[str, list[measure.Score]]:
    """The day's map alone, with all of epsilon and with half, and with the coarse level's eight releases joined in."""
    kept: dict[str, list[measure.Score]] = {}
    for number, scene in enumerate(scenes):
        looks = Looks(scene)
        stood = looks.shot(0, 0).stood, looks.shot(1, 0).stood
        maps = [_maps(looks.shot(run, 0).frames, epsilon, np.random.default_rng((9, run, number))) for run in (0, 1)]
        for name in maps[0]:
            (one, noise), (two, _) = maps[0][name], maps[1][name]
            kept.setdefault(name, []).append(measure.score(scene.name, noise, (one, two), looks.truths, stood))
    return kept


def _maps(frames: NDArray[np.uint8], epsilon: Fraction, rng: np.random.Generator) -> dict[str, tuple[Grey, float]]:
    """`epsilon` of the day's level, and as much of the coarse one."""
    exposure = math.ceil(PIXELS * len(frames) / PART)
    day, alone = (_released(frames, CELL, (exposure, part), rng) for part in (epsilon, 2 * epsilon))
    parts = [_released(part, COARSE, (exposure, epsilon), rng) for part in np.array_split(frames, PARTS)]
    noise = np.sqrt(np.sum([p.noise**2 for p in parts], axis=0)) / PARTS
    together, covariance = join(day, Released(np.mean([p.grey for p in parts], axis=0), noise))
    return {
        "day, half of ε": (measure.cleaned(day), day.spread),
        "day and 3 h joined": (measure.estimated(together, covariance), day.spread),
        "day and 3 h joined, noise taken for white": (measure.cleaned(Released(together, day.noise)), day.spread),
        "day, all of ε": (measure.cleaned(alone), alone.spread),
    }


def _released(frames: NDArray[np.uint8], cell: int, unit: tuple[int, Fraction], rng: np.random.Generator) -> Released:
    """unit: its exposure, which may lie in one window of either level, and epsilon."""
    height, width = (side // cell * cell for side in frames.shape[1:])
    window = Mechanism(linear(), Axis(height, cell), Axis(width, cell), *unit)
    return window.release(window.sums(frames[:, :height, :width]), len(frames), rng)


def join(fine: Released, coarse: Released) -> tuple[Grey, Grey]:
    """The least-squares estimate of the fine cells from both, and the covariance of its noise.

    The mean of each block of fine cells is drawn to the coarse cell's by what is known of either: the exact solution,
    because the noise of all cells is independent and that of one level has one variance.
    """
    size = COARSE // CELL
    rows, columns = fine.grey.shape
    average = np.zeros((coarse.grey.size, fine.grey.size))
    for number, (i, j) in enumerate(np.ndindex(coarse.grey.shape)):
        block = np.zeros((rows, columns))
        block[i * size : (i + 1) * size, j * size : (j + 1) * size] = 1 / size**2
        average[number] = block.ravel()
    own, other = float(fine.noise.flat[0]) ** 2, float(coarse.noise.flat[0]) ** 2
    gain = average.T * size**2 * own / (own + other * size**2)
    grey = fine.grey.ravel() + gain @ (coarse.grey.ravel() - average @ fine.grey.ravel())
    covariance = own * (np.eye(fine.grey.size) - gain @ average)
    return grey.reshape(rows, columns), covariance
