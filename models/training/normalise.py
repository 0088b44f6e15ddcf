"""From maps to what the trunk reads: zero mean, unit variance, and how much of that is noise, in steps of 1/32."""

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

STEP = 1 / 32
WIDEST = 4 - STEP


def normalise(maps: Maps, noise: NDArray[np.float64]) -> Maps:
    """(n, rows, columns) grey and (n,) standard deviations of the noise → (n, 2, rows, columns).

    The first plane is (map - mean) / d, held within -4..4, d² being the variance of the map and at least 1 grey²; the
    second is 8 · noise / d - 4 in every cell, with noise / d at most 1, so that both use the same 8 bits.
    """
    grey = maps.astype(np.float64)
    deviation = np.sqrt(np.maximum(grey.var((1, 2), keepdims=True), 1.0))
    level = 8 * np.minimum(noise[:, None, None] / deviation, 1.0) - 4
    planes = np.stack(((grey - grey.mean((1, 2), keepdims=True)) / deviation, np.broadcast_to(level, maps.shape)), 1)
    return (np.rint(np.clip(planes, -4, WIDEST) / STEP) * STEP).astype(np.float32)
