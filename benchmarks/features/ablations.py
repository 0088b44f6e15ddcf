"""What corners, lattice and network bring, each without the others.

`lattice rootsift`: the product's lattice, described by upright RootSIFT on the denoised map. `lattice network` and
`corners network`: the product's network at one kind of keypoint only.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches, Method
from benchmarks.features.peers import matching
from benchmarks.features.peers.maxima import Found
from benchmarks.features.peers.opencv import NO_VECTOR, nothing
from benchmarks.features.peers.scales import enlarged, upright_sift
from benchmarks.features.peers.settings import Settings
from edge.features import corners, lattice
from edge.features.learned import described, read, steps
from models.load import load
from wire.features import signed_bytes

Find = Callable[[NDArray[np.float32], float], NDArray[np.float64]]
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


class Network:
    """The network at the points of one detector."""

    packed_bits = False

    def __init__(self, name: str, find: Find, apart: float) -> None:
        """Load the product's network.

        Args:
            name: in tables.
            find: where to describe a map, from its image and noise: (n, 2) in cells.
            apart: cells around the nearest within which there are no rivals.
        """
        self.name = name
        self._find = find
        self._apart = apart
        self._model = load("learned-1")
        self._scale = self._model.manifest.outputs[0].scale or 1.0

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        rows, columns = image.shape
        local, _ = self._model.run(read(image, noise, self._model.manifest.multiple).planes)
        points = self._find(image, noise)
        numbers = described(steps(local[0, :, :rows, :columns], self._scale), points)
        return Described(points, signed_bytes(numbers).astype(np.float64), NO_VECTOR)

    def match(self, a: Described, b: Described) -> Matches:
        return matching.match(a, b, packed_bits=False, apart=self._apart, margin=0.0)


def on_lattice(image: NDArray[np.float32], noise: float) -> NDArray[np.float64]:
    """The product's blocks, without its corners."""
    return lattice.find(image, noise, expected_false=EXPECTED_FALSE).points


def on_corners(image: NDArray[np.float32], noise: float) -> NDArray[np.float64]:
    """The product's corners, without its blocks."""
    return corners.find(image, noise, expected_false=EXPECTED_FALSE).points


def ablations() -> Mapping[str, Callable[[int, float], Method]]:
    """By name, for the line-up."""
    return {
        LatticeSift.name: lambda _cell, _noise: LatticeSift(),
        "lattice network": lambda _cell, _noise: Network("lattice network", on_lattice, APART),
        "corners network": lambda _cell, _noise: Network("corners network", on_corners, 0.0),
    }
