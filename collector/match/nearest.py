"""Candidate matches: mutual nearest neighbours under a likelihood that knows the noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.match.calibration import Whitening
from collector.match.view import Floats, View

ROWS = 32
"""Keypoints of one map that are held against all of the other at a time: bounds the memory."""
GROUP = 16
"""Components whose 1 - ρ² are multiplied: each is at least 1e-16."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pairs of keypoints, each the other's nearest.

    pairs: (m, 2) indices. likelihood: (m,) nats by which the two descriptors speak for one point rather than two.
    margin: (m,) nats to the next best partner of either, at least 0; a partner that says nothing (0 nats) counts.
    """

    pairs: NDArray[np.intp]
    likelihood: Floats
    margin: Floats


def candidates(a: View, b: View, whitening: Whitening) -> Candidates:
    """The mutual nearest neighbours of two views, in the order of the first's keypoints."""
    if not len(a.points) or not len(b.points) or a.descriptors.shape[1] != b.descriptors.shape[1]:
        return Candidates(np.empty((0, 2), np.intp), np.empty(0), np.empty(0))
    ratio = likelihood_ratio(a, b, whitening)
    rows = np.arange(len(ratio))
    nearest = ratio.argmax(axis=1)
    mutual = rows[ratio.argmax(axis=0)[nearest] == rows]
    pairs = np.stack([mutual, nearest[mutual]], axis=1)
    best = ratio[pairs[:, 0], pairs[:, 1]]
    second = np.maximum(_second(ratio, axis=1)[pairs[:, 0]], _second(ratio, axis=0)[pairs[:, 1]])
    return Candidates(pairs, best, np.maximum(best - second, 0))


def likelihood_ratio(a: View, b: View, whitening: Whitening) -> Floats:
    """(n, m) log likelihood ratio, in nats: one point seen twice against two points.

    Each whitened component is standard normal; seen twice at strengths s and t its two values correlate by
    ρ = r(s)·r(t), r being the calibration's agreement, and those of two points do not. (Probabilistic linear
    discriminant analysis, Ioffe, ECCV 2006, with the noise known for each sample.)
    """
    x, along = _whitened(a, whitening)
    y, across = _whitened(b, whitening)
    parts = [_ratio(x[i : i + ROWS], along[i : i + ROWS], y, across) for i in range(0, len(x), ROWS)]
    return np.concatenate(parts)


def _whitened(view: View, whitening: Whitening) -> tuple[Floats, Floats]:
    components = (view.descriptors - np.array(whitening.mean)) @ np.array(whitening.basis).T
    deviation = whitening.at(whitening.deviation, view.strength)
    return components / deviation, whitening.at(whitening.agreement, view.strength)


def _ratio(x: Floats, along: Floats, y: Floats, across: Floats) -> Floats:
    correlation = along[:, None] * across[None]
    left = 1 - correlation**2
    # The logarithm of a product, in groups that cannot underflow: one logarithm per group costs less than one each.
    groups = range(0, left.shape[2], GROUP)
    logarithms = sum((np.log(left[:, :, k : k + GROUP].prod(axis=2)) for k in groups), np.zeros(left.shape[:2]))
    distance = correlation * (x[:, None] ** 2 + y[None] ** 2) - (2 * x)[:, None] * y[None]
    ratio: Floats = -0.5 * (logarithms + np.einsum("ijk,ijk->ij", distance, correlation / left))
    return ratio


def _second(ratio: Floats, axis: int) -> Floats:
    """The second largest along an axis, at least 0."""
    if ratio.shape[axis] < 2:
        return np.zeros(ratio.shape[1 - axis])
    ordered = np.partition(ratio, ratio.shape[axis] - 2, axis=axis)
    second: Floats = np.maximum(ordered.take(ratio.shape[axis] - 2, axis=axis), 0)
    return second
