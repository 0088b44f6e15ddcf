"""The lines of every table, by name."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.ablations import ablations
from benchmarks.features.measure import Make
from benchmarks.features.method import Described, Matches
from benchmarks.features.ours import detector, learned
from benchmarks.features.peers import PEERS
from benchmarks.features.peers import learned as networks
from benchmarks.features.peers.controls import RandomPoints, Thumbnail
from edge.features.denoise import wiener
from edge.features.vector import grid_vector

RANDOM = "random"
THUMBNAIL = "thumbnail"
CONTROLS = (RANDOM, THUMBNAIL)


class GridVector:
    """The product's vector of low frequencies, without points."""

    name = "grid vector"
    packed_bits = False

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        vector = grid_vector(wiener(image, noise)).astype(np.float64)
        return Described(np.empty((0, 2)), np.empty((0, 1), np.float32), vector)

    def match(self, a: Described, b: Described) -> Matches:  # noqa: ARG002  # the door's form
        return Matches(np.empty((0, 2), np.intp), np.empty(0))


def line_up(weights: Mapping[str, Path | None] = MappingProxyType({})) -> Mapping[str, Make]:
    """All methods that can be made here, the controls last.

    weights: files of networks that are not kept here, by the names of peers/learned.py.
    """
    return {
        **learned(),
        **PEERS,
        **networks.learned(weights)[0],
        **ablations(),
        "corners": lambda _cell, _noise: detector(),
        "grid vector": lambda _cell, _noise: GridVector(),
        RANDOM: lambda _cell, _noise: RandomPoints(),
        THUMBNAIL: lambda _cell, _noise: Thumbnail(),
    }
