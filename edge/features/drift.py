"""Has the camera moved, or the light changed, between two maps with known noise? Score tests at a stated rate.

For maps A and B of one place with white noise of variances a and b, the difference D = B - A and the mean M weighted
by 1/a and 1/b are uncorrelated. So what a small shift, another gain or another offset would do to D can be predicted
from M, denoised, without D's own noise entering the prediction. Each prediction w gives a linear statistic <w, D>
(Rao's score test), and `tails` bounds how far it gets by noise alone. docs/fusion.md has the derivation.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features.tails import log_chance

Grid = NDArray[np.float64]

FURTHEST = 3
"""Whole cells of shift that are looked for to each side."""
HEADINGS = 8
"""Headings of a shift below one cell, over half a turn: the next of them is never further than 11.25 degrees."""
TILES, SPARED = 4, 3
"""A shift speaks from all of the picture: without the SPARED strongest of TILES x TILES parts of it, ..."""
WITHOUT = math.log(1e-2)
"""... its score must still be rarer than this by noise. A person who was missed speaks from one or two parts only."""
FLAT = 1e-6
"""Part of a prediction that is left beside the light's, below which it predicts nothing."""


@dataclass(frozen=True, slots=True)
class Light:
    """What makes A's grey that of B: gain · A + offset."""

    gain: float
    offset: float


def light_fit(difference: Grid, pattern: Grid, weights: Grid) -> NDArray[np.float64]:
    """Offset and gain in `difference` ≈ c[0] + c[1] · pattern, by weighted least squares: (2,)."""
    total = max(float(weights.sum()), 1e-300)
    mean, middle = float((weights * difference).sum()) / total, float((weights * pattern).sum()) / total
    spread = float((weights * (pattern - middle) ** 2).sum())
    slope = float((weights * (pattern - middle) * difference).sum()) / spread if spread > FLAT * total else 0.0
    return np.array([mean - slope * middle, slope])


def robust_light_fit(difference: Grid, pattern: Grid, variance: Grid, rounds: int = 5) -> NDArray[np.float64]:
    """The same where a part of the cells may have changed in any way: Huber's weights, beyond 2 standard deviations.

    variance: of the difference; infinite where there is none.
    """
    weights = 1 / variance
    known = np.isfinite(variance)
    values = np.where(known, difference, 0.0)
    start = float(np.median(values[known])) if known.any() else 0.0
    fitted = np.array([start, 0.0])
    for _ in range(rounds):
        off = np.abs(values - fitted[0] - fitted[1] * pattern) / np.sqrt(variance)
        fitted = light_fit(values, pattern, weights * np.minimum(1.0, 2 / np.maximum(off, 2.0)))
    return fitted


def light_differs(difference: Grid, pattern: Grid, variance: Grid, parts: float, chance: float) -> bool:
    """Whether offset or gain are beyond what noise alone gives with `chance` at most.

    Two statistics, each to both sides: the sum of D, and its sum along the pattern less the pattern's mean.
    """
    weights = 1 / variance
    total = float(weights.sum())
    middle = float((weights * pattern).sum()) / total if total else 0.0
    predictions = np.stack([np.ones_like(pattern), pattern - middle]).reshape(2, -1)
    return (
        _most(np.concatenate([predictions, -predictions]), difference, variance, parts, math.log(chance / 4))
        is not None
    )


@dataclass(frozen=True, slots=True)
class Shift:
    """How far B's picture has moved against A's, in cells, x right and y down, and its turn in radians, clockwise.

    Of a move beyond one cell only the whole cells are told.
    """

    x: float
    y: float
    turn: float

    def furthest(self, rows: int, columns: int) -> float:
        """The largest move of any cell, in cells."""
        return math.hypot(self.x, self.y) + abs(self.turn) * math.hypot(rows, columns) / 2


def find_shift(difference: Grid, pattern: Grid, variance: Grid, parts: float, chance: float) -> Shift | None:
    """The shift between two maps, or None where noise alone would give such statistics with `chance` or more.

    Args:
        difference: B - A, less what light explains.
        pattern: the denoised mean of both, (rows, columns).
        variance: of the difference; infinite where a cell is not to count.
        parts: how many Laplace noises the noise of each cell is made of, as in `tails`.
        chance: of any shift at all by noise alone.
    """
    slopes = _slopes(pattern)
    fine, coarse = _headings(slopes), _moves(pattern)
    offsets = [(dx, dy) for dy in _reach() for dx in _reach() if dx or dy]
    sides = np.concatenate([fine, -fine, coarse])
    each = math.log(chance / len(sides))
    predictions = _beside_light(sides, pattern, variance)
    found = _most(predictions, difference, variance, parts, each)
    if found is None or not _widespread(predictions[found], difference, variance, parts):
        return None
    if found >= 2 * len(fine):
        dx, dy = offsets[found - 2 * len(fine)]
        if abs(dx) > 1 or abs(dy) > 1:
            return Shift(float(dx), float(dy), 0.0)
    basis = _beside_light(slopes, pattern, variance) / np.sqrt(variance).ravel()
    solved = np.linalg.lstsq(basis.T, (_finite(difference, variance) / np.sqrt(variance)).ravel(), rcond=1e-6)[0]
    return Shift(float(solved[0]), float(solved[1]), float(solved[2]))


def _slopes(pattern: Grid) -> Grid:
    """What a picture that moves by one cell to the right, by one down, or turns by one radian adds: (3, cells)."""
    down, right = (-slope for slope in np.gradient(pattern)) if min(pattern.shape) > 1 else (0 * pattern, 0 * pattern)
    rows, columns = pattern.shape
    y, x = np.mgrid[:rows, :columns] - np.array([(rows - 1) / 2, (columns - 1) / 2])[:, None, None]
    return np.stack([right, down, x * down - y * right]).reshape(3, -1)


def _headings(slopes: Grid) -> Grid:
    """Moves along HEADINGS lines, and the turn."""
    angles = np.arange(HEADINGS) * math.pi / HEADINGS
    moves = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ slopes[:2]
    return np.concatenate([moves, slopes[2:]])


def _reach() -> range:
    return range(-FURTHEST, FURTHEST + 1)


def _moves(pattern: Grid) -> Grid:
    """What each whole move to within FURTHEST adds; nothing where it would come from beyond the edge."""
    rows, columns = pattern.shape
    padded = np.pad(pattern, FURTHEST, constant_values=np.nan)
    moved = [
        padded[FURTHEST - dy : FURTHEST - dy + rows, FURTHEST - dx : FURTHEST - dx + columns] - pattern
        for dy in _reach()
        for dx in _reach()
        if dx or dy
    ]
    return np.nan_to_num(np.stack(moved).reshape(len(moved), -1))


def _beside_light(predictions: Grid, pattern: Grid, variance: Grid) -> Grid:
    """The part of predictions that no offset and no gain explains, in the metric of the noise."""
    weights = (1 / variance).ravel()
    total = float(weights.sum())
    if not total:
        return np.zeros_like(predictions)
    tone = pattern.ravel() - float(weights @ pattern.ravel()) / total
    left = predictions - (predictions @ weights / total)[:, None]
    power = float(weights @ tone**2)
    if power > FLAT * total:
        left -= np.outer(left @ (weights * tone) / power, tone)
    return left


def _most(predictions: Grid, difference: Grid, variance: Grid, parts: float, log_chance_of_one: float) -> int | None:
    """Which prediction has the surest score, if any is surer than this chance."""
    weights = (1 / variance).ravel()
    values = _finite(difference, variance).ravel()
    power = predictions**2 @ weights
    scores = predictions @ (weights * values) / np.sqrt(np.maximum(power, 1e-300))
    scores[power <= FLAT * float(weights.sum())] = 0.0
    best = int(np.argmax(scores))
    # Laplace noise has heavier tails than Gaussian noise, so this cheap bound spares most of the work.
    if -(scores[best] ** 2) / 2 > log_chance_of_one:
        return None
    deviations = predictions[best] * np.sqrt(weights)
    total = float(scores[best]) * math.sqrt(float(deviations @ deviations))
    return best if log_chance(total, deviations, parts) <= log_chance_of_one else None


def _widespread(prediction: Grid, difference: Grid, variance: Grid, parts: float) -> bool:
    """Whether a score stays sure without the parts of the picture that it is mostly of."""
    rows, columns = difference.shape
    down, right = (np.arange(n) * TILES // n for n in (rows, columns))
    tiles = (TILES * down[:, None] + right).ravel()
    weights = (1 / variance).ravel()
    spoken = prediction * weights * _finite(difference, variance).ravel()
    by_tile = np.bincount(tiles, spoken, TILES**2)
    left = ~np.isin(tiles, np.argsort(-by_tile, kind="stable")[:SPARED])
    return log_chance(float(spoken[left].sum()), prediction[left] * np.sqrt(weights[left]), parts) <= WITHOUT


def _finite(difference: Grid, variance: Grid) -> Grid:
    return np.where(np.isfinite(variance), difference, 0.0)
