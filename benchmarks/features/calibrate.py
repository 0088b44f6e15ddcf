"""Fit what collector/match knows of one describer: whitening, slack, and the three judges.

Everything is fitted on photographs of the tuning side of the split, never on those of a table. Same and different
places weigh alike, so the prior of the fit is 1/2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.sightings import Sighting
from benchmarks.features.whitening import whiten
from collector.match.calibration import Calibration, Judge, sigmoid
from collector.match.geometry import project
from collector.match.nearest import Candidates, held
from collector.match.view import Floats, View, view
from collector.match.weigh import Evidence, descriptor_features, hear, with_place

RIGHT = 1.0
"""Cells within which a match is right, as in the benchmark's tables."""
SHARES = (0, 0.003, 0.01, 0.03, *(k / 16 for k in range(1, 16)), 0.97, 0.99, 0.997, 1)
"""Of the weight, between the groups whose means are the corners of a judge's curve: finer where it is surest."""
PRIOR = 0.5
THIN = 3
"""One pair of a place in so many serves for what needs no geometry."""
SLACK = 0.1
"""Cells: positions travel in steps of a sixth of a cell and finer."""
BELONGS = 2.0
"""Cells from the truth within which a candidate's scatter is measured."""
SPOT = 4.0
"""Cells within which a wrong candidate counts as at the same spot."""
SHARPNESSES = (0.0, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2)
RIDGE = 1e-3

DESCRIPTOR = ("likelihood", "margin", "strength", "count", "noise")
PLACE = ("still", "moved", "support", "share", "mutual", "count", "haze", "cosine", "vectors", "hazy_cosine", "mute")
MATCH = (
    *DESCRIPTOR,
    "guided",
    *("within_1", "within_2", "within_3", "within_2_cells", "supported", "support", "evidence", "lost", "stayed"),
    *("agreed", "place", "here", "share", "mutual", "near_share", "near_mutual"),
    *("near_stayed", "place_stayed"),
    *("near_noise", "here_noise", "place_noise", "strength_noise", "loud"),
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
    moved = [one for one in same if not np.array_equal(np.asarray(one.truth), np.eye(3))]
    first = placed((moved or same)[::THIN], first)
    first = stayed([one for one in tuning if one.truth is None][::THIN], first)
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


def stayed(other: Sequence[Sighting], calibration: Calibration) -> Calibration:
    """With the share of wrong candidates that lie at the same spot of both maps, and how far around it."""
    every = []
    for one in other:
        found = held(*views(one), calibration.whitening, calibration.sharpness).candidates()
        every.append(((found.second - found.first) ** 2).sum(axis=1))
    squares = np.concatenate([np.empty(0), *every])
    near = squares < SPOT**2
    if not near.any():
        return calibration
    around = np.sqrt(max(float(np.median(squares[near])) / (2 * np.log(2)), SLACK**2))
    return msgspec.structs.replace(calibration, here=_short(float(near.mean())), around=_short(float(around)))


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
    pooled: list[Floats] = []
    for index in np.unique(group):
        member = order[group == index]
        own, at, so = weight[member], score[member], right[member]
        pooled.append(np.array([own.sum(), own @ at, own @ so, len(member)]))
        while len(pooled) > 1 and _share(pooled[-2]) >= _share(pooled[-1]):
            last = pooled.pop()
            pooled[-1] = pooled[-1] + last
    return [_short(float(one[1] / one[0])) for one in pooled], [_short(_share(one)) for one in pooled]


def _share(group: Floats) -> float:
    """Right ones of a group (weight, sum of scores, weight of right ones, number), half a one more of either kind.

    (Jeffreys' prior: no group, however small, makes anything certain.)
    """
    total, _, hits, count = group
    return float((hits / total * count + 0.5) / (count + 1))


def _short(value: float) -> float:
    """Five digits: more would claim what was not measured."""
    return float(f"{value:.5g}")
