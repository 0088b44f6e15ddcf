"""What any method must beat: points and descriptors without an image, and a thumbnail without points."""

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches
from benchmarks.features.peers import matching
from benchmarks.features.peers.prepare import blurred

THUMBNAIL = 8
DIMENSIONS = 128


class RandomPoints:
    """Points anywhere with descriptors of any direction: what chance gives to as many points as the others have."""

    def __init__(self, seed: int = 0, most: int = 256) -> None:
        """Draw with this seed and what the image holds, so that one map always gets the same points."""
        self.name = "random"
        self.packed_bits = False
        self._seed = seed
        self._most = most

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:  # noqa: ARG002  # the door's signature
        digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
        rng = np.random.default_rng([self._seed, int.from_bytes(digest[:8], "big")])
        rows, columns = image.shape
        points = rng.uniform((-0.5, -0.5), (columns - 0.5, rows - 0.5), (self._most, 2))
        return Described(points, rng.standard_normal((self._most, DIMENSIONS)), np.empty(0))

    def match(self, a: Described, b: Described) -> Matches:
        return matching.match(a, b, packed_bits=False, apart=0.0, margin=0.0)


class Thumbnail:
    """The map blurred and reduced to 8 x 8 cells by areas, without its mean, of unit length; no points."""

    def __init__(self, blur: float = 1.0) -> None:
        """blur: standard deviation in cells of the map."""
        self.name = "thumbnail"
        self.packed_bits = False
        self._blur = blur

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:  # noqa: ARG002  # the door's signature
        small = cv2.resize(blurred(image, self._blur), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        vector = small.astype(np.float64).ravel()
        vector -= vector.mean()
        length = float(np.linalg.norm(vector))
        unit = vector / length if length > 1e-9 else np.zeros(vector.shape)
        return Described(np.empty((0, 2)), np.empty((0, DIMENSIONS)), unit)

    def match(self, a: Described, b: Described) -> Matches:
        return matching.match(a, b, packed_bits=False, apart=0.0, margin=0.0)
