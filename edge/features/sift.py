"""SIFT on the denoised map (Lowe, IJCV 2004), in coordinates of the frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.features.fineness import carries_keypoints
from wire.schema import MAX_KEYPOINTS

UPSAMPLED_PIXEL = 2
"""Frame pixels per pixel of the upsampled map: a factor of 8 for cells of 16, of 4 for cells of 8."""
LARGEST_FACTOR = 8
"""Upsampling further adds pixels but no detail."""
CONTRAST = 0.02
"""SIFT's contrast threshold, on the scale where the map's spread is 1."""
PERCENTILES = (0.5, 99.5)
"""What is stretched to the full range before SIFT."""

Keypoints = tuple[NDArray[np.float32], NDArray[np.uint8]]


def contrast(image: NDArray[np.float32]) -> float:
    """How many grey are stretched to the full range before SIFT, whose responses are parts of it."""
    low, high = np.percentile(image, PERCENTILES)
    return float(high - low)


def detect(image: NDArray[np.float32], cell: int) -> Keypoints:
    """Find and describe at most 256 keypoints, strongest first.

    Pixel centres: the centre of the frame's top-left pixel is (0, 0), so the centre of cell (i, j) is at
    ((j + 1/2) · cell - 1/2, (i + 1/2) · cell - 1/2).

    Args:
        image: (rows, columns), the denoised map in grey.
        cell: side of a cell in frame pixels.

    Returns:
        keypoints (n, 5) float32 [x, y, diameter, angle, response] in frame pixels and degrees in [0, 360), and
        their descriptors (n, 128) uint8. Empty for a flat map and for a grid that is too coarse.
    """
    low, high = np.percentile(image, PERCENTILES)
    rows, columns = image.shape
    if not carries_keypoints(rows, columns, cell) or high - low < 1e-3:
        return np.empty((0, 5), np.float32), np.empty((0, 128), np.uint8)
    factor = min(LARGEST_FACTOR, max(1, cell // UPSAMPLED_PIXEL))
    enlarged = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    stretched = np.clip((enlarged - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    # Without precise upscaling OpenCV's SIFT puts every keypoint 0.25 pixel to the right and below (measured on blobs).
    sift = cv2.SIFT.create(contrastThreshold=CONTRAST, enable_precise_upscale=True)
    found, descriptors = sift.detectAndCompute(stretched, None)
    if descriptors is None:
        return np.empty((0, 5), np.float32), np.empty((0, 128), np.uint8)
    scale = cell / factor
    keypoints = np.array(
        [
            ((p.pt[0] + 0.5) * scale - 0.5, (p.pt[1] + 0.5) * scale - 0.5, p.size * scale, p.angle % 360, p.response)
            for p in found
        ],
        np.float32,
    )
    strongest = np.argsort(-keypoints[:, 4], kind="stable")[:MAX_KEYPOINTS]
    return keypoints[strongest], to_bytes(descriptors[strongest])


def to_bytes(descriptors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """RootSIFT (Arandjelovic and Zisserman, CVPR 2012): Euclid between roots is Hellinger between histograms."""
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    rooted: NDArray[np.uint8] = np.clip(np.rint(512 * np.sqrt(descriptors / total)), 0, 255).astype(np.uint8)
    return rooted
