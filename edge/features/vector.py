"""One vector for the whole grid: its low spatial frequencies without the mean."""

import numpy as np
from numpy.typing import NDArray

from edge.features.denoise import dct_matrix, frequency

COMPONENTS = 128


def grid_vector(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """DCT coefficients in zigzag order, lowest first, without the mean, each weighted by its frequency.

    The weight undoes the 1/f amplitude of natural scenes, so that not only the few lowest components speak; the
    denoiser has weighed down those that are mostly noise. Measured over other weights in docs/features.md.

    Args:
        image: (rows, columns), the denoised map in grey.

    Returns:
        (k,) float32 of unit length, k = min(128, rows · columns - 1); all zero for a flat map.
    """
    rows, columns = image.shape
    order = zigzag(rows, columns)[1 : COMPONENTS + 1]
    spectrum = dct_matrix(rows) @ np.asarray(image, np.float64) @ dct_matrix(columns).T
    picked = (spectrum * frequency(rows, columns)).ravel()[order]
    length = float(np.linalg.norm(picked))
    return (picked / length if length > 1e-3 else np.zeros(len(order))).astype(np.float32)


def zigzag(rows: int, columns: int) -> NDArray[np.intp]:
    """Flat indices of the coefficients along anti-diagonals from the mean on, alternating in direction (ITU-T T.81)."""
    i, j = np.divmod(np.arange(rows * columns), columns)
    diagonal = i + j
    return np.lexsort((np.where(diagonal % 2, i, j), diagonal))
