"""What every method of the comparison is to the benchmark: a map in, points and descriptors out, and how they match."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What a method says of one map.

    points: (n, 2) float64, x and y in cells; the centre of the top-left cell is (0, 0). Strongest first.
    descriptors: (n, d), of the method's own kind; only its `match` reads them.
    vector: (k,) float64 of unit length for the whole map, or empty where the method has none: then the benchmark makes
        a VLAD of `descriptors`, which are float or bits packed in uint8 (`Method.packed_bits`).
    """

    points: NDArray[np.float64]
    descriptors: NDArray[np.generic]
    vector: NDArray[np.float64]
    # Anything else that the method's own `match` wants to know, such as scales and position uncertainties.
    more: object = None


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of points that a method holds for the same.

    pairs: (m, 2) intp, indices into the two sets of points. score: (m,) float64, higher is surer. A threshold on the
    score is what the benchmark tunes where methods are compared at equal precision.
    first, second: (m, 2) where the matches lie in cells, for a method that learns more of that by matching; None: at
        the points themselves.
    """

    pairs: NDArray[np.intp]
    score: NDArray[np.float64]
    first: NDArray[np.float64] | None = None
    second: NDArray[np.float64] | None = None


class Method(Protocol):
    """One line of every table and plot."""

    name: str
    packed_bits: bool

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        """Describe a map. image: (rows, columns) grey. noise: standard deviation of one cell, in grey; 0: none."""
        ...

    def match(self, a: Described, b: Described) -> Matches:
        """Which points are the same. Without geometry: the benchmark verifies all methods with one estimator."""
        ...
