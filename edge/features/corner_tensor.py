"""The structure tensor of a map at one scale, and exactly what white noise makes of it.

Gradients are derivatives of a Gaussian, integrated with a wider one (Foerstner and Guelch 1987; Lindeberg, IJCV 1998).
All filters are separable and all noise is white, so that every expectation and variance is a product of one number per
row and one per column, borders included. docs/proofs/corners.md derives them under the names used here.

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

GRAIN = 2.0**20
"""Weights are rounded to multiples of 1/GRAIN, so that the last bit of a platform's exponential does not reach them."""
REACH = 3.0
"""Standard deviations at which a Gaussian is cut off."""
INTEGRATION = 1.5
"""Standard deviation of the integration window, in that of the derivative. Chosen on photographs (docs/features.md)."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """Weights at offsets -r..r of one scale: smoothing, its derivative, and the integration window."""

    smooth: tuple[float, ...]
    derive: tuple[float, ...]
    window: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """Gradients gx, gy and the integrated xx, yy, xy, each (rows, columns) float64."""

    gx: Array
    gy: Array
    xx: Array
    yy: Array
    xy: Array


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What white noise of variance 1 makes of one axis, for each of its cells.

    smooth, derive, mixed: W applied to the sums of S², D² and S·D over the noise: factors of expectations.
    gauss_smooth, gauss_derive: factors of the part of a variance that Gaussian noise has.
    heavy_smooth, heavy_derive: factors of the part that is proportional to the excess kurtosis.
    """

    smooth: Array
    derive: Array
    mixed: Array
    gauss_smooth: Array
    gauss_derive: Array
    heavy_smooth: Array
    heavy_derive: Array


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Expectation of xx, yy and xy, and standard deviation of xx and of yy, in noise alone: (rows, columns) each."""

    xx: Array
    yy: Array
    xy: Array
    sd_xx: Array
    sd_yy: Array


@lru_cache(maxsize=16)
def kernels(sigma: float) -> Kernels:
    """The weights at this scale, in cells."""
    bell = gaussian(sigma)
    reach = len(bell) // 2
    derive = tuple(round(weight * (index - reach) / sigma**2 * GRAIN) / GRAIN for index, weight in enumerate(bell))
    return Kernels(bell, derive, gaussian(INTEGRATION * sigma))


def gaussian(sigma: float) -> tuple[float, ...]:
    """Weights of a sampled Gaussian, of sum 1 but for rounding."""
    reach = math.ceil(REACH * sigma)
    bell = [math.exp(-((t / sigma) ** 2) / 2) for t in range(-reach, reach + 1)]
    total = math.fsum(bell)
    return tuple(round(weight / total * GRAIN) / GRAIN for weight in bell)


def tensor(image: Array, weights: Kernels) -> Tensor:
    """The tensor at every cell. Gradients see the map mirrored at its borders, the window ends there."""
    mirrored = mirror(image, len(weights.smooth) // 2, axis=1)
    across, along = correlate(mirrored, weights.derive, 1), correlate(mirrored, weights.smooth, 1)
    gx = correlate(mirror(across, len(weights.smooth) // 2, axis=0), weights.smooth, 0)
    gy = correlate(mirror(along, len(weights.smooth) // 2, axis=0), weights.derive, 0)
    products = np.stack([gx * gx, gy * gy, gx * gy])
    xx, yy, xy = integrate(integrate(products, weights.window, 2), weights.window, 1)
    return Tensor(gx, gy, xx, yy, xy)


def noise_tensor(shape: tuple[int, int], sigma: float, excess: float) -> Noise:
    """What white noise of variance 1 and this excess kurtosis makes of the tensor at this scale."""
    rows, columns = moments(shape[0], sigma), moments(shape[1], sigma)
    return Noise(
        xx=outer(rows.smooth, columns.derive),
        yy=outer(rows.derive, columns.smooth),
        xy=outer(rows.mixed, columns.mixed),
        sd_xx=np.sqrt(
            2.0 * outer(rows.gauss_smooth, columns.gauss_derive)
            + excess * outer(rows.heavy_smooth, columns.heavy_derive)
        ),
        sd_yy=np.sqrt(
            2.0 * outer(rows.gauss_derive, columns.gauss_smooth)
            + excess * outer(rows.heavy_derive, columns.heavy_smooth)
        ),
    )


@lru_cache(maxsize=64)
def moments(cells: int, sigma: float) -> Moments:
    """The factors of one axis of so many cells. Away from both ends they are constant, and computed once."""
    weights = kernels(sigma)
    reach = len(weights.smooth) // 2 + len(weights.window) // 2
    if cells > 2 * reach + 1:
        few = moments(2 * reach + 1, sigma)
        return Moments(*(stretched(getattr(few, name), reach, cells) for name in Moments.__slots__))
    unit = np.eye(cells)
    margin = len(weights.smooth) // 2
    smooth = correlate(mirror(unit, margin, 0), weights.smooth, 0)
    derive = correlate(mirror(unit, margin, 0), weights.derive, 0)
    return Moments(
        smooth=integrate(across(smooth * smooth), weights.window, 0),
        derive=integrate(across(derive * derive), weights.window, 0),
        mixed=integrate(across(smooth * derive), weights.window, 0),
        gauss_smooth=gauss(smooth, weights.window),
        gauss_derive=gauss(derive, weights.window),
        heavy_smooth=heavy(smooth, weights.window),
        heavy_derive=heavy(derive, weights.window),
    )


def gauss(rows: Array, window: tuple[float, ...]) -> Array:
    """At each cell y: Σ_pq W[y,p] W[y,q] (Σ_k rows[p,k] rows[q,k])²."""
    common = np.zeros((len(rows), len(rows)))
    for k in range(rows.shape[1]):
        common += rows[:, k, None] * rows[None, :, k]
    both = integrate(integrate(common * common, window, 0), window, 1)
    return both.diagonal().copy()


def heavy(rows: Array, window: tuple[float, ...]) -> Array:
    """At each cell y: Σ_k (Σ_p W[y,p] rows[p,k]²)²."""
    spread = integrate(rows * rows, window, 0)
    return across(spread * spread)


def across(values: Array) -> Array:
    """The sum of each row, from left to right."""
    total = np.zeros(len(values))
    for k in range(values.shape[1]):
        total += values[:, k]
    return total


def stretched(values: Array, middle: int, cells: int) -> Array:
    """The values with that in the middle repeated until there are so many."""
    return np.concatenate([values[:middle], np.full(cells - 2 * middle, values[middle]), values[middle + 1 :]])


def outer(rows: Array, columns: Array) -> Array:
    """The product of each with each."""
    return rows[:, None] * columns[None, :]


def mirror(values: Array, margin: int, axis: int) -> Array:
    """With `margin` more cells at both ends of an axis, mirrored as often as that takes; the end cell comes twice."""
    widths = [(0, 0)] * values.ndim
    widths[axis] = (margin, margin)
    return np.pad(values, widths, mode="symmetric")


def integrate(values: Array, window: tuple[float, ...], axis: int) -> Array:
    """The weighted sum around every cell, over the cells that there are."""
    widths = [(0, 0)] * values.ndim
    widths[axis] = (len(window) // 2, len(window) // 2)
    return correlate(np.pad(values, widths), window, axis)


def correlate(padded: Array, weights: tuple[float, ...], axis: int) -> Array:
    """Σ_k weights[k] · padded[i + k] along an axis, from the outermost pair of offsets to the middle.

    The weights are even or odd, so that cells at opposite offsets are added or subtracted before they are weighted.
    """
    turned = np.moveaxis(padded, axis, 0)
    reach = len(weights) // 2
    size = len(turned) - 2 * reach
    total = weights[reach] * turned[reach : reach + size]
    pair = np.empty_like(total)
    odd = weights[0] != weights[-1]
    for k in range(reach):
        left, right = turned[k : k + size], turned[2 * reach - k : 2 * reach - k + size]
        if odd:
            np.subtract(right, left, out=pair)
        else:
            np.add(right, left, out=pair)
        pair *= weights[-1 - k]
        total += pair
    return np.moveaxis(total, 0, axis)
