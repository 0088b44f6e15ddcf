"""The product's describers as lines of the tables, in the bytes that travel, with the collector's matching."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches
from benchmarks.features.peers import matching
from collector.match import calibration
from collector.match.nearest import held
from collector.match.verdict import RIGHT
from collector.match.view import View, view
from collector.match.weigh import weigh
from edge.features import corners
from edge.features.describe import NETWORK, Describer, describer
from edge.features.map import Map
from edge.sections import FeaturesSettings
from wire.schema import Features


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """What the collector has of one map."""

    features: Features
    view: View


class Ours:
    """A describer behind the wire.

    With `weighed`, matches are those that the collector says agree, being likelier right than wrong, and their
    score is that probability: it knows of the geometry, and some of the matches are there because it looked for
    them. Without it, they are the mutual nearest neighbours by likelihood alone, as the peers' are by distance, and
    the score is the margin in nats. Where no calibration of the describer is shipped, neighbours are by Euclidean
    distance, as the peers'. Vectors are said without `weighed` only: they are the same.
    """

    packed_bits = False

    def __init__(
        self,
        name: str,
        describer: Describer,
        cell: int,
        *,
        weighed: bool = False,
        known: Sequence[calibration.Calibration] | None = None,
    ) -> None:
        """Take a describer.

        Args:
            name: in tables.
            describer: what is measured.
            cell: side of a cell in frame pixels.
            weighed: whether the collector's geometry and calibration speak.
            known: calibrations to choose from; the shipped ones where not given.
        """
        self.name = name
        self._describer = describer
        self._cell = cell
        self._weighed = weighed
        self._known = None if known is None else tuple(known)

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        rows, columns = image.shape
        size = {"width": columns * self._cell, "height": rows * self._cell}
        source = Map(image=image.copy(), noise=noise, cell=self._cell, fused=(1,), **size)
        features = self._describer.describe(source)
        seen = view(features, cell=self._cell)
        sent = Sent(features, seen)
        if self._weighed:
            return Described(seen.points, np.empty((len(seen.points), 0)), np.empty(0), sent)
        return Described(seen.points, seen.descriptors, seen.vector, sent)

    def match(self, a: Described, b: Described) -> Matches:
        one, two = a.more, b.more
        if not isinstance(one, Sent) or not isinstance(two, Sent):
            raise TypeError("these were described by another method")
        fitted = calibration.find(one.features, self._known)
        if fitted is None:
            return matching.match(a, b, packed_bits=False, apart=0.0, margin=0.0)
        if self._weighed:
            weighed = weigh(one.view, two.view, fitted)
            said = weighed.right >= RIGHT
            return Matches(weighed.pairs[said], weighed.right[said], weighed.first[said], weighed.second[said])
        found = held(one.view, two.view, fitted.whitening, fitted.sharpness).candidates()
        return Matches(found.pairs, found.margin, found.first, found.second)


def learned() -> Mapping[str, Callable[[int, float], Ours]]:
    """The network that the product ships, under a name for each way of matching that its collector has for it."""
    made = lru_cache(maxsize=1)(lambda: describer(FeaturesSettings(method="learned", fallback="none")))

    def named(name: str, *, weighed: bool) -> Callable[[int, float], Ours]:
        return lambda cell, _noise: Ours(name, made(), cell, weighed=weighed)

    out = {NETWORK: named(NETWORK, weighed=False)}
    if any(one.method == NETWORK for one in calibration.shipped()):
        name = f"{NETWORK} weighed"
        out[name] = named(name, weighed=True)
    return out


class PointsOnly:
    """A detector without descriptors: repeatability is all there is to measure."""

    packed_bits = False

    def __init__(self, name: str, find: Callable[[NDArray[np.float32], float], NDArray[np.float64]]) -> None:
        """Take a detector. find: of points (n, 2) in cells, strongest first, from an image and its noise."""
        self.name = name
        self._find = find

    def describe(self, image: NDArray[np.float32], noise: float) -> Described:
        points = self._find(image, noise)
        return Described(points, np.empty((len(points), 0), np.float32), np.empty(0))

    def match(self, a: Described, b: Described) -> Matches:  # noqa: ARG002  # the door's form
        return Matches(np.empty((0, 2), np.intp), np.empty(0))


def detector(expected_false: float = 1.0) -> PointsOnly:
    """edge/features/corners.py with one false point expected on a map of noise alone."""

    def find(image: NDArray[np.float32], noise: float) -> NDArray[np.float64]:
        return corners.find(image, noise, expected_false=expected_false).points

    return PointsOnly("corners", find)
