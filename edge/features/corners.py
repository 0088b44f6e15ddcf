"""Corners of a noisy map: a structure tensor at several scales, against what the known noise makes of it.

Deterministic: see corner_tensor. No OpenCV here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features.corner_tail import threshold
from edge.features.corner_tensor import Array, Tensor, kernels, noise_tensor, tensor

SIGMAS = (0.8, 1.1, 1.6, 2.3, 3.2)
"""Scales of the derivatives, in cells."""
LEAST_NOISE = 0.25
"""Grey. A map with less noise is treated as if it had this: cells are means of whole grey values."""
APART = 1.5
"""Cells between keypoints, at least."""
MOST = 256


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """Keypoints of a map, strongest first; of equal strength by row, then column, then scale.

    points: (n, 2) x and y in cells, the centre of the top-left cell being (0, 0).
    sigma: (n,) scale in cells.
    strength: (n,) smaller eigenvalue of the tensor above its expectation in noise, in standard deviations in noise.
    spread: (n,) standard deviation of the position in cells, along each axis.
    """

    points: Array
    sigma: Array
    strength: Array
    spread: Array


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Local maxima of the score: (n,) each. level: index of the scale."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    level: NDArray[np.intp]
    strength: Array


def find(
    image: NDArray[np.floating], noise: float, *, expected_false: float, most: int = MOST, excess: float = 3.0
) -> Corners:
    """The corners of a map that its noise does not explain.

    Args:
        image: (rows, columns) grey, with white noise.
        noise: standard deviation of one cell's noise, in grey.
        expected_false: how many keypoints a map of this size would have if it were noise alone, on average; above 0.
        most: keypoints at most, the strongest.
        excess: excess kurtosis of one cell's noise: 3 for Laplace noise, 0 for Gaussian, 3/k for the mean of k maps.
    """
    grey = np.asarray(image, np.float64)
    sd = max(noise, LEAST_NOISE)
    shape = (grey.shape[0], grey.shape[1])
    level = threshold(shape, expected_false, excess)
    tensors = [tensor(grey, kernels(sigma)) for sigma in SIGMAS]
    scores = np.stack([score(t, shape, sigma, sd, excess) for t, sigma in zip(tensors, SIGMAS, strict=True)])
    kept = thin(ordered(peaks(scores, level)), most)
    points = np.stack([kept.columns, kept.rows], axis=1).astype(np.float64)
    sigma = np.asarray(SIGMAS)[kept.level]
    return Corners(points, sigma, kept.strength, np.full(len(points), 0.5))


def score(found: Tensor, shape: tuple[int, int], sigma: float, sd: float, excess: float) -> Array:
    """The smaller eigenvalue of the tensor above noise, in standard deviations of noise: (rows, columns)."""
    expected = noise_tensor(shape, sigma, excess)
    variance = sd * sd
    a = (found.xx / variance - expected.xx) / expected.sd_xx
    b = (found.yy / variance - expected.yy) / expected.sd_yy
    c = (found.xy / variance - expected.xy) / np.sqrt(expected.sd_xx * expected.sd_yy)
    half = (a - b) * 0.5
    return (a + b) * 0.5 - np.sqrt(half * half + c * c)


def peaks(scores: Array, level: float) -> Candidates:
    """Cells whose score is above the threshold and above that of the eight around them."""
    _, rows, columns = scores.shape
    framed = np.pad(scores, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    best = scores > level
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            other = framed[:, 1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
            if (down, right) < (0, 0):
                best &= scores > other
            elif (down, right) > (0, 0):
                best &= scores >= other
    at, i, j = np.nonzero(best)
    return Candidates(i, j, at, scores[at, i, j])


def ordered(found: Candidates) -> Candidates:
    """Strongest first, then by row, column and scale."""
    order = np.lexsort((found.level, found.columns, found.rows, -found.strength))
    return picked(found, order)


def thin(found: Candidates, most: int) -> Candidates:
    """The strongest of any that lie closer together than APART, and so many at most."""
    free = np.ones(len(found.rows), bool)
    kept = []
    for index in range(len(free)):
        if free[index]:
            kept.append(index)
            if len(kept) == most:
                break
            down, right = found.rows - found.rows[index], found.columns - found.columns[index]
            free &= down * down + right * right >= APART * APART
    return picked(found, np.asarray(kept, np.intp))


def picked(found: Candidates, which: NDArray[np.intp]) -> Candidates:
    """Some of them."""
    return Candidates(found.rows[which], found.columns[which], found.level[which], found.strength[which])
