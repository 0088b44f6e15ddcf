"""A describer without a model: corners, and blurred patches on low DCT components. For trying the matcher out."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.features.corners import find
from edge.features.denoise import dct_matrix, denoise
from edge.features.map import Map
from edge.features.vector import grid_vector, zigzag
from wire.features import quantise, quantise_vector, unsigned_bytes
from wire.schema import Features

METHOD = "patches/1"
SIDE = 8
COMPONENTS = 32


def describe(source: Map) -> Features:
    """Corners; patches of 8 x 8 samples, 6.4 scales wide, smoothed by 0.8 scale; 32 components as signed bytes."""
    corners = find(source.image, source.noise, expected_false=1.0)
    rows = np.zeros((len(corners.points), COMPONENTS), np.int8)
    for sigma in np.unique(corners.sigma):
        here = corners.sigma == sigma
        rows[here] = _patches(source.image, corners.points[here], float(sigma))
    return Features(
        method=METHOD,
        width=source.width,
        height=source.height,
        keypoints=quantise(
            corners.points,
            2 * corners.sigma,
            corners.strength,
            corners.spread,
            cell=source.cell,
            width=source.width,
            height=source.height,
        ),
        descriptors=unsigned_bytes(rows),
        vector=quantise_vector(grid_vector(denoise(source))),
        noise=source.noise,
        fused=list(source.fused),
    )


def _patches(image: NDArray[np.float32], points: NDArray[np.float64], sigma: float) -> NDArray[np.int8]:
    smooth = cv2.GaussianBlur(image, (0, 0), 0.8 * sigma, borderType=cv2.BORDER_REFLECT)
    along = (np.arange(SIDE) - (SIDE - 1) / 2) * 0.8 * sigma
    x = points[:, 0, None, None] + along[None, None] + np.zeros((1, SIDE, 1))
    y = points[:, 1, None, None] + along[None, :, None] + np.zeros((1, 1, SIDE))
    flat = [side.reshape(-1, SIDE).astype(np.float32) for side in (x, y)]
    samples = cv2.remap(smooth, flat[0], flat[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    dct = dct_matrix(SIDE)
    spectra = (dct @ samples.reshape(-1, SIDE, SIDE) @ dct.T).reshape(-1, SIDE * SIDE)
    picked = spectra[:, zigzag(SIDE, SIDE)[1 : COMPONENTS + 1]]
    unit = picked / np.maximum(np.linalg.norm(picked, axis=1, keepdims=True), 1e-6)
    told: NDArray[np.int8] = np.clip(np.rint(unit * 127 / 0.5), -127, 127).astype(np.int8)
    return told
