"""Windows of one level over drawn days by the product's plan, LUTs, sums and keeper; only the noise is numpy's."""

import contextlib
import dataclasses
from fractions import Fraction
from typing import NamedTuple
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.residual.place import HEIGHT, LOOKS, WIDTH, Frames
from edge.features.denoise import denoise
from edge.features.map import MapKeeper
from edge.features.sift import Keypoints, detect
from edge.privacy.cells import CellSums
from edge.privacy.lut import ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.plan import Curve, LevelPlan, plan_for
from edge.privacy.profiles import named
from edge.privacy.receipt import Charge
from edge.privacy.release import make_release

MAX_VALUE = 255


class Setting(NamedTuple):
    """name: `absolute`, `fixed` or `schedule`. tau: the widest, 0 for absolute windows."""

    name: str
    tau: int
    fuse: int


class Seen(NamedTuple):
    """One window's map. raw, denoised: (rows, columns) grey. tau: 0 for an absolute window."""

    raw: NDArray[np.float32]
    denoised: NDArray[np.float32]
    keypoints: Keypoints
    tau: int


def level_of(epsilon: Fraction, tau: int) -> LevelPlan:
    """A level of LOOKS frames with the noise that `map-day` has at this ε: 10/ε grey with absolute windows."""
    planned = plan_for(
        named("map-day"),
        width=WIDTH,
        height=HEIGHT,
        max_value=MAX_VALUE,
        frame_rate=Fraction(1),
        curve=Curve(),
        tau=tau or None,
    ).levels[0]
    # As many frames fewer, as much more loss for each: the noise of a cell's mean is that of the whole day.
    return dataclasses.replace(planned, frames=LOOKS, cost_max=planned.cost_max * epsilon * planned.frames / LOOKS)


def sums_of(frames: Frames, mechanism: Mechanism) -> NDArray[np.int64]:
    """The exact sums of a window over these frames."""
    out = np.zeros((mechanism.rows, mechanism.columns), np.int64)
    cells = CellSums(mechanism.lut, mechanism.cell, mechanism.rows, mechanism.columns)
    for frame in frames:
        cells.add(frame, out)
    return out


def noise_of(mechanism: Mechanism, rng: np.random.Generator) -> NDArray[np.int64]:
    """Discrete Laplace noise of the mechanism's scale, as a difference of two geometric numbers."""
    chance = -np.expm1(-1 / mechanism.scale)
    shape = (mechanism.rows, mechanism.columns)
    return rng.geometric(chance, shape) - rng.geometric(chance, shape)


class Chain:
    """The windows of one level, each planned from the releases before it."""

    def __init__(self, setting: Setting, epsilon: Fraction, seed: int) -> None:
        self._fixed = setting.name == "fixed"
        self._level = level_of(epsilon, setting.tau)
        self._keeper = MapKeeper(fuse=setting.fuse)
        self._rng = np.random.default_rng(seed)
        self._position = 0

    def window(self, frames: Frames) -> Seen:
        mechanism = self._level.mechanism(self._keeper.reference())
        self._position += 1
        charge = Charge(
            level="map",
            epoch=bytes(16),
            position=self._position,
            previous=bytes(32),
            hash=bytes(32),
            first_frame=self._position * LOOKS,
        )
        release = make_release(charge, mechanism, sums_of(frames, mechanism) + noise_of(mechanism, self._rng))
        with mock.patch("edge.features.map.next_is_wide", _always) if self._fixed else contextlib.nullcontext():
            made = self._keeper.add(release)
        image = denoise(made)
        tau = mechanism.lut.tau if isinstance(mechanism.lut, ResidualLut) else 0
        return Seen(made.image, image, detect(image, made.cell), tau)


def _always(sums: NDArray[np.int64], mechanism: Mechanism) -> bool:  # noqa: ARG001 - stands in for next_is_wide
    return True
