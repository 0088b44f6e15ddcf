"""Has the camera moved, or the light changed, between two maps with known noise? Score tests at a stated rate.

For maps A and B of one place with white noise of variances a and b, the difference D = B - A and the mean M weighted
by 1/a and 1/b are uncorrelated. So what a small shift, another gain or another offset would do to D can be predicted
from M, denoised, without D's own noise entering the prediction. Each prediction w gives a linear statistic <w, D>
(Rao's score test), and `tails` bounds how far it gets by noise alone. docs/fusion.md has the derivation.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge.features.tails import log_chance

Grid = NDArray[np.float64]

FURTHEST = 3
"""Whole cells of shift that are looked for to each side."""
_REACH = range(-FURTHEST, FURTHEST + 1)
MOVES = [(x, y) for y in _REACH for x in _REACH]
"""To the right and down. That by nothing never has a score."""
HEADINGS = 8
"""Headings of a shift below one cell, over half a turn: the next of them is never further than 11.25 degrees."""
TILES, SPARED = 4, 3
"""A move speaks from all of the picture, a person who was missed from one or two of TILES x TILES parts of it: a score
counts only if it stays sure without the SPARED parts that speak most for it."""
SURE = math.log(1e-2)
"""Chance by noise alone that such a rest may have, at most."""
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


def robust_light_fit(difference: Grid, pattern: Grid, variance: Grid, rounds: int = 3) -> NDArray[np.float64]:
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


@dataclass(frozen=True, slots=True, eq=False)
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


class Difference:
    """B - A with the variance of its noise, to be set against predictions: all of them cell by cell, flat.

    Args:
        difference: (rows, columns) grey.
        variance: infinite where a cell is not to count.
        parts: how many Laplace noises the noise of each cell is made of, as in `tails`.
        pattern: the denoised mean of both maps, which another light changes in proportion.
    """

    def __init__(self, difference: Grid, variance: Grid, parts: float, pattern: Grid) -> None:
        self._rows, self._columns = difference.shape
        self._parts = parts
        self._weights = (1 / variance).ravel()
        self._values = np.where(np.isfinite(variance), difference, 0.0).ravel()
        self._total = float(self._weights.sum())
        self._pattern = pattern
        flat = pattern.ravel()
        tone = flat - float(self._weights @ flat) / max(self._total, 1e-300)
        power = float(self._weights @ tone**2)
        self._tone = tone if power > FLAT * self._total else np.zeros_like(tone)
        self._light_power = max(power, 1e-300)

    def light_differs(self, chance: float) -> bool:
        """Whether offset or gain are beyond what noise alone gives with `chance` at most.

        Two statistics, each to both sides: the sum of D, and its sum along the pattern less the pattern's mean.
        """
        for prediction in (np.ones_like(self._tone), self._tone):
            power = float(self._weights @ prediction**2)
            score = float(self._weights @ (prediction * self._values)) / math.sqrt(max(power, 1e-300))
            if self._is_rare(abs(score), prediction, math.log(chance / 4)):
                return True
        return False

    def shift(self, chance: float, *, far: bool) -> Shift | None:
        """The shift between the maps, or None where noise alone gives such statistics with `chance` or more.

        far: whether moves by whole cells are looked for even where nothing speaks for a smaller one.
        """
        slopes = _slopes(self._pattern)
        fine = _headings(slopes)
        each = math.log(chance / (2 * len(fine) + len(MOVES)))
        scores = self._scores(fine)
        best = int(np.argmax(np.abs(scores)))
        near = self._sure(float(scores[best]), fine[best], each)
        if not (near or far):
            return None
        coarse = _moves(self._pattern)
        whole = self._scores(coarse)
        furthest = int(np.argmax(whole))
        if whole[furthest] > abs(scores[best]) and self._sure(float(whole[furthest]), coarse[furthest], each):
            x, y = MOVES[furthest]
            if max(abs(x), abs(y)) > 1:
                return Shift(float(x), float(y), 0.0)
            near = True
        return self._solve(slopes) if near else None

    def _scores(self, predictions: Grid) -> NDArray[np.float64]:
        """Of each prediction less what light explains of it, in standard deviations."""
        weights, total, tone, light = self._weights, max(self._total, 1e-300), self._tone, self._light_power
        sides = np.stack([weights, weights * tone, weights * self._values], axis=1)
        flat, toned, along = (predictions @ sides).T
        power = predictions**2 @ weights
        left = power - flat**2 / total - toned**2 / light
        along = along - flat * float(sides[:, 2].sum()) / total - toned * float(sides[:, 1] @ self._values) / light
        scores: NDArray[np.float64] = along / np.sqrt(np.maximum(left, 1e-300))
        scores[left <= FLAT * (power + total)] = 0.0
        return scores

    def _sure(self, score: float, prediction: Grid, log_chance_of_one: float) -> bool:
        """Whether a score is rare, and stays so without the parts of the picture that it is mostly of."""
        if not _may_be(abs(score), log_chance_of_one):
            return False
        alone = self._beside_light(math.copysign(1.0, score) * prediction)
        return self._is_rare(abs(score), alone, log_chance_of_one) and self._is_widespread(alone)

    def _is_rare(self, score: float, prediction: Grid, log_chance_of_one: float) -> bool:
        if not _may_be(score, log_chance_of_one):
            return False
        deviations = prediction * np.sqrt(self._weights)
        total = score * math.sqrt(float(deviations @ deviations))
        return log_chance(total, deviations, self._parts) <= log_chance_of_one

    def _is_widespread(self, prediction: Grid) -> bool:
        down, right = (np.arange(n) * TILES // n for n in (self._rows, self._columns))
        tiles = (TILES * down[:, None] + right).ravel()
        spoken = prediction * self._weights * self._values
        by_tile = np.bincount(tiles, spoken, TILES**2)
        left = ~np.isin(tiles, np.argsort(-by_tile, kind="stable")[:SPARED])
        deviations = prediction[left] * np.sqrt(self._weights[left])
        return log_chance(float(spoken[left].sum()), deviations, self._parts) <= SURE

    def _beside_light(self, prediction: Grid) -> Grid:
        """The part of a prediction that no offset and no gain explains, in the metric of the noise."""
        left = prediction - float(self._weights @ prediction) / max(self._total, 1e-300)
        return left - float(self._weights @ (left * self._tone)) / self._light_power * self._tone

    def _solve(self, slopes: Grid) -> Shift:
        """Least squares for a small move and turn."""
        roots = np.sqrt(self._weights)
        basis = np.stack([self._beside_light(slope) * roots for slope in slopes], axis=1)
        solved = np.linalg.lstsq(basis, self._values * roots, rcond=1e-6)[0]
        return Shift(float(solved[0]), float(solved[1]), float(solved[2]))


def _may_be(score: float, log_chance_of_one: float) -> bool:
    """Laplace noise has heavier tails than Gaussian noise, so this bound spares most of the work."""
    return -(score**2) / 2 <= log_chance_of_one


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


def _moves(pattern: Grid) -> Grid:
    """What each of MOVES adds: (49, cells). Beyond the edge the picture is as at the edge."""
    padded = np.pad(pattern, FURTHEST, mode="edge")
    added: Grid = sliding_window_view(padded, pattern.shape)[::-1, ::-1] - pattern
    return added.reshape(len(MOVES), -1)
