"""Candidate matches: mutual nearest neighbours under a likelihood that knows the noise, and where they lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.match.calibration import Whitening
from collector.match.view import Floats, View

NEAR = 3.0
"""Cells around a keypoint in which others describe nearly the same place: no rivals, but they say where it lies."""
STEPS = 2
"""Strengths are rounded to so many steps per octave, so that whole groups share one correlation."""
FAINTEST, STRONGEST = -2.0, 6.0
"""Octaves between which strengths count."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs of keypoints that may be one.

    pairs: (m, 2) indices. likelihood: (m,) nats by which the two descriptors speak for one point rather than two.
    margin: (m,) nats to the next best partner of either beyond NEAR cells; a partner that says nothing (0 nats) counts.
    Negative only for pairs that are not each other's nearest. first, second: (m, 2) where they lie, in cells.
    """

    pairs: NDArray[np.intp]
    likelihood: Floats
    margin: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """All keypoints of one view held against all of another's. ratio: (n, m), see `likelihood_ratio`.

    sharpness: per nat, see `Calibration`.
    """

    a: View
    b: View
    ratio: Floats
    sharpness: float

    def candidates(self) -> Candidates:
        """The mutual nearest neighbours, in the order of the first's keypoints."""
        if not self.ratio.size:
            return self.chosen(np.empty((0, 2), np.intp))
        rows = np.arange(len(self.ratio))
        nearest = self.ratio.argmax(axis=1)
        mutual = rows[self.ratio.argmax(axis=0)[nearest] == rows]
        return self.chosen(np.stack([mutual, nearest[mutual]], axis=1))

    def chosen(self, pairs: NDArray[np.intp]) -> Candidates:
        """Any pairs (m, 2), as candidates."""
        i, j = pairs.T
        best = self.ratio[i, j]
        across, along = _close(self.b.points)[j], _close(self.a.points)[i]
        rows, columns = self.ratio[i], self.ratio[:, j].T
        second = np.maximum(_highest(rows, ~across), _highest(columns, ~along))
        # Each view says where the other's keypoint lies; the mean of both pairs of places is used.
        first, other = self.a.points[i], self.b.points[j]
        if self.sharpness:
            first = (first + _placed(self.sharpness * (columns - best[:, None]), along, self.a.points)) / 2
            other = (other + _placed(self.sharpness * (rows - best[:, None]), across, self.b.points)) / 2
        return Candidates(pairs, best, best - second, first, other)


def held(a: View, b: View, whitening: Whitening, sharpness: float = 0.0) -> Held:
    """Hold two views against each other.

    Raises:
        ValueError: a view's descriptors are not of the calibration's length.
    """
    return Held(a, b, likelihood_ratio(a, b, whitening), sharpness)


def likelihood_ratio(a: View, b: View, whitening: Whitening) -> Floats:
    """(n, m) log likelihood ratio, in nats: one point seen twice against two points.

    Each whitened component is standard normal; seen twice at strengths s and t its two values correlate by
    ρ = r(s)·r(t), r being the calibration's agreement, and those of two points do not. (Probabilistic linear
    discriminant analysis, Ioffe, ECCV 2006, with the noise known for each sample.)
    """
    if {a.descriptors.shape[1], b.descriptors.shape[1]} != {len(whitening.mean)}:
        raise ValueError(f"descriptors have not {len(whitening.mean)} components")
    ratio = np.zeros((len(a.points), len(b.points)))
    one, other = _grouped(a, whitening), _grouped(b, whitening)
    for x, along, rows in one:
        for y, across, columns in other:
            correlation = along * across
            left = 1 - correlation**2
            square, product = correlation**2 / (2 * left), correlation / left
            spoken = (x * product) @ y.T - (x**2 @ square)[:, None] - (y**2 @ square)[None]
            ratio[np.ix_(rows, columns)] = spoken - 0.5 * np.log(left).sum()
    return ratio


def _grouped(view: View, whitening: Whitening) -> list[tuple[Floats, Floats, NDArray[np.intp]]]:
    """Whitened components, agreement and indices of the keypoints of each rounded strength."""
    octaves = np.clip(np.log2(np.maximum(view.strength, 2**FAINTEST)), FAINTEST, STRONGEST)
    steps = np.rint(octaves * STEPS)
    components = (view.descriptors - np.array(whitening.mean)) @ np.array(whitening.basis).T
    kept, group = np.unique(steps, return_inverse=True)
    deviation, agreement = (
        whitening.at(table, 2 ** (kept / STEPS)) for table in (whitening.deviation, whitening.agreement)
    )
    members = [np.flatnonzero(group == index) for index in range(len(kept))]
    return [(components[rows] / deviation[k], agreement[k], rows) for k, rows in enumerate(members)]


def _close(points: Floats) -> NDArray[np.bool_]:
    """(n, n) which lie within NEAR of each other; each does of itself."""
    near: NDArray[np.bool_] = ((points[:, None] - points[None]) ** 2).sum(axis=2) <= NEAR**2
    return near


def _highest(ratio: Floats, which: NDArray[np.bool_]) -> Floats:
    """(m,) the largest of each row among some, at least 0."""
    highest: Floats = np.where(which, ratio, 0.0).max(axis=1, initial=0.0)
    return highest


def _placed(said: Floats, near: NDArray[np.bool_], points: Floats) -> Floats:
    """(m, 2) mean of the points near each best one, weighed by the exponential of what is said for them."""
    weight = np.where(near, np.exp(np.minimum(said, 50.0)), 0.0)
    mean: Floats = (weight @ points) / weight.sum(axis=1, keepdims=True)
    return mean
