"""How descriptors of one point scatter under noise, measured: the table that the collector whitens them with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.sightings import Sighting
from collector.match.calibration import Whitening
from collector.match.geometry import project
from collector.match.view import Floats, View

CLOSE = 0.7
"""Cells within which two keypoints count as one point."""
KNOTS = (1, 2, 4, 8, 16, 32, 63.75)
"""Strengths, in standard deviations of noise, that the scatter is measured around; the last is where bytes end."""
FEWEST = 100
"""Keypoints seen twice that a knot needs."""
MOST_AGREEING = 0.995


def together(a: View, b: View, truth: Floats, within: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Keypoints that are each other's nearest under the truth and closer than `within`, whatever they look like."""
    if not len(a.points) or not len(b.points):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    distance = np.linalg.norm(project(truth, a.points)[:, None] - b.points[None], axis=2)
    nearest = distance.argmin(axis=1)
    rows = np.arange(len(a.points))
    kept = rows[(distance.argmin(axis=0)[nearest] == rows) & (distance[rows, nearest] < within)]
    return kept, nearest[kept], distance[kept, nearest[kept]]


def whiten(pairs: Sequence[tuple[View, View]], tuning: Sequence[Sighting]) -> Whitening:
    """The descriptors' scatter by strength, from points that both views of a place have."""
    every = np.concatenate([side.descriptors for pair in pairs for side in pair])
    mean = every.mean(axis=0)
    one, other = _points_seen_twice(pairs, tuning, mean)
    basis = _basis(every - mean, one.descriptors, other.descriptors)
    one, other = (replace(side, descriptors=side.descriptors @ basis.T) for side in (one, other))
    both = np.concatenate([one.strength, other.strength])
    knots = np.array(KNOTS, np.float64)
    counts = np.bincount(_nearest_knot(both, knots), minlength=len(knots))
    knots = knots[counts >= min(FEWEST, counts.max())]
    deviation = _deviations(pairs, mean, basis, knots)
    return Whitening(
        mean=_table(mean),
        basis=[_table(row) for row in basis],
        strengths=[float(knot) for knot in knots],
        deviation=[_table(row) for row in deviation],
        agreement=[_table(row) for row in _agreement(one, other, knots, deviation)],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One of two views of some points: (n, d) descriptors, and (n,) strengths."""

    descriptors: Floats
    strength: Floats


def _points_seen_twice(
    pairs: Sequence[tuple[View, View]], tuning: Sequence[Sighting], mean: Floats
) -> tuple[Seen, Seen]:
    sides: tuple[list[Seen], list[Seen]] = ([], [])
    for (a, b), one in zip(pairs, tuning, strict=True):
        if one.truth is not None:
            i, j, _ = together(a, b, one.truth, CLOSE)
            sides[0].append(Seen(a.descriptors[i] - mean, a.strength[i]))
            sides[1].append(Seen(b.descriptors[j] - mean, b.strength[j]))
    first, second = (
        Seen(np.concatenate([s.descriptors for s in side]), np.concatenate([s.strength for s in side]))
        for side in sides
    )
    return first, second


def _basis(every: Floats, one: Floats, other: Floats) -> Floats:
    """Directions, most telling first, that are uncorrelated over all keypoints and between two views of one."""
    size = every.shape[1]
    values, vectors = np.linalg.eigh(every.T @ every / len(every) + 1e-3 * np.eye(size))
    white = vectors / np.sqrt(values)
    cross = (one @ white).T @ (other @ white) / max(len(one), 1)
    strength, turned = np.linalg.eigh((cross + cross.T) / 2)
    basis: Floats = (white @ turned[:, np.argsort(-strength)]).T
    return basis


def _nearest_knot(strength: Floats, knots: Floats) -> NDArray[np.intp]:
    apart = np.abs(np.log(np.maximum(strength, 1e-3))[:, None] - np.log(knots)[None])
    nearest: NDArray[np.intp] = apart.argmin(axis=1)
    return nearest


def _deviations(pairs: Sequence[tuple[View, View]], mean: Floats, basis: Floats, knots: Floats) -> Floats:
    components = np.concatenate([(side.descriptors - mean) @ basis.T for pair in pairs for side in pair])
    group = _nearest_knot(np.concatenate([side.strength for pair in pairs for side in pair]), knots)
    rows = [np.sqrt((components[group == k] ** 2).mean(axis=0)) if (group == k).any() else 1 for k in range(len(knots))]
    deviation: Floats = np.maximum(np.array([np.broadcast_to(row, len(mean)) for row in rows]), 1e-3)
    return deviation


def _agreement(one: Seen, other: Seen, knots: Floats, deviation: Floats) -> Floats:
    """r of every knot and component, from E[z z'] = r(s) r(s'): alternating least squares, symmetric in the views."""
    at, across = _nearest_knot(one.strength, knots), _nearest_knot(other.strength, knots)
    product = one.descriptors / deviation[at] * (other.descriptors / deviation[across])
    at, across, product = np.r_[at, across], np.r_[across, at], np.r_[product, product]
    found = np.full_like(deviation, 0.5)
    for _ in range(40):
        partner = found[across]
        for k in range(len(knots)):
            mine = at == k
            if mine.any():
                solved = (product[mine] * partner[mine]).sum(axis=0) / np.maximum(
                    (partner[mine] ** 2).sum(axis=0), 1e-9
                )
                found[k] = np.clip(0.5 * (found[k] + solved), 0, MOST_AGREEING)
    # A stronger keypoint is no worse: what few pairs say otherwise is chance.
    return np.maximum.accumulate(found)


def _table(row: Floats) -> list[float]:
    return [float(f"{value:.4g}") for value in row]
