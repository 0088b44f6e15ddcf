"""From two views to the probabilities that each match is right and that both show one place."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from collector.match.calibration import Calibration, sigmoid
from collector.match.geometry import Field, Geometry, Kind, estimate, posterior, project, squared_residual
from collector.match.nearest import Candidates, Held, held
from collector.match.view import Floats, View, cosine

WORST = 40.0
"""Nats that a logarithm is kept within before it is weighed."""
SUPPORTED = 0.5
"""Probability, given the geometry, from which a candidate holds its keypoints."""
REACH = 2.5
"""Standard deviations around its place in which a keypoint is looked for."""
LOUD = 3.0
"""Logarithm of the noise, in grey, beyond which it counts once more: 20 grey."""
LOUDEST = 255.0
"""Grey. Noise beyond it is weighed like it: nothing was fitted there."""
HAZES = (0.0, 8.0)
"""Likewise: from 40 x 30 cells with 0.35 grey each to 10 x 7 cells with 250."""


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What two views have in common.

    pairs: (m, 2) candidate matches, indices into the first's and the second's keypoints. right: (m,) calibrated
    probability that each is right. first, second: (m, 2) where each lies in the one and in the other, in units: surer
    than its keypoints' places. residual: (m,) distance in cells from where the geometry puts it; infinite where
    there is none. geometry: of the first on the second. same: calibrated probability that both show one place.
    silent: whether one of the maps says nothing, so that `same` is no more than the prior. cosine: of the vectors.
    """

    pairs: NDArray[np.intp]
    right: Floats
    first: Floats
    second: Floats
    residual: Floats
    geometry: Geometry
    same: float
    silent: bool
    cosine: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Everything that the judges hear: candidates, what they agree on, and the features of both judgements."""

    candidates: Candidates
    geometry: Geometry
    residual: Floats
    place: dict[str, Floats]
    match: dict[str, Floats]


def weigh(
    a: View, b: View, calibration: Calibration, *, prior: float | None = None, fixed_camera: bool = False
) -> Weighed:
    """Compare two views.

    Args:
        a: of one map.
        b: of another, by the same describer.
        calibration: of that describer.
        prior: probability, before looking, that both show one place, in 0..1 without the ends; the calibration's
            where none is given.
        fixed_camera: whether both come from one camera that has not been moved.
    """
    if b.order() < a.order():
        return _turned(weigh(b, a, calibration, prior=prior, fixed_camera=fixed_camera))
    expected = calibration.prior if prior is None else prior
    evidence = hear(a, b, calibration, fixed_camera=fixed_camera)
    silent = says_nothing(a, calibration) or says_nothing(b, calibration)
    same = expected if silent else _with_prior(_same(evidence, calibration), calibration.prior, expected)
    right = calibration.match.probability(with_place(same, evidence))
    return Weighed(
        pairs=evidence.candidates.pairs,
        right=right,
        first=evidence.candidates.first,
        second=evidence.candidates.second,
        residual=evidence.residual,
        geometry=evidence.geometry,
        same=same,
        silent=silent,
        cosine=cosine(a, b),
    )


def says_nothing(view: View, calibration: Calibration) -> bool:
    """Whether a map has no vector and no more keypoints than pure noise has."""
    return not view.vector.any() and len(view.points) <= calibration.chance


def hear(a: View, b: View, calibration: Calibration, *, fixed_camera: bool = False) -> Evidence:
    """Candidates, geometry and features; what the calibration is fitted to."""
    all_pairs = held(a, b, calibration.whitening, calibration.sharpness)
    found = all_pairs.candidates()
    before = _field(a, b, found, calibration)
    geometry = estimate(before, still_only=fixed_camera)
    agreed = _agreed(before, geometry)
    place = _place_features(a, b, geometry, agreed)
    matches, guided = _guided(all_pairs, found, agreed, geometry, calibration)
    field = _field(a, b, matches, calibration)
    residual = np.sqrt(_squares(field, geometry))
    alone = {**descriptor_features(a, b, matches), "guided": guided}
    near = _match_features(geometry, _agreed(field, geometry), residual, np.sqrt(field.variance))
    return Evidence(matches, geometry, residual, place, {**alone, **near})


def _field(a: View, b: View, found: Candidates, calibration: Calibration) -> Field:
    i, j = found.pairs.T
    right = calibration.descriptor.probability(descriptor_features(a, b, found))
    variance = calibration.trust * (a.spread[i] ** 2 + b.spread[j] ** 2) + calibration.slack**2
    area = max(a.area, b.area)
    return Field(found.first, found.second, variance, right, _chance(found, area, calibration), area)


def _chance(found: Candidates, area: float, calibration: Calibration) -> Floats:
    """Density of wrong candidates: even over the map, and some of them where a camera that stayed would have them."""
    squares = ((found.second - found.first) ** 2).sum(axis=1)
    spread = 2 * calibration.around**2
    density: Floats = (1 - calibration.here) / area + calibration.here * np.exp(-squares / spread) / (np.pi * spread)
    return density


def _squares(field: Field, geometry: Geometry) -> Floats:
    lost = geometry.kind == "none"
    return np.full(len(field.first), np.inf) if lost else squared_residual(field, geometry.matrix)


def _agreed(field: Field, geometry: Geometry) -> Floats:
    return posterior(field, _squares(field, geometry))


def _guided(
    all_pairs: Held, found: Candidates, agreed: Floats, geometry: Geometry, calibration: Calibration
) -> tuple[Candidates, Floats]:
    """The candidates, and those that are nearest where the geometry looks for them. Second: 1 for these, else 0.

    A keypoint that a supported candidate has is not looked for again; an unsupported candidate gives way.
    """
    if geometry.kind == "none" or not len(found.pairs):
        return found, np.zeros(len(found.pairs))
    a, b = all_pairs.a, all_pairs.b
    variance = calibration.trust * (a.spread[:, None] ** 2 + b.spread[None] ** 2) + calibration.slack**2
    squares = ((project(geometry.matrix, a.points)[:, None] - b.points[None]) ** 2).sum(axis=2)
    good = found.pairs[agreed >= SUPPORTED]
    allowed = (squares <= REACH**2 * variance) & (all_pairs.ratio > 0)
    allowed[good[:, 0]] = False
    allowed[:, good[:, 1]] = False
    ratio = np.where(allowed, all_pairs.ratio, -np.inf)
    rows = np.arange(len(ratio))
    nearest = ratio.argmax(axis=1)
    mutual = rows[allowed[rows, nearest] & (ratio.argmax(axis=0)[nearest] == rows)]
    new = np.stack([mutual, nearest[mutual]], axis=1)
    kept = (agreed >= SUPPORTED) | ~(np.isin(found.pairs[:, 0], new[:, 0]) | np.isin(found.pairs[:, 1], new[:, 1]))
    both = np.concatenate([found.pairs[kept], new])
    order = np.argsort(both[:, 0], kind="stable")
    guided = np.concatenate([np.zeros(int(kept.sum())), np.ones(len(new))])
    return all_pairs.chosen(both[order]), guided[order]


def descriptor_features(a: View, b: View, found: Candidates) -> dict[str, Floats]:
    """What is known of candidates before any geometry."""
    i, j = found.pairs.T
    strength = np.log(np.maximum(np.minimum(a.strength[i], b.strength[j]), 0.25))
    count = np.full(len(i), np.log(max(len(a.points), 1)) + np.log(max(len(b.points), 1)))
    return {
        "likelihood": np.clip(found.likelihood, -WORST, WORST),
        "margin": np.clip(found.margin, -WORST, WORST),
        "strength": strength,
        "count": count,
        "noise": np.full(len(i), _noise(a, b)),
    }


def _match_features(geometry: Geometry, agreed: Floats, residual: Floats, spread: Floats) -> dict[str, Floats]:
    """Residuals count as far as they are small: by how much they stay below 1, 2 and 3 spreads, and below two cells."""
    off = residual / spread
    support = np.log1p(agreed.sum() - agreed)
    return {
        "agreed": agreed,
        "within_1": np.maximum(1 - off, 0),
        "within_2": np.maximum(2 - off, 0),
        "within_3": np.maximum(3 - off, 0),
        "within_2_cells": np.maximum(2 - residual, 0),
        "supported": np.maximum(3 - off, 0) * support,
        "support": support,
        "evidence": np.full(len(agreed), _root(geometry.evidence)),
        "lost": np.full(len(agreed), float(geometry.kind == "none")),
        "stayed": np.full(len(agreed), float(geometry.kind == "still")),
    }


def _place_features(a: View, b: View, geometry: Geometry, agreed: Floats) -> dict[str, Floats]:
    angle = cosine(a, b)
    fewest = min(len(a.points), len(b.points))
    haze = _haze(a, b)
    along = {
        "still": _evidence(geometry, "still"),
        "moved": _evidence(geometry, "similar", "projective"),
        "support": float(np.log1p(agreed.sum())),
        "count": float(np.log1p(fewest)),
        "share": float(agreed.sum()) / max(fewest, 1),
        "mutual": len(agreed) / max(fewest, 1),
        "mute": float(fewest == 0),
        "haze": haze,
        "vectors": float(angle is not None),
        "cosine": angle or 0.0,
        "hazy_cosine": (angle or 0.0) * haze,
    }
    return {name: np.array([value]) for name, value in along.items()}


def _evidence(geometry: Geometry, *kinds: Kind) -> float:
    return _root(geometry.evidence) if geometry.kind in kinds else 0.0


def _root(nats: float) -> float:
    """Evidence grows with the number of matches, certainty does not: dependent matches err together."""
    return float(np.sqrt(max(nats, 0.0)))


def _noise(a: View, b: View) -> float:
    return float(np.log(np.clip(max(a.noise, b.noise), 1.0, LOUDEST)))


def _haze(a: View, b: View) -> float:
    """Logarithm of the noise of the mean of a whole map, in hundredths of grey: what whole-map vectors suffer from."""
    means = [np.clip(one.noise, 0.25, LOUDEST) / np.sqrt(one.area) for one in (a, b)]
    return float(np.clip(np.log(100 * max(means)), *HAZES))


def _same(evidence: Evidence, calibration: Calibration) -> float:
    return float(calibration.place.probability(evidence.place)[0])


def with_place(same: float, evidence: Evidence) -> dict[str, Floats]:
    """What the match judge hears, with the verdict on the place: between different places no match is right.

    How near a match comes says more where most keypoints agree or the camera has not moved, and less in noise.
    """
    known = evidence.match
    near, noise, stayed = known["within_3"], known["noise"], known["stayed"]
    odds = np.full(len(near), float(_log_odds(np.array(same))))
    share, mutual = (np.full(len(near), float(evidence.place[name][0])) for name in ("share", "mutual"))
    return {
        **known,
        "place": odds,
        "here": same * near,
        "share": share,
        "mutual": mutual,
        "near_share": near * share,
        "near_mutual": near * mutual,
        "near_stayed": near * stayed,
        "place_stayed": odds * stayed,
        "near_noise": near * noise,
        "here_noise": same * near * noise,
        "place_noise": odds * noise,
        "strength_noise": known["strength"] * noise,
        "loud": np.maximum(noise - LOUD, 0),
    }


def _with_prior(probability: float, fitted: float, expected: float) -> float:
    odds = _log_odds(np.array([probability, expected, fitted]))
    return float(sigmoid(odds[0] + odds[1] - odds[2]))


def _log_odds(probability: Floats) -> Floats:
    kept = np.clip(probability, 1e-6, 1 - 1e-6)
    odds: Floats = np.log(kept) - np.log1p(-kept)
    return odds


def _turned(weighed: Weighed) -> Weighed:
    """With first and second exchanged, in the order of the new first's keypoints."""
    order = np.argsort(weighed.pairs[:, 1], kind="stable")
    back: Floats = np.linalg.inv(weighed.geometry.matrix).astype(np.float64)
    geometry = replace(weighed.geometry, matrix=back)
    return replace(
        weighed,
        pairs=weighed.pairs[order, ::-1],
        right=weighed.right[order],
        first=weighed.second[order],
        second=weighed.first[order],
        residual=weighed.residual[order],
        geometry=geometry,
    )
