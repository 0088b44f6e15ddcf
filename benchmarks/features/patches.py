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
    scales = {float(sigma): _smooth(source.image, float(sigma)) for sigma in np.unique(corners.sigma)}
    rows = [
        _patch(scales[float(sigma)], point, float(sigma))
        for point, sigma in zip(corners.points, corners.sigma, strict=True)
    ]
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
        descriptors=unsigned_bytes(np.array(rows, np.int8).reshape(-1, COMPONENTS)),
        vector=quantise_vector(grid_vector(denoise(source))),
        noise=source.noise,
        fused=list(source.fused),
    )


def _smooth(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(image, (0, 0), 0.8 * sigma, borderType=cv2.BORDER_REFLECT)
    return smooth.astype(np.float32)


def _patch(smooth: NDArray[np.float32], point: NDArray[np.float64], sigma: float) -> NDArray[np.int8]:
    along = (np.arange(SIDE) - (SIDE - 1) / 2) * 0.8 * sigma
    grid_x, grid_y = np.meshgrid(point[0] + along, point[1] + along)
    samples = cv2.remap(
        smooth, grid_x.astype(np.float32), grid_y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    dct = dct_matrix(SIDE)
    picked = (dct @ samples @ dct.T).ravel()[zigzag(SIDE, SIDE)[1 : COMPONENTS + 1]]
    unit = picked / max(float(np.linalg.norm(picked)), 1e-6)
    row: NDArray[np.int8] = np.clip(np.rint(unit * 127 / 0.5), -127, 127).astype(np.int8)
    return row
