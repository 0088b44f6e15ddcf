"""SAR-Harris and a GLOH of ratio gradients: Dellinger, Delon, Gousseau, Michel and Tupin, SAR-SIFT, IEEE TGRS 2015."""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.peers.maxima import Found, Response
from benchmarks.features.peers.scales import GREY, Descriptors, Image, Large, gauss, sampled
from benchmarks.features.peers.settings import Settings

TRACE = 0.04
"""The weight of the squared trace (Harris and Stephens, 1988)."""
DIRECTIONS = 8
SECTORS = 8
RINGS = (0.49, 0.86)
"""Middles of the two rings of GLOH as parts of its radius, whose rings end at 0.25, 0.73 and 1."""
WIDTH = (1 + len(RINGS) * SECTORS) * DIRECTIONS
RADIUS = 6
"""Of the descriptor, times reach times scale, so that reach 1 spans what SIFT's 12 σ do."""


def ratio_gradients(image: Image, scale: float, offset: float) -> tuple[Image, Image]:
    """The logarithm of the ratio of exponentially weighted means on the two sides of a pixel, in x and in y.

    Weights exp(-|d| / scale), out to three times the scale (Fjørtoft, Lopès, Marthon and Cubero-Castan's ROEWA, 1998).
    The offset is added to the means, as a part of 255: where noise is additive, ratios of dark means are all noise.
    """
    half = max(1, round(3 * scale))
    t = np.arange(-half, half + 1)
    both = np.exp(-np.abs(t) / scale).astype(np.float32)
    after = np.where(t > 0, both, 0).astype(np.float32)
    both, after = both / both.sum(), after / after.sum()

    def mean(x: NDArray[np.float32], y: NDArray[np.float32]) -> Image:
        filtered = cv2.sepFilter2D(image, cv2.CV_32F, x, y, borderType=cv2.BORDER_REFLECT)
        above: Image = np.maximum(filtered / GREY, 0).astype(np.float32) + np.float32(offset)
        return above

    before = np.ascontiguousarray(after[::-1])
    gx = np.log(mean(after, both) / mean(before, both))
    gy = np.log(mean(both, after) / mean(both, before))
    return gx.astype(np.float32), gy.astype(np.float32)


def sar_harris(large: Large, settings: Settings) -> list[Response]:
    """det C - 0.04 tr² C, with C the ratio gradients' products under a Gaussian of √2 times the scale."""
    out = []
    for scale in large.scales:
        gx, gy = ratio_gradients(large.image, scale, settings.offset)
        a, b, c = (gauss(product, np.sqrt(2) * scale) for product in (gx * gx, gy * gy, gx * gy))
        out.append((a * b - c**2 - TRACE * (a + b) ** 2).astype(np.float32))
    return out


def ratio_gloh(large: Large, found: Found, settings: Settings) -> Descriptors:
    """Histograms of ratio gradients in eight directions, in a disc and two rings of eight sectors, upright.

    (n, 136): L1, then the square root. A sector is a Gaussian around its middle, not a sharp cell.
    """
    out = np.empty((len(found.points), WIDTH))
    for level in np.unique(found.level):
        here = np.flatnonzero(found.level == level)
        scale = large.scales[level]
        gx, gy = ratio_gradients(large.image, scale, settings.offset)
        radius = RADIUS * settings.reach * scale
        out[here] = np.concatenate(
            [_around(plane, found.points[here], radius) for plane in _directions(gx, gy)],
            axis=1,
        )
    values = out / np.maximum(out.sum(axis=1, keepdims=True), 1e-9)
    root: Descriptors = np.sqrt(values)
    return root


def _directions(gx: Image, gy: Image) -> list[Image]:
    """The magnitude, shared between the two nearest of eight directions."""
    turn = np.mod(np.arctan2(gy, gx) / (2 * np.pi) * DIRECTIONS, DIRECTIONS)
    size = np.hypot(gx, gy)
    apart = [np.abs(np.mod(turn - k + DIRECTIONS / 2, DIRECTIONS) - DIRECTIONS / 2) for k in range(DIRECTIONS)]
    return [(size * np.maximum(0, 1 - off)).astype(np.float32) for off in apart]


def _around(plane: Image, points: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """(n, 17): the plane around each point, in the disc and in each sector."""
    angles = np.arange(SECTORS) * 2 * np.pi / SECTORS
    parts = [sampled(gauss(plane, 0.15 * radius), points[:, None])]
    for ring in RINGS:
        offsets = ring * radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        parts.append(sampled(gauss(plane, 0.2 * radius), points[:, None] + offsets))
    return np.concatenate(parts, axis=1)
