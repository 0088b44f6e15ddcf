"""Peers that look for points in a response of their own at several scales, and describe what lies around them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches
from benchmarks.features.peers import matching
from benchmarks.features.peers.maxima import Found, Response, maxima, shared_out
from benchmarks.features.peers.opencv import NO_VECTOR, nothing, rooted
from benchmarks.features.peers.prepare import FLAT, smooth, thinned
from benchmarks.features.peers.settings import Settings

STEPS = (1.0, 1.6, 2.4)
"""Scales over the smallest."""
SIFT_SIGMA = 1.6
SIFT_LAYERS = 3
GREY = 255.0
Image = NDArray[np.float32]
Descriptors = NDArray[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class Large:
    """image: (rows, columns) float32, a map in grey, enlarged by `factor`. scales: in pixels of it."""

    image: Image
    factor: int
    scales: Sequence[float]


Respond = Callable[[Large, Settings], list[Response]]
Draw = Callable[[Large, Found, Settings], Descriptors]


class ScalePeer:
    """One detector and one descriptor. `blur` is the detector's smallest scale: it smooths by itself."""

    def __init__(self, name: str, settings: Settings, respond: Respond, draw: Draw, width: int) -> None:
        """Make the method.

        Args:
            name: in tables.
            settings: what was tuned.
            respond: a response (rows, columns) for every scale, largest where a point should be.
            draw: the descriptors (n, width) of found points.
            width: of a descriptor.
        """
        self.name = name
        self.packed_bits = False
        self.settings = settings
        self._respond = respond
        self._draw = draw
        self._width = width

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        settings = self.settings
        large = enlarged(image, noise, settings)
        if large is None:
            return nothing(self._width, np.float64)
        found = maxima(self._respond(large, settings), large.scales)
        found = found.chosen(thinned(found.points, settings.thin * large.factor))
        found = found.chosen(shared_out(found, settings.most))
        if not len(found.points):
            return nothing(self._width, np.float64)
        cells = (found.points + 0.5) / large.factor - 0.5
        return Described(cells, self._draw(large, found, settings), NO_VECTOR, found.scale / large.factor)

    def match(self, a: Described, b: Described) -> Matches:
        return matching.match(a, b, packed_bits=False, apart=self.settings.apart, margin=self.settings.margin)


def enlarged(image: NDArray[np.float32], noise: float, settings: Settings) -> Large | None:
    """The map, denoised where the settings say so, cubic; None for a flat one."""
    source = smooth(image, noise, settings, blur=0.0)
    if float(np.ptp(source)) < FLAT:
        return None
    factor = max(1, round(settings.side / min(image.shape)))
    large = cv2.resize(source, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return Large(large, factor, [max(settings.blur, 0.3) * step * factor for step in STEPS])


def sampled(plane: Image, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The plane between its pixels at places (n, m, 2), x and y: (n, m), bilinear; borders reflect."""
    x, y = (np.ascontiguousarray(places[..., axis], np.float32) for axis in (0, 1))
    out = cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return out.astype(np.float64)


def gauss(image: NDArray[np.float32], sigma: float) -> Image:
    """Out to three standard deviations; borders reflect."""
    width = 2 * max(1, round(3 * sigma)) + 1
    return cv2.GaussianBlur(image, (width, width), sigma, borderType=cv2.BORDER_REFLECT).astype(np.float32, copy=False)


def logarithm(image: Image, offset: float) -> Image:
    """log(x + offset) of grey as a part of 255; with a large offset, nearly linear."""
    logged: Image = np.log(np.maximum(image / GREY, 0) + offset).astype(np.float32)
    return logged


def log_harris(large: Large, settings: Settings) -> list[Response]:
    """The smaller eigenvalue of the structure tensor of the logarithm: Shi and Tomasi, CVPR 1994, on a log image."""
    logged = logarithm(large.image, settings.offset)
    out = []
    for scale in large.scales:
        g = gauss(logged, scale)
        gx, gy = (scale * cv2.Sobel(g, cv2.CV_32F, *axes, ksize=3, scale=1 / 8) for axes in ((1, 0), (0, 1)))
        a, b, c = (gauss(product, 1.2 * scale) for product in (gx * gx, gy * gy, gx * gy))
        out.append(((a + b) / 2 - np.sqrt(((a - b) / 2) ** 2 + c**2)).astype(np.float32))
    return out


def blobs(large: Large, settings: Settings) -> list[Response]:
    """σ⁴ times the determinant of the Hessian (Lindeberg, IJCV 1998): positive on blobs, bright or dark."""
    logged = logarithm(large.image, settings.offset)
    out = []
    for scale in large.scales:
        g = gauss(logged, scale)
        xx, yy, xy = (cv2.Sobel(g, cv2.CV_32F, *axes, ksize=3) for axes in ((2, 0), (0, 2), (1, 1)))
        # Sobel's second derivatives carry a factor of 4, the mixed one of 4 too.
        out.append((scale**4 / 16 * (xx * yy - xy**2)).astype(np.float32))
    return out


def upright_sift(large: Large, found: Found, settings: Settings) -> Descriptors:
    """RootSIFT at the found points with angle 0; a bin is 3 · reach · scale wide.

    Each point names the octave and layer of SIFT's own pyramid that its size belongs to, as its detector would.
    """
    low, high = np.percentile(large.image, (0.5, 99.5))
    pixels = np.clip((large.image - low) * (GREY / max(high - low, FLAT)), 0, GREY).astype(np.uint8)
    points = [_keypoint(x, y, settings.reach * scale) for (x, y), scale in zip(found.points, found.scale, strict=True)]
    kept, descriptors = cv2.SIFT.create().compute(pixels, points)
    if len(kept) != len(points):
        raise RuntimeError(f"SIFT described {len(kept)} of {len(points)} points")
    return rooted(descriptors)


def _keypoint(x: float, y: float, sigma: float) -> cv2.KeyPoint:
    steps = max(SIFT_LAYERS * np.log2(max(sigma, 1e-3) / SIFT_SIGMA), 0)
    octave, layer = divmod(max(round(steps) - 1, 0), SIFT_LAYERS)
    return cv2.KeyPoint(float(x), float(y), 2 * sigma, 0.0, 1.0, int(octave) | (int(layer) + 1) << 8)


PATCH = 8


def patch(large: Large, found: Found, settings: Settings) -> Descriptors:
    """8 x 8 samples over 12 · reach · scale, smoothed by half their distance, without mean, of unit length."""
    out = np.empty((len(found.points), PATCH**2))
    offsets = (np.stack(np.meshgrid(np.arange(PATCH), np.arange(PATCH)), axis=-1) - (PATCH - 1) / 2) / PATCH
    for level in np.unique(found.level):
        here = np.flatnonzero(found.level == level)
        size = 12 * settings.reach * large.scales[level]
        smoothed = gauss(large.image, size / PATCH / 2)
        around = found.points[here][:, None] + size * offsets.reshape(1, -1, 2)
        samples = sampled(smoothed, around)
        centred = samples - samples.mean(axis=1, keepdims=True)
        out[here] = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    return out


def patch_or_sift(large: Large, found: Found, settings: Settings) -> Descriptors:
    """As `patch` says, in the first 64 of 128 places, or as SIFT does."""
    if not settings.patch:
        return upright_sift(large, found, settings)
    small = patch(large, found, settings)
    return np.concatenate([small, np.zeros_like(small)], axis=1)
