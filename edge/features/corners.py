"""Keypoints of a noisy map: where its curvature is larger than the known noise explains, in both directions.

The determinant of the second derivatives at several scales (Beaudet, IJCPR 1978; Lindeberg, IJCV 1998) with a little
of their trace, in standard deviations of noise. docs/proofs/corners.md says what noise alone does to it, and why it is
not the tensor of first derivatives. Bit for bit the same on every machine: see corner_curvature. No OpenCV.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.features.corner_curvature import Array, Curvature, Weights, curvature, kernels
from edge.features.corner_tail import threshold

Index = NDArray[np.intp]
Slopes = tuple[Array, Array, Array]

SIGMAS = (1.0, 1.4, 2.0, 2.8, 4.0)
"""Scales in cells."""
SHORTEST_SIDE = 2.0
"""A scale is used where the shorter side of the map has so many times its cells."""
TRACE = 0.1
"""Weight of the squared trace beside the determinant."""
LEAST_NOISE = 0.25
"""Grey. A map with less noise is treated as if it had this: cells are means of whole grey values."""
APART = 1.0
"""Cells between keypoints, at least."""
MOST = 256
FIT = 0.05
"""Cells by which the top of a parabola misses that of a peak, without noise: at most this, root mean square."""
WIDEST = 2.0
"""Cells. A spread that is not known is this, and none is more: the fit sees no further."""


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """Keypoints of a map, strongest first; of equal strength by row, then column, then scale.

    points: (n, 2) x and y in cells, the centre of the top-left cell being (0, 0).
    sigma: (n,) scale in cells.
    strength: (n,) curvature in standard deviations of noise: √(|λ₁λ₂| + (λ₁ + λ₂)²/10).
    spread: (n,) standard deviation of the position in cells, along each axis.
    """

    points: Array
    sigma: Array
    strength: Array
    spread: Array


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Local maxima of the score, (n,) each. level: index of the scale. x, y: position in cells. spread: of it."""

    level: Index
    score: Array
    x: Array
    y: Array
    spread: Array

    def __getitem__(self, which: Index) -> "Peaks":
        """Some of them."""
        return Peaks(*(getattr(self, name)[which] for name in Peaks.__slots__))


def find(
    image: NDArray[np.floating], noise: float, *, expected_false: float, most: int = MOST, excess: float = 3.0
) -> Corners:
    """The keypoints of a map that its noise does not explain.

    Args:
        image: (rows, columns) grey, with white noise; before any denoising.
        noise: standard deviation of one cell's noise, in grey; at least LEAST_NOISE is assumed.
        expected_false: how many keypoints a map of this size would have if it were noise alone, on average; above 0.
        most: keypoints at most, the strongest.
        excess: excess kurtosis of one cell's noise: 3 for Laplace noise, 0 for Gaussian, 3/k for the mean of k maps.

    Raises:
        ValueError: the map has no cells, or expected_false is not above 0.
    """
    rows, columns = image.shape
    return seek(image, noise, threshold(rows, columns, expected_false, excess), most)


def seek(image: NDArray[np.floating], noise: float, lowest: float, most: int) -> Corners:
    """The keypoints whose strength is above `lowest`."""
    grey = np.asarray(image, np.float64)
    least = max(noise, LEAST_NOISE)
    found = [
        peaks(curvature(grey, sigma, least), level, lowest * lowest)
        for level, sigma in enumerate(SIGMAS)
        if min(grey.shape) >= SHORTEST_SIDE * sigma
    ]
    kept = thin(joined(found), most)
    return Corners(
        points=np.stack([kept.x, kept.y], axis=1),
        sigma=np.asarray(SIGMAS)[kept.level],
        strength=np.sqrt(kept.score),
        spread=kept.spread,
    )


def peaks(bent: Curvature, level: int, lowest: float) -> Peaks:
    """The cells of one scale whose score is above `lowest` and above that of the eight around them."""
    scores = score(bent.xx, bent.yy, bent.xy)
    rows, columns = scores.shape
    framed = np.pad(scores, 1, constant_values=-np.inf)
    best = scores > lowest
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            other = framed[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
            if (down, right) < (0, 0):
                best &= scores > other
            elif (down, right) > (0, 0):
                best &= scores >= other
    i, j = np.nonzero(best)
    x, y, spread = fitted(bent, scores, i, j, SIGMAS[level])
    return Peaks(level=np.full(len(i), level, np.intp), score=scores[i, j], x=x, y=y, spread=spread)


def score(xx: Array, yy: Array, xy: Array) -> Array:
    """|determinant| and a little of the squared trace."""
    trace = xx + yy
    return np.abs(xx * yy - xy * xy) + TRACE * (trace * trace)


def fitted(bent: Curvature, scores: Array, i: Index, j: Index, sigma: float) -> tuple[Array, Array, Array]:
    """Where the parabolas through a peak and its neighbours to both sides have their tops, and the spread of that.

    The spread is that of the quadratic surface through the peak and all eight around it, which knows that a peak may
    be flat along a diagonal. At a border, where a neighbour is missing, the one on the other side stands for it.
    """
    rows, columns = scores.shape
    up, below = inside(i - 1, rows), inside(i + 1, rows)
    left, right = inside(j - 1, columns), inside(j + 1, columns)
    top = 2.0 * scores[i, j]
    bow_x, bow_y = top - scores[i, left] - scores[i, right], top - scores[up, j] - scores[below, j]
    twist = (scores[below, right] + scores[up, left] - scores[below, left] - scores[up, right]) * 0.25
    noise_x = difference_variance(gradient(bent, i, right), gradient(bent, i, left), sigma, across=True) * 0.25
    noise_y = difference_variance(gradient(bent, below, j), gradient(bent, up, j), sigma, across=False) * 0.25
    step_x, step_y = (scores[i, right] - scores[i, left]) * 0.5, (scores[below, j] - scores[up, j]) * 0.5
    x, y = j + step_x / np.where(bow_x > 0, bow_x, np.inf), i + step_y / np.where(bow_y > 0, bow_y, np.inf)
    twisted = twist * twist
    determinant = bow_x * bow_y - twisted
    peaked = determinant > 0
    squared = np.where(peaked, determinant * determinant, 1.0)
    total = ((bow_y * bow_y + twisted) * noise_x + (bow_x * bow_x + twisted) * noise_y) / squared
    widest = WIDEST * WIDEST
    return x, y, np.sqrt(np.minimum(np.where(peaked, 0.5 * total, widest) + FIT * FIT, widest))


def inside(index: Index, cells: int) -> Index:
    """Indices mirrored about the first and the last cell."""
    last = cells - 1
    return np.where(index < 0, np.minimum(1, last), np.where(index > last, np.maximum(last - 1, 0), index))


def gradient(bent: Curvature, i: Index, j: Index) -> Slopes:
    """Of the score with respect to xx, yy and xy, at some cells."""
    xx, yy, xy = bent.xx[i, j], bent.yy[i, j], bent.xy[i, j]
    sign = np.where(xx * yy - xy * xy < 0, -1.0, 1.0)
    trace = 2.0 * TRACE * (xx + yy)
    return sign * yy + trace, sign * xx + trace, -2.0 * sign * xy


@dataclass(frozen=True, slots=True)
class Covariance:
    """Of noise in the curvature (xx, yy, xy) at a cell and two cells further along x; xy has none with the others."""

    xx: float
    yy: float
    xx_yy: float
    xy: float


@lru_cache(maxsize=32)
def covariance(sigma: float, lag: int) -> Covariance:
    """Away from borders, at `lag` cells along x."""
    weights = kernels(sigma)
    smooth, slope, bend = weights.smooth, weights.slope, weights.bend
    unit = overlap(smooth, smooth, 0) * overlap(bend, bend, 0)
    return Covariance(
        xx=overlap(bend, bend, lag) * overlap(smooth, smooth, 0) / unit,
        yy=overlap(smooth, smooth, lag) * overlap(bend, bend, 0) / unit,
        xx_yy=overlap(bend, smooth, lag) * overlap(smooth, bend, 0) / unit,
        xy=overlap(slope, slope, lag) * overlap(slope, slope, 0) / unit,
    )


def overlap(a: Weights, b: Weights, lag: int) -> float:
    """Σ_k a[k] · b[k + lag], rounded once."""
    return math.fsum(a[k] * b[k + lag] for k in range(len(a) - lag))


def difference_variance(after: Slopes, before: Slopes, sigma: float, *, across: bool) -> Array:
    """Variance of the score two cells further on less the score, of noise to first order."""
    if not across:
        after, before = (after[1], after[0], after[2]), (before[1], before[0], before[2])
    same, two = covariance(sigma, 0), covariance(sigma, 2)
    return product(after, after, same) + product(before, before, same) - 2.0 * product(after, before, two)


def product(a: Slopes, b: Slopes, of: Covariance) -> Array:
    """aᵀ · covariance · b."""
    mixed = a[0] * b[1] + a[1] * b[0]
    return of.xx * (a[0] * b[0]) + of.yy * (a[1] * b[1]) + of.xx_yy * mixed + of.xy * (a[2] * b[2])


def joined(found: list[Peaks]) -> Peaks:
    """The peaks of all scales, strongest first, then by row, column and scale."""
    none = Peaks(np.empty(0, np.intp), *(np.empty(0) for _ in range(4)))
    all_of = Peaks(*(np.concatenate([getattr(each, name) for each in (none, *found)]) for name in Peaks.__slots__))
    return all_of[np.lexsort((all_of.level, all_of.x, all_of.y, -all_of.score))]


def thin(found: Peaks, most: int) -> Peaks:
    """The strongest of any that lie closer together than APART, and so many at most."""
    free = np.ones(len(found.x), bool)
    kept: list[int] = []
    for index in range(len(free)):
        if len(kept) == most:
            break
        if free[index]:
            kept.append(index)
            right, down = found.x - found.x[index], found.y - found.y[index]
            free &= right * right + down * down >= APART * APART
    return found[np.asarray(kept, np.intp)]
