"""From a map to what a detector made for photographs can read: smooth, large, in 8 bits; and back to cells."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.peers.settings import Settings
from edge.features.denoise import wiener

PERCENTILES = (0.5, 99.5)
FLAT = 1e-3
"""Grey. A range below it is no picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Enlarged:
    """pixels: (rows, columns) uint8, stretched to 0..255. factor: pixels per cell."""

    pixels: NDArray[np.uint8]
    factor: int

    def to_cells(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixel coordinates to cells; in both the centre of the top-left one is (0, 0)."""
        cells: NDArray[np.float64] = (points + 0.5) / self.factor - 0.5
        return cells


def smooth(
    image: NDArray[np.float32], noise: float, settings: Settings, blur: float | None = None
) -> NDArray[np.float32]:
    """The map after the filters that the settings name, (rows, columns) grey. blur: in the place of theirs."""
    out = wiener(image, noise).astype(np.float32) if settings.wiener else image
    return blurred(out, settings.blur if blur is None else blur)


def thinned(points: NDArray[np.float64], distance: float) -> NDArray[np.intp]:
    """Indices of the points (n, 2), strongest first, that are not nearer than `distance` to a stronger one kept."""
    alive = np.ones(len(points), np.bool_)
    for i in range(len(points) if distance > 0 else 0):
        if alive[i]:
            alive[i + 1 :] &= np.linalg.norm(points[i + 1 :] - points[i], axis=1) >= distance
    return np.flatnonzero(alive)


def blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian of standard deviation sigma in cells, out to four of them; borders reflect."""
    if sigma <= 0:
        return image
    width = 2 * round(4 * sigma) + 1
    return cv2.GaussianBlur(image, (width, width), sigma, borderType=cv2.BORDER_REFLECT).astype(np.float32, copy=False)


def enlarge(image: NDArray[np.float32], side: int) -> Enlarged | None:
    """Cubic, by a whole factor so that the shorter side has about `side` pixels; None for a flat map."""
    low, high = np.percentile(image, PERCENTILES)
    if high - low < FLAT:
        return None
    factor = max(1, round(side / min(image.shape)))
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return Enlarged(np.clip((large - low) * (255 / (high - low)), 0, 255).astype(np.uint8), factor)
