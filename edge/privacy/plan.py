"""A profile for one camera: grids, windows, scales, and what they cost."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from edge.errors import ConfigError, Reason
from edge.privacy.lut import AbsoluteLut, ClipLut, LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.profiles import Level, Profile
from edge.privacy.schedule import Reference, taus
from edge.privacy.terms import Terms
from wire import loss
from wire.schema import Unit

GREY: Final = 255
"""Greys of full range: the unit that τ, offsets and bounds of LUTs are given in."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Which LUT windows without a reference have, in grey.

    offset: of `log`; None for a half of full range. low, high: of `clip`.
    """

    name: Literal["linear", "log", "clip"] = "linear"
    offset: int | None = None
    low: int = 0
    high: int = GREY

    def lut(self, max_value: int) -> AbsoluteLut:
        """It, for pixels of 0..max_value. Raises ValueError where low and high are the same pixel value."""
        if self.name == "linear":
            return LinearLut(max_value)
        if self.name == "clip":
            return ClipLut(max_value, _pixel(self.low, max_value), _pixel(self.high, max_value))
        return (
            LogLut.of(max_value) if self.offset is None else LogLut(max_value, max(1, _pixel(self.offset, max_value)))
        )


@dataclass(frozen=True, slots=True, eq=False)
class LevelPlan:
    """A level for one camera. tau: of its widest residual windows, in pixel values; None where all are absolute.

    cost_max: what one of its windows may cost each frame (`wire.loss.cost`).
    """

    name: str
    unit: Unit
    noise: loss.Noise
    lut: AbsoluteLut
    tau: int | None
    cell: int
    rows: int
    columns: int
    frames: int
    cost_max: Fraction

    def mechanism(self, reference: Reference | None) -> Mechanism:
        """How the next window works: absolute without a reference, else residual around it where tau is set.

        Args:
            reference: made of releases only.
        """
        lut: Lut = self.lut
        if reference is not None and self.tau is not None:
            lut = ResidualLut(reference.values, reference.tau(self.tau), self.lut.max_value)
        return Mechanism(
            lut=lut,
            cell=self.cell,
            rows=self.rows,
            columns=self.columns,
            frames=self.frames,
            scale=self._scale(lut.range),
            noise=self.noise,
        )

    def cost_of(self, presence: Unit) -> Fraction:
        """The most that a window of this level costs each frame, counted for this presence."""
        ranges = [self.lut.range]
        if self.tau is not None:
            ranges += [2 * tau for tau in taus(self.tau)]
        return max(self._cost(Fraction(each, self._scale(each)), presence) for each in ranges)

    def _cost(self, slope: Fraction, presence: Unit) -> Fraction:
        return loss.cost(self.noise, slope, presence, self.cell, self.frames)

    def _scale(self, lut_range: int) -> int:
        """The smallest integer t with a cost of at most cost_max: of R / t, or of (R / t)² · A."""
        if self.noise == "discrete-laplace":
            return math.ceil(lut_range / self.cost_max)
        least = math.ceil(self._cost(Fraction(lut_range), self.unit) / self.cost_max)
        return math.isqrt(least - 1) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A profile for one camera and frame rate."""

    profile: str
    unit: Unit
    noise: loss.Noise
    delta: Fraction
    frame_rate: Fraction
    levels: tuple[LevelPlan, ...]

    @property
    def cost_total(self) -> Fraction:
        """No frame is used by windows that together cost it more: λ_max for Laplace noise."""
        return self._cost_of(self.unit)

    @property
    def rho(self) -> Fraction:
        """ρ of the unit, over everything that is published, with Gaussian noise; 0 with Laplace noise."""
        return Fraction(0) if self.noise == "discrete-laplace" else loss.zcdp(self.cost_total, self.unit)

    @property
    def epsilon(self) -> Fraction:
        """ε of the unit, over everything that is published; with Gaussian noise together with δ."""
        return self.epsilon_of(self.unit)

    @property
    def terms(self) -> Terms:
        """What the ledger's epoch is begun for."""
        return Terms(self.noise, self.unit, self.cost_total, self.frame_rate)

    def epsilon_of(self, presence: Unit) -> Fraction:
        """ε of another presence than the unit, in front of the same camera."""
        return loss.epsilon(self.noise, self._cost_of(presence), presence, self.delta)

    def _cost_of(self, presence: Unit) -> Fraction:
        return sum((level.cost_of(presence) for level in self.levels), Fraction(0))


class ProfileRefused(ConfigError):
    """A profile that cannot be kept, or not with this camera. `level`: which one is at fault, from 0, or None."""

    def __init__(self, level: int | None, key: str, detail: str, remedy: str) -> None:
        super().__init__(Reason.CONFIG, detail, remedy)
        self.level = level
        self.key = key


def plan_for(
    profile: Profile,
    *,
    width: int,
    height: int,
    max_value: int,
    frame_rate: Fraction,
    curve: Curve,
    tau: int | None,
) -> Plan:
    """The plan of a profile for one camera.

    Args:
        profile: what is promised.
        width: of the frames, in pixels.
        height: of the frames, in pixels.
        max_value: the largest value of a pixel.
        frame_rate: frames per second at most, above 0.
        curve: of windows without a reference.
        tau: of residual windows in grey, 1/255 of full range; None for absolute windows only.

    Raises:
        ProfileRefused: a frame without a whole cell, or windows that are shorter than a frame or do not nest.
    """
    unit = profile.unit(frame_rate)
    lengths = _lengths(profile, frame_rate)
    costs = _costs(profile, unit)
    levels = []
    for index, level in enumerate(profile.levels):
        if min(width, height) < level.cell:
            raise ProfileRefused(
                index,
                "cell",
                f"profile `{profile.name}` has cells of {level.cell} pixels, and the frame is {width} x {height}",
                f"use cells of at most {min(width, height)} pixels, larger frames or another profile",
            )
        levels.append(
            LevelPlan(
                name=level.name,
                unit=unit,
                noise=profile.noise,
                lut=curve.lut(max_value),
                tau=None if tau is None else max(1, _pixel(tau, max_value)),
                cell=level.cell,
                rows=height // level.cell,
                columns=width // level.cell,
                frames=lengths[index],
                cost_max=costs[index],
            )
        )
    return Plan(profile.name, unit, profile.noise, profile.delta, frame_rate, tuple(levels))


def _lengths(profile: Profile, frame_rate: Fraction) -> list[int]:
    """N of each level. Each longer window is made of whole shorter ones, so all begin and end together."""
    order = sorted(range(len(profile.levels)), key=lambda index: profile.levels[index].window_seconds)
    lengths = [1] * len(order)
    before: tuple[Level, int] | None = None
    for index in order:
        level = profile.levels[index]
        if not level.window_seconds:
            continue
        if before is None:
            length = math.floor(level.window_seconds * frame_rate)
            if not length:
                raise ProfileRefused(
                    index,
                    "window_seconds",
                    f"profile `{profile.name}` has windows of {level.window_seconds} s, shorter than one frame",
                    f"raise frames_per_second to at least 1/{level.window_seconds}",
                )
        else:
            shorter, length = before
            times, rest = divmod(level.window_seconds, shorter.window_seconds)
            if rest:
                raise ProfileRefused(
                    index,
                    "window_seconds",
                    f"windows of {level.window_seconds} s are not made of whole windows of {shorter.window_seconds} s",
                    f"use {times * shorter.window_seconds} or {(times + 1) * shorter.window_seconds}",
                )
            length *= times
        lengths[index] = length
        before = level, length
    return lengths


def _costs(profile: Profile, unit: Unit) -> list[Fraction]:
    """What a window of each level may cost each frame."""
    if profile.noise == "discrete-laplace":
        return [level.epsilon / unit.exposure for level in profile.levels]
    rho = loss.budget(profile.epsilon, profile.delta)
    return [2 * rho * level.epsilon / profile.epsilon / unit.exposure for level in profile.levels]


def _pixel(grey: int, max_value: int) -> int:
    """A grey, 1/255 of full range, as the nearest pixel value."""
    return (grey * max_value + GREY // 2) // GREY
