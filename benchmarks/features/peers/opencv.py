"""SIFT, RootSIFT, ORB, AKAZE and BRISK as OpenCV has them, on the map made smooth and large."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches
from benchmarks.features.peers import matching
from benchmarks.features.peers.prepare import enlarge, smooth, thinned
from benchmarks.features.peers.settings import Settings

ORB_STEP = 1.2
NO_VECTOR = np.empty(0, np.float64)
Make = Callable[[Settings], Any]
Made = Callable[[Settings], "OpenCvPeer"]
Descriptors = NDArray[np.generic]


def nothing(width: int, dtype: type[np.generic]) -> Described:
    """What is said of a map without points."""
    return Described(np.empty((0, 2)), np.empty((0, width), dtype), NO_VECTOR)


def sift(settings: Settings) -> Any:
    """Lowe, IJCV 2004; contrast on the scale where the map's spread is 1.

    Without precise upscaling OpenCV puts every point 0.25 pixel to the right and below.
    """
    return cv2.SIFT.create(
        nOctaveLayers=settings.layers,
        contrastThreshold=settings.contrast,
        edgeThreshold=settings.edge,
        enable_precise_upscale=True,
    )


def orb(settings: Settings) -> Any:
    """Rublee, Rabaud, Konolige and Bradski, ICCV 2011; contrast is the FAST threshold in grey of 255."""
    return cv2.ORB.create(
        nfeatures=4 * settings.most,
        scaleFactor=ORB_STEP,
        nlevels=8,
        edgeThreshold=1,  # its pyramid reflects borders by itself,
        fastThreshold=max(1, round(settings.contrast)),
    )


def akaze(settings: Settings) -> Any:
    """Alcantarilla, Nuevo and Bartoli, BMVC 2013; contrast is the threshold on the determinant of the Hessian."""
    kind = cv2.AKAZE_DESCRIPTOR_MLDB_UPRIGHT if settings.upright else cv2.AKAZE_DESCRIPTOR_MLDB
    return cv2.AKAZE.create(descriptor_type=kind, threshold=settings.contrast)


def brisk(settings: Settings) -> Any:
    """Leutenegger, Chli and Siegwart, ICCV 2011; contrast is the AGAST threshold in grey of 255."""
    return cv2.BRISK.create(max(1, round(settings.contrast)), 4, 1.0)


def rooted(descriptors: Descriptors) -> Descriptors:
    """Arandjelovic and Zisserman, CVPR 2012: L1, then the square root."""
    values = descriptors.astype(np.float64)
    root: Descriptors = np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1e-9))
    return root


class OpenCvPeer:
    """One of OpenCV's detectors with its own descriptor."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        make: Make,
        *,
        packed_bits: bool,
        root: bool = False,
        turn: bool = True,
        pad: int = 0,
    ) -> None:
        """Make the detector.

        Args:
            name: in tables.
            settings: what was tuned.
            make: of the detector.
            packed_bits: whether descriptors are bits.
            root: whether SIFT's descriptors become RootSIFT's.
            pad: pixels that the border is reflected by, for detectors that lose what lies near it.
            turn: whether `upright` sets the angle of a found point to 0; AKAZE has a descriptor of its own for that.
        """
        self.name = name
        self.packed_bits = packed_bits
        self.settings = settings
        self._detector = make(settings)
        self._root = root
        self._turn = turn
        self._is_orb = make is orb
        self._pad = pad

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        large = enlarge(smooth(image, noise, self.settings), self.settings.side)
        if large is None:
            return self._nothing()
        pad = self._pad
        padded = cv2.copyMakeBorder(large.pixels, pad, pad, pad, pad, cv2.BORDER_REFLECT)
        found = self._inside(self._detector.detect(padded, None), large.pixels.shape)
        strongest = sorted(found, key=lambda point: -point.response)
        places = np.array([point.pt for point in strongest], np.float64).reshape(-1, 2)
        kept = thinned(places, self.settings.thin * large.factor)[: self.settings.most]
        points, descriptors = self._detector.compute(padded, [strongest[i] for i in kept])
        if descriptors is None or not len(points):
            return self._nothing()
        # ORB scales the corner of a level to that of the image: its points lie half the difference in pixels too low.
        low = [(ORB_STEP**point.octave - 1) / 2 if self._is_orb else 0 for point in points]
        order = np.argsort([-point.response for point in points], kind="stable")
        places = np.array([point.pt for point in points], np.float64)[order] - pad + np.array(low)[order, None]
        values = rooted(descriptors) if self._root else descriptors
        sizes = np.array([point.size for point in points])[order] / large.factor
        return Described(large.to_cells(places), values[order], NO_VECTOR, sizes)

    def match(self, a: Described, b: Described) -> Matches:
        settings = self.settings
        return matching.match(a, b, packed_bits=self.packed_bits, apart=settings.apart, margin=settings.margin)

    def _inside(self, found: Sequence[Any], shape: tuple[int, ...]) -> list[Any]:
        (rows, columns), low = shape, self._pad - 0.5
        inside = [p for p in found if low <= p.pt[0] < low + columns and low <= p.pt[1] < low + rows]
        return upright(inside) if self.settings.upright and self._turn else inside

    def _nothing(self) -> Described:
        return nothing(self._detector.descriptorSize(), np.uint8 if self.packed_bits else np.float64)


def upright(found: Sequence[Any]) -> list[Any]:
    """Each place and size once, with the angle 0."""
    kept: dict[tuple[float, float, float], Any] = {}
    for point in found:
        kept.setdefault((*point.pt, point.size), point)
    for point in kept.values():
        point.angle = 0.0
    return list(kept.values())


def product(settings: Settings) -> OpenCvPeer:
    """Today's edge/features: DCT-Wiener and RootSIFT at a contrast of 0.02, enlarged to half the frame's pixels."""
    fixed = replace(settings, wiener=True, blur=0.0, contrast=0.02, upright=False, apart=0.0, most=256)
    return OpenCvPeer("sift-dctwiener", fixed, sift, packed_bits=False, root=True)
