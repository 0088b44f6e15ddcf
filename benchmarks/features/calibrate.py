"""Fit what collector/match knows of one describer: whitening, slack, and the three judges.

Everything is fitted on photographs of the tuning side of the split, never on those of a table. Same and different
places weigh alike, so the prior of the fit is 1/2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.sightings import Sighting
from collector.match.calibration import Calibration, Judge, Whitening, sigmoid
from collector.match.geometry import project
from collector.match.nearest import Candidates, held
from collector.match.view import Floats, View, view
from collector.match.weigh import Evidence, descriptor_features, hear, with_place

RIGHT = 1.0
"""Cells within which a match is right, as in the benchmark's tables."""
CLOSE = 0.7
"""Cells within which two keypoints count as one point when descriptors are whitened."""
KNOTS = (1, 2, 4, 8, 16, 32, 63.75)
"""Strengths, in standard deviations of noise, that the scatter is measured around; the last is where bytes end."""
FEWEST = 100
"""Keypoints seen twice that a knot needs."""
SHARES = (0, 0.003, 0.01, 0.03, *(k / 16 for k in range(1, 16)), 0.97, 0.99, 0.997, 1)
"""Of the weight, between the groups whose means are the corners of a judge's curve: finer where it is surest."""
MOST_AGREEING = 0.995
PRIOR = 0.5
THIN = 3
"""One pair of a place in so many serves for what needs no geometry."""
SLACK = 0.1
"""Cells: positions travel in steps of a sixth of a cell and finer."""
BELONGS = 2.0
"""Cells from the truth within which a candidate's scatter is measured."""
SHARPNESSES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
RIDGE = 1e-3

DESCRIPTOR = ("likelihood", "margin", "strength", "count", "noise")
PLACE = ("still", "moved", "support", "count", "haze", "cosine", "vectors", "hazy_cosine", "mute")
MATCH = (
    *DESCRIPTOR,
    "guided",
    *("within_1", "within_2", "within_3", "within_2_cells", "supported", "support", "evidence", "lost"),
    *("agreed", "place", "here"),
)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One sighting's evidence, and which of its candidates are right."""

    sighting: Sighting
    evidence: Evidence
    right: Bools


def calibrate(tuning: Sequence[Sighting], *, chance: int, fitted: str) -> Calibration:
    """The whole calibration of the describer that made these features.

    Args:
        tuning: sightings of one and of two places, at all levels of noise.
        chance: the most keypoints that its maps of pure noise had.
        fitted: on what, in words.
    """
    made = tuning[0].a
    same = [one for one in tuning if one.truth is not None]
    whitening = whiten([views(one) for one in tuning], tuning)
    never = Judge(bias=0.0, weights={})
    first = Calibration(
        method=made.method,
        model=made.model.hex() if made.model else None,
        codebook=made.codebook.hex() if made.codebook else None,
        fitted=fitted,
        prior=PRIOR,
        slack=SLACK,
        chance=chance,
        whitening=whitening,
        descriptor=never,
        match=never,
        place=never,
    )
    first = placed(same[::THIN], first)
    alone = [candidates_of(one, first) for one in same[::THIN]]
    rows = stacked([features for features, _ in alone], DESCRIPTOR)
    second = msgspec.structs.replace(first, descriptor=judge(rows, np.concatenate([right for _, right in alone])))
    heard = listen(tuning, second)
    truth = np.array([one.sighting.truth is not None for one in heard])
    rows = stacked([one.evidence.place for one in heard], PLACE)
    third = msgspec.structs.replace(second, place=judge(rows, truth, balance(truth)))
    rows = stacked([match_features(one, third) for one in heard], MATCH)
    weight = np.repeat(balance(truth), [len(one.right) for one in heard])
    right = np.concatenate([one.right for one in heard])
    return msgspec.structs.replace(third, match=judge(rows, right, weight))


def placed(same: Sequence[Sighting], calibration: Calibration) -> Calibration:
    """With the sharpness under which true candidates lie nearest to where they belong, and their scatter then."""
    found = []
    for sharpness in SHARPNESSES:
        tried = msgspec.structs.replace(calibration, sharpness=sharpness)
        squares, known = [], []
        for one in same:
            a, b = views(one)
            pairs = held(a, b, tried.whitening, sharpness).candidates()
            off = ((project(np.asarray(one.truth), pairs.first) - pairs.second) ** 2).sum(axis=1)
            squares.append(off)
            known.append(a.spread[pairs.pairs[:, 0]] ** 2 + b.spread[pairs.pairs[:, 1]] ** 2)
        every, spreads = np.concatenate(squares), np.concatenate(known)
        near = every < BELONGS**2
        # Of a sum of two squared normal variables the median is 2 ln 2 of the variance along each axis.
        variance = float(np.median(every[near])) / (2 * np.log(2)) if near.any() else 1.0
        found.append(
            (-int((every < RIGHT**2).sum()), sharpness, variance, float(np.median(spreads)) if len(spreads) else 0)
        )
    _, sharpness, variance, known_variance = min(found)
    left = max(variance - SLACK**2, 1e-3)
    trust = min(1.0, left / known_variance) if known_variance > 0 else 1.0
    slack = np.sqrt(max(variance - trust * known_variance, SLACK**2))
    return msgspec.structs.replace(calibration, sharpness=sharpness, trust=_short(trust), slack=_short(float(slack)))


def candidates_of(one: Sighting, calibration: Calibration) -> tuple[dict[str, Floats], Bools]:
    """Before any geometry: features, and which are right."""
    a, b = views(one)
    found = held(a, b, calibration.whitening, calibration.sharpness).candidates()
    return descriptor_features(a, b, found), right_ones(found, one.truth)


def match_features(heard: Heard, calibration: Calibration) -> dict[str, Floats]:
    """What the match judge hears, with the verdict on the place."""
    same = float(calibration.place.probability(heard.evidence.place)[0])
    return with_place(same, heard.evidence)


def views(one: Sighting) -> tuple[View, View]:
    """Both, in cells."""
    return view(one.a, cell=one.level.cell), view(one.b, cell=one.level.cell)


def listen(sightings: Sequence[Sighting], calibration: Calibration) -> list[Heard]:
    """Evidence of every sighting, with what is right."""
    out = []
    for one in sightings:
        evidence = hear(*views(one), calibration)
        out.append(Heard(one, evidence, right_ones(evidence.candidates, one.truth)))
    return out


def right_ones(found: Candidates, truth: Floats | None) -> Bools:
    """(m,) which candidates lie within RIGHT of the truth; none between two places."""
    if truth is None:
        return np.zeros(len(found.pairs), np.bool_)
    near: Bools = np.linalg.norm(project(truth, found.first) - found.second, axis=1) <= RIGHT
    return near


def balance(truth: Bools) -> Floats:
    """Weights under which both answers weigh alike, 1 on average."""
    share = max(float(truth.mean()), 1e-9)
    return np.where(truth, 0.5 / share, 0.5 / max(1 - share, 1e-9))


def stacked(features: Sequence[Mapping[str, Floats]], names: Sequence[str]) -> dict[str, Floats]:
    """(n,) each, over all sightings."""
    return {name: np.concatenate([one[name] for one in features]) for name in names}


def judge(features: Mapping[str, Floats], right: Bools, weight: Floats | None = None) -> Judge:
    """Logistic regression by Newton's method with a small ridge, then a monotone curve over its score."""
    names = list(features)
    rows = np.stack([features[name] for name in names], axis=1)
    weight = np.ones(len(rows)) if weight is None else weight
    middle, size = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    design = np.concatenate([np.ones((len(rows), 1)), (rows - middle) / size], axis=1)
    solved = np.zeros(design.shape[1])
    for _ in range(30):
        chance = sigmoid(design @ solved)
        slope = design.T @ (weight * (right - chance)) - RIDGE * len(rows) * solved
        curve = (design.T * (weight * chance * (1 - chance))) @ design + RIDGE * len(rows) * np.eye(len(solved))
        solved = solved + np.linalg.solve(curve, slope)
    weights = solved[1:] / size
    plain = Judge(
        bias=_short(solved[0] - weights @ middle), weights={n: _short(w) for n, w in zip(names, weights, strict=True)}
    )
    scores, probabilities = curve_of(plain.score(features), right, weight)
    return msgspec.structs.replace(plain, scores=scores, probabilities=probabilities)


def curve_of(score: Floats, right: Bools, weight: Floats) -> tuple[list[float], list[float]]:
    """Corners of a monotone curve: means over groups of equal weight, pooled where they descend (Ayer et al., 1955)."""
    order = np.argsort(score, kind="stable")
    along = np.cumsum(weight[order])
    group = np.searchsorted(SHARES[1:-1], along / along[-1] - 1e-12)
    pooled: list[list[float]] = []
    for index in np.unique(group):
        member = order[group == index]
        total = float(weight[member].sum())
        hits = float(weight[member] @ right[member])
        # Half a success and half a failure more (Jeffreys): no group, however small, makes anything certain.
        hits = total * (hits + 0.5 * total / len(member)) / (total + total / len(member))
        pooled.append([total, float(weight[member] @ score[member]), hits])
        while len(pooled) > 1 and pooled[-2][2] * pooled[-1][0] >= pooled[-1][2] * pooled[-2][0]:
            last = pooled.pop()
            pooled[-1] = [old + new for old, new in zip(pooled[-1], last, strict=True)]
    return [_short(s / t) for t, s, _ in pooled], [_short(r / t) for t, _, r in pooled]


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


def _short(value: float) -> float:
    """Five digits: more would claim what was not measured."""
    return float(f"{value:.5g}")


def _table(row: Floats) -> list[float]:
    return [float(f"{value:.4g}") for value in row]
