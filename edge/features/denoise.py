"""DCT-Wiener: the linear estimate of a map under a public prior of natural scenes.

Deterministic and linear given the map's variance, so the noise that is left is known too. Orthonormal DCT-II by two
matrix products (Ahmed, Natarajan and Rao, 1974); a grid has some 48 x 27 cells, so no fast transform is needed.
"""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge.features.map import Map

SIGNIFICANCE = 5.0
"""Standard deviations by which a map's variance must exceed its noise variance before it counts as texture.

The sample variance of Laplace noise has heavy tails: at 3, some of a few hundred noise-only maps passed."""
LAPLACE_EXCESS = 5.0
"""Kurtosis 6 of the Laplace law less 1: n samples estimate its variance σ² with a standard deviation √(5/n)·σ²."""


def denoise(source: "Map") -> NDArray[np.float32]:
    """The map's image, denoised: (rows, columns) float32, grey.

    Where the variance of the map cannot be told from that of its noise, there is no texture, and the result is flat.
    """
    return wiener(source.image, source.noise).astype(np.float32)


def wiener(image: NDArray[np.floating], noise: float) -> NDArray[np.float64]:
    """Shrink each DCT coefficient by S / (S + noise²), with the prior S ∝ 1/f² of natural scenes.

    S is scaled so that its total is the texture of this image. (Field 1987: natural amplitude spectra fall as 1/f.)

    Args:
        image: (rows, columns), any size from 1 x 1.
        noise: standard deviation of the white noise of one cell, in the unit of the image.
    """
    rows, columns = image.shape
    power = texture(image, noise) * image.size
    left, right = dct_matrix(rows), dct_matrix(columns)
    prior = 1 / np.maximum(frequency(rows, columns) ** 2, 1e-12)
    prior[0, 0] = 0
    prior *= power / max(float(prior.sum()), 1e-12)
    gain = prior / np.maximum(prior + noise**2, 1e-12)
    gain[0, 0] = 1
    shrunk: NDArray[np.float64] = left.T @ (gain * (left @ image @ right.T)) @ right
    return shrunk


def texture(image: NDArray[np.floating], noise: float) -> float:
    """The variance of the image less that of its noise; 0 where the difference may be chance."""
    excess = float(np.var(image, dtype=np.float64)) - noise**2
    return excess if excess > SIGNIFICANCE * noise**2 * math.sqrt(LAPLACE_EXCESS / image.size) else 0.0


@lru_cache(maxsize=16)
def dct_matrix(size: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II as a read-only (size, size) matrix: row k holds frequency k."""
    k, n = np.arange(size)[:, None], np.arange(size)[None]
    matrix: NDArray[np.float64] = np.cos(np.pi * k * (2 * n + 1) / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    matrix.flags.writeable = False
    return matrix


def frequency(rows: int, columns: int) -> NDArray[np.float64]:
    """Radial frequency of every DCT coefficient, in half cycles per cell: (rows, columns), 0 for the mean."""
    return np.hypot(np.arange(rows)[:, None] / rows, np.arange(columns)[None] / columns)
