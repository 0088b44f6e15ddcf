"""Keypoints on a lattice: every block of two by two cells in which the map shows more than its noise.

Under noise the maximum of any response wanders by a cell and more, while a descriptor that is trained on the noise
still knows its place (docs/features.md has the figures). So positions are not taken from the map: a keypoint is the
middle of a block, and what is measured is whether there is something in it. Semi-dense matching in the sense of Potje
et al. (CVPR 2024). Bit for bit the same on every machine, as corner_curvature is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features.corner_curvature import Array, curvature
from edge.features.lattice_tail import threshold

BLOCK = 2
"""Cells along a block. Between the middles of two views' blocks lie at most √2 cells."""
SIGMAS = (1.4, 2.0, 2.8, 4.0)
"""Scales of the response, in cells."""
TRACE = 0.1
"""Weight of the squared trace beside the determinant."""
LEAST_NOISE = 0.25
"""Grey. A map with less noise is treated as if it had this: cells are means of whole grey values."""
SPREAD = (BLOCK * BLOCK / 12) ** 0.5
"""Standard deviation in cells, along each axis, of where in its block another view's point lies."""
MOST = 256


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Keypoints, strongest first; of equal strength by row, then column.

    block: (n, 2) row and column of the block. points: (n, 2) x and y in cells, the centre of the top-left cell being
    (0, 0). strength: (n,) the response in standard deviations of noise, at the scale at which it stands out most.
    """

    block: NDArray[np.intp]
    points: Array
    strength: Array


def find(
    image: NDArray[np.floating], noise: float, *, expected_false: float, most: int = MOST, excess: float = 3.0
) -> Found:
    """The blocks of a map that its noise does not explain.

    Args:
        image: (rows, columns) grey, at least 2 x 2, with white noise; before any denoising.
        noise: standard deviation of one cell's noise, in grey; at least LEAST_NOISE is assumed.
        expected_false: how many keypoints a map of this size would have if it were noise alone, on average; above 0.
        most: keypoints at most, the strongest.
        excess: excess kurtosis of one cell's noise: 3 for Laplace noise, 0 for Gaussian, 3/k for the mean of k maps.
    """
    strength = strengths(np.asarray(image, np.float64), max(noise, LEAST_NOISE))
    row, column = np.nonzero(strength > threshold(*strength.shape, expected_false, excess))
    kept = strength[row, column]
    order = np.lexsort((column, row, -kept))[:most]
    block = np.stack([row, column], axis=1)[order]
    middle = (BLOCK - 1) / 2
    return Found(
        block=block,
        points=BLOCK * block[:, ::-1].astype(np.float64) + middle,
        strength=kept[order],
    )


def strengths(grey: Array, noise: float) -> Array:
    """The strongest response in each block, over all scales: (rows // 2, columns // 2).

    The response of a cell is √(|λ₁λ₂| + (λ₁ + λ₂)²/10), λ₁ and λ₂ being its curvatures in standard deviations of noise
    (Beaudet, IJCPR 1978; Lindeberg, IJCV 1998).
    """
    rows, columns = (side // BLOCK for side in grey.shape)
    highest = np.full((rows, columns), -1.0)
    for sigma in SIGMAS:
        bent = curvature(grey, sigma, noise)
        trace = bent.xx + bent.yy
        response = np.abs(bent.xx * bent.yy - bent.xy * bent.xy) + TRACE * (trace * trace)
        cells = response[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
        highest = np.maximum(highest, cells.max(axis=(1, 3)))
    strongest: Array = np.sqrt(highest)
    return strongest
