"""What the lattice and the network bring, each without the other.

`lattice rootsift`: the product's lattice, described by upright RootSIFT on the denoised map. `corners network`: the
product's network at the points of a detector of curvature (edge/features/corners.py) instead of the lattice.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches
from benchmarks.features.peers import matching
from benchmarks.features.peers.maxima import Found
from benchmarks.features.peers.opencv import NO_VECTOR, nothing
from benchmarks.features.peers.scales import enlarged, upright_sift
from benchmarks.features.peers.settings import Settings
from edge.features import corners, lattice
from edge.features.learned import described, read, steps
from models.load import load
from wire.features import signed_bytes

EXPECTED_FALSE = 4.0
APART = 3.0
"""Cells around the nearest within which there are no rivals: neighbours on the lattice show nearly the same."""
SIFT_SCALES = ((15.0, 0.7), (30.0, 1.0), (255.0, 1.4))
"""Up to this noise in grey, the scale in cells of RootSIFT: the best of five on tuning photographs."""


class LatticeSift:
    """The lattice without the network."""

    name = "lattice rootsift"
    packed_bits = False

    def __init__(self, scale: float | None = None) -> None:
        """scale: in cells, in the place of what SIFT_SCALES says."""
        self._scale = scale

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        settings = Settings(wiener=True, side=240, reach=1.0)
        large = enlarged(image, noise, settings)
        found = lattice.find(image, noise, expected_false=EXPECTED_FALSE)
        if large is None or not len(found.points):
            return nothing(128, np.float64)
        scale = self._scale or next(scale for most, scale in SIFT_SCALES if noise <= most)
        at = (found.points + 0.5) * large.factor - 0.5
        count = len(at)
        drawn = Found(at, np.full(count, scale * large.factor), found.strength, np.zeros(count, np.intp))
        return Described(found.points, upright_sift(large, drawn, settings), NO_VECTOR)

    def match(self, a: Described, b: Described) -> Matches:
        return matching.match(a, b, packed_bits=False, apart=APART, margin=0.0)


class CornersNetwork:
    """The network without the lattice."""

    name = "corners network"
    packed_bits = False

    def __init__(self) -> None:
        """Load the product's network."""
        self._model = load("learned-1")
        self._scale = self._model.manifest.outputs[0].scale or 1.0

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        rows, columns = image.shape
        local, _ = self._model.run(read(image, noise, self._model.manifest.multiple).planes)
        whole = steps(local[0, :, :rows, :columns], self._scale)
        found = corners.find(image, noise, expected_false=EXPECTED_FALSE)
        # The four cells around each point, as the four cells of a block are around its middle.
        first = np.clip(np.floor(found.points).astype(np.intp), 0, (columns - 2, rows - 2))
        parts = [
            described(whole[:, y:, x:], (first[k : k + 1, ::-1] - (y, x)) // 2) for k, (x, y) in enumerate(first % 2)
        ]
        numbers = np.concatenate(parts) if parts else np.empty((0, 32), np.uint8)
        return Described(found.points, signed_bytes(numbers).astype(np.float64), NO_VECTOR)

    def match(self, a: Described, b: Described) -> Matches:
        return matching.match(a, b, packed_bits=False, apart=0.0, margin=0.0)


def ablations() -> Mapping[str, Callable[[int, float], LatticeSift | CornersNetwork]]:
    """By name, for the line-up."""
    return {
        LatticeSift.name: lambda _cell, _noise: LatticeSift(),
        CornersNetwork.name: lambda _cell, _noise: CornersNetwork(),
    }
