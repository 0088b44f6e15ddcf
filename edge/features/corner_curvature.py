"""Second derivatives of a map at one scale, in standard deviations of what white noise makes of them.

Derivatives of a Gaussian (Lindeberg, IJCV 1998). All filters are separable and the noise is white, so that every
variance is a product of one number per row and one per column, borders included: docs/proofs/corners.md.

Bit for bit the same on every machine with IEEE 754 doubles: only additions, multiplications, divisions, square roots
and comparisons of whole arrays, in an order that the code fixes. No matrix product, no library sum, no logarithm or
exponential of data; weights are multiples of 2^-20.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = tuple[float, ...]

GRAIN = 2**20
"""Weights are multiples of 1/GRAIN, so that the last bit of a platform's exponential does not reach them."""
REACH = 3.0
"""Standard deviations at which a Gaussian is cut off: a little better than 4 on photographs, and faster."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """Weights at offsets -r..r: a Gaussian, its first and its second derivative. What is constant gives `bend` 0."""

    smooth: Weights
    slope: Weights
    bend: Weights


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """xx, yy, xy: (rows, columns) each, the second derivatives over their standard deviations in noise.

    The standard deviation of xy is smaller; it is divided by the geometric mean of the other two, so that
    xx · yy - xy² is the determinant but for one positive factor at each cell.
    """

    xx: Array
    yy: Array
    xy: Array


@lru_cache(maxsize=16)
def kernels(sigma: float) -> Kernels:
    """The weights at this scale, in cells."""
    reach = math.ceil(REACH * sigma)
    offsets = range(-reach, reach + 1)
    bell = [math.exp(-((t / sigma) ** 2) / 2) for t in offsets]
    total = math.fsum(bell)
    smooth = tuple(rounded(weight / total) for weight in bell)
    slope = tuple(rounded(-t / sigma**2 * weight / total) for t, weight in zip(offsets, bell, strict=True))
    bend = [
        rounded((t * t / sigma**2 - 1) / sigma**2 * weight / total) for t, weight in zip(offsets, bell, strict=True)
    ]
    bend[reach] -= math.fsum(bend)
    return Kernels(smooth, slope, tuple(bend))


def rounded(weight: float) -> float:
    """The nearest multiple of 1/GRAIN."""
    return round(weight * GRAIN) / GRAIN


def curvature(image: Array, sigma: float, noise: float) -> Curvature:
    """The second derivatives at every cell; the map is mirrored at its borders.

    Args:
        image: (rows, columns).
        sigma: scale in cells.
        noise: standard deviation of one cell, in the unit of the image; above 0.
    """
    rows, columns = image.shape
    weights = kernels(sigma)
    reach = len(weights.smooth) // 2
    wide = mirror(image, reach, 1)
    smooth, slope, bend = (
        mirror(correlate(wide, each, 1), reach, 0) for each in (weights.smooth, weights.slope, weights.bend)
    )
    down, right = deviations(rows, sigma), deviations(columns, sigma)
    sd_xx = noise * (down.smooth[:, None] * right.bend[None, :])
    sd_yy = noise * (down.bend[:, None] * right.smooth[None, :])
    return Curvature(
        xx=correlate(bend, weights.smooth, 0) / sd_xx,
        yy=correlate(smooth, weights.bend, 0) / sd_yy,
        xy=correlate(slope, weights.slope, 0) / np.sqrt(sd_xx * sd_yy),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Deviations:
    """What one axis of white noise of variance 1 contributes to standard deviations, for each of its cells."""

    smooth: Array
    bend: Array


@lru_cache(maxsize=64)
def deviations(cells: int, sigma: float) -> Deviations:
    """Of an axis of so many cells: √Σ_k S[i,k]² and √Σ_k B[i,k]², S and B being the filters with the mirrors in them.

    Away from both ends they are constant, and computed once.
    """
    weights = kernels(sigma)
    reach = len(weights.smooth) // 2
    if cells > 2 * reach + 1:
        few = deviations(2 * reach + 1, sigma)
        return Deviations(stretched(few.smooth, reach, cells), stretched(few.bend, reach, cells))
    unit = mirror(np.eye(cells), reach, 0)
    return Deviations(length(correlate(unit, weights.smooth, 0)), length(correlate(unit, weights.bend, 0)))


def length(rows: Array) -> Array:
    """The Euclidean length of each row, added up from left to right."""
    total = np.zeros(len(rows))
    for column in rows.T:
        total += column * column
    return np.sqrt(total)


def stretched(values: Array, middle: int, cells: int) -> Array:
    """The values with that in the middle repeated until there are so many."""
    return np.concatenate([values[:middle], np.full(cells - 2 * middle, values[middle]), values[middle + 1 :]])


def mirror(values: Array, margin: int, axis: int) -> Array:
    """With `margin` more cells at both ends of an axis, mirrored as often as that takes; the end cell comes twice."""
    return np.pad(values, [(margin, margin) if axis == each else (0, 0) for each in (0, 1)], mode="symmetric")


def correlate(padded: Array, weights: Weights, axis: int) -> Array:
    """Σ_k weights[k] · padded[i + k] along an axis, from the middle outwards.

    The weights are even or odd, so that cells at opposite offsets are added or subtracted before they are weighted.
    """
    turned = padded if axis == 0 else padded.T
    reach = len(weights) // 2
    size = len(turned) - 2 * reach
    combine = np.subtract if weights[0] == -weights[-1] else np.add
    total = weights[reach] * turned[reach : reach + size]
    pair = np.empty_like(total)
    for k in range(1, reach + 1):
        combine(turned[reach + k : reach + k + size], turned[reach - k : reach - k + size], out=pair)
        pair *= weights[reach + k]
        total += pair
    return total if axis == 0 else total.T
