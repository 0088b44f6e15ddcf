"""What was measured about one method's features, as small tables beside the code."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from collector.match.view import Floats
from wire.schema import Features

MOST_CERTAIN = 0.9999
"""No probability leaves 1 - this .. this: the pairs that calibrate it are some tens of thousands."""

Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, lt=1)]


class Whitening(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, eq=False):
    """How a descriptor of one place scatters under noise, by the strength of its keypoint.

    mean (d) and basis (d, d): a descriptor x becomes z = basis (x - mean), whose components are uncorrelated.
    strengths (s), ascending: of the rows below, in standard deviations of the noise. deviation (s, d): standard
    deviation of the components over all keypoints. agreement (s, d), 0..1: square root of the correlation of a
    component between two views of one point that are both of this strength; 1 without noise, 0 where it is all noise.
    """

    mean: list[float]
    basis: list[list[float]]
    strengths: Annotated[list[Positive], Meta(min_length=1)]
    deviation: list[list[float]]
    agreement: list[list[Annotated[float, Meta(ge=0, lt=1)]]]

    def __post_init__(self) -> None:
        """Raise ValueError where the tables do not fit each other."""
        size, rows = len(self.mean), len(self.strengths)
        for name, table, count in (
            ("basis", self.basis, size),
            ("deviation", self.deviation, rows),
            ("agreement", self.agreement, rows),
        ):
            if len(table) != count or any(len(row) != size for row in table):
                raise ValueError(f"{name} is not {count} rows of {size}")
        if self.strengths != sorted(set(self.strengths)) or min(map(min, self.deviation), default=1) <= 0:
            raise ValueError("strengths must ascend, deviations must be positive")

    def at(self, table: list[list[float]], strength: Floats) -> Floats:
        """(n, d) rows of a table at (n,) strengths: linear in their logarithm, and level beyond both ends."""
        knots, rows = np.log(self.strengths), np.array(table)
        if len(knots) == 1:
            return np.repeat(rows, len(strength), axis=0)
        where = np.clip(np.log(np.maximum(strength, 1e-3)), knots[0], knots[-1])
        below = np.clip(np.searchsorted(knots, where, side="right") - 1, 0, len(knots) - 2)
        along = ((where - knots[below]) / (knots[below + 1] - knots[below]))[:, None]
        between: Floats = (1 - along) * rows[below] + along * rows[below + 1]
        return between


class Judge(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A calibrated probability: logistic regression, then a monotone curve (Zadrozny and Elkan, KDD 2002).

    bias and weights: score = bias + sum of weight · feature, in nats. scores, probabilities: the curve's corners, both
    ascending, linear between and level beyond; without any, the logistic function of the score.
    """

    bias: float
    weights: dict[str, float]
    scores: list[float] = []
    probabilities: list[Annotated[float, Meta(ge=0, le=1)]] = []

    def __post_init__(self) -> None:
        """Raise ValueError where the curve is none."""
        if len(self.scores) != len(self.probabilities):
            raise ValueError("the curve's scores and probabilities differ in number")
        if self.scores != sorted(self.scores) or self.probabilities != sorted(self.probabilities):
            raise ValueError("the curve does not ascend")

    def score(self, features: Mapping[str, Floats]) -> Floats:
        """In nats, for features (n,) each."""
        total = sum((weight * features[name] for name, weight in self.weights.items()), np.float64(self.bias))
        return np.asarray(total, np.float64)

    def probability(self, features: Mapping[str, Floats]) -> Floats:
        """(n,) of being right, within 1 - MOST_CERTAIN .. MOST_CERTAIN."""
        score = self.score(features)
        raw = np.interp(score, self.scores, self.probabilities) if self.scores else sigmoid(score)
        return np.clip(raw, 1 - MOST_CERTAIN, MOST_CERTAIN)


class Calibration(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, eq=False):
    """What a collector knows of one describer.

    method, model, codebook: what makes the features; model and codebook are SHA-256 in hexadecimal, or None.
    fitted: in words, on what, with which seed. prior: the share of same places among the pairs of the fit, which is
    the probability that stands where nothing speaks. sharpness: how much, per nat, the keypoints around a match say of
    where it lies; 0 where keypoints are where they are. trust: part of the spreads' variance that right matches have
    then; slack: standard deviation per axis, in cells, that they have beyond it. chance: the most keypoints that maps
    of pure noise had. here, around: the share of wrong matches that lie where they would if the camera had stayed, and
    their standard deviation per axis in cells: two places under one grid look alike at one spot (sky above, borders).
    descriptor: that a candidate is right, by its descriptors alone. match: by everything. place: that two maps show
    one place.
    """

    method: str
    model: str | None
    codebook: str | None
    fitted: str
    prior: Share
    sharpness: Annotated[float, Meta(ge=0)] = 0.0
    trust: Annotated[float, Meta(gt=0, le=1)] = 1.0
    slack: Positive
    chance: Annotated[int, Meta(ge=0)]
    here: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    around: Positive = 1.0
    whitening: Whitening
    descriptor: Judge
    match: Judge
    place: Judge


def sigmoid(score: Floats) -> Floats:
    """The logistic function, without overflow."""
    return 0.5 * (1 + np.tanh(np.asarray(score, np.float64) / 2))


def read(text: bytes) -> Calibration:
    """A calibration from its JSON.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.json.decode(text, type=Calibration)


@lru_cache(maxsize=1)
def shipped() -> tuple[Calibration, ...]:
    """The calibrations beside this file."""
    folder = resources.files("collector.match")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    return tuple(read(file.read_bytes()) for file in files)


def find(features: Features, among: tuple[Calibration, ...] | None = None) -> Calibration | None:
    """The calibration of exactly what made these features, or None: figures of another model would not hold."""
    names = features.method, _hexadecimal(features.model), _hexadecimal(features.codebook)
    known = shipped() if among is None else among
    return next((one for one in known if (one.method, one.model, one.codebook) == names), None)


def _hexadecimal(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()
