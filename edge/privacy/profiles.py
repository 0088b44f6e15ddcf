"""What can be promised, by name: the privacy unit, and the windows that keep it."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError, Reason
from edge.privacy.lut import LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from wire.schema import Unit

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
GREY: Final = 255
"""Greys of full range: the unit that τ is given in."""


@dataclass(frozen=True, slots=True)
class Level:
    """One schedule of windows. window_seconds: 0 for a single frame. cell: b in pixels. epsilon: spent per unit."""

    name: str
    window_seconds: int
    cell: int
    epsilon: Fraction


@dataclass(frozen=True, slots=True)
class Profile:
    """A promise: `visits` visits, each shorter than visit_seconds (0: one frame), of at most `pixels` pixels."""

    name: str
    visits: int
    visit_seconds: int
    pixels: int
    levels: tuple[Level, ...]

    def unit(self, frame_rate: Fraction) -> Unit:
        """The unit at this frame rate.

        Frames at least 1/f seconds apart: k of them span (k - 1)/f. A visit shorter than T seconds that touches k
        frames has (k - 1)/f < T, so k ≤ ⌈T·f⌉, and at least one.
        """
        frames = max(1, math.ceil(self.visit_seconds * frame_rate))
        return Unit(visits=self.visits, seconds=self.visit_seconds, frames=frames, pixels=self.pixels)


def _one(name: str, seconds: int, cell: int, epsilon: int) -> tuple[Level, ...]:
    return (Level(name, seconds, cell, Fraction(epsilon)),)


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile(
            "place",
            visits=1,
            visit_seconds=10 * MINUTE,
            pixels=1024,
            levels=(Level("map", DAY, 16, Fraction(1, 2)), Level("state", 3 * HOUR, 64, Fraction(1, 2))),
        ),
        Profile("map-day", 1, 10 * MINUTE, 1024, _one("map", DAY, 16, 1)),
        Profile("map-week", 1, 10 * MINUTE, 1024, _one("map", 7 * DAY, 8, 1)),
        Profile("map-near", 1, 10 * MINUTE, 4096, _one("map", DAY, 32, 1)),
        Profile("state-hour", 1, 10 * MINUTE, 1024, _one("state", HOUR, 64, 1)),
        Profile("resident", 1, 8 * HOUR, 1024, _one("state", DAY, 64, 2)),
        Profile("month", 30, 10 * MINUTE, 1024, _one("map", 30 * DAY, 16, 1)),
        Profile("snapshot", 1, 0, 1024, _one("snapshot", 0, 64, 4)),
    )
}
"""By name. At 640 x 480 behind a 62° lens a standing person has at most 1024 pixels from 22 m on, wherever in view, and
at most 4096 from 10.6 m (docs/card.md).

The noise of a cell's mean has a standard deviation of √2 · 255 · E0 / (N · b² · ε) grey. With the linear LUT that is
20 and 10 (place), 10, 6, 10, 15, 15, 10 and 22.5 in the order above, at any frame rate; docs/proofs/window.md,
section 5, derives it.
"""


@dataclass(frozen=True, slots=True, eq=False)
class LevelPlan:
    """A level for one camera. tau: of its residual windows, in pixel values; None where all windows are absolute."""

    name: str
    unit: Unit
    lut: LinearLut | LogLut
    tau: int | None
    cell: int
    rows: int
    columns: int
    frames: int
    epsilon: Fraction

    def mechanism(self, reference: NDArray[np.int64] | None) -> Mechanism:
        """How the next window works: absolute without a reference, else residual around it where tau is set.

        Args:
            reference: (rows, columns) int64 in 0..max_value, made of releases only.
        """
        lut: Lut = self.lut
        if reference is not None and self.tau is not None:
            lut = ResidualLut(reference, self.tau, self.lut.max_value)
        return Mechanism(
            lut=lut,
            cell=self.cell,
            rows=self.rows,
            columns=self.columns,
            frames=self.frames,
            scale=self._scale(lut.range),
        )

    @property
    def slope(self) -> Fraction:
        """The largest slope that a window of this level can have."""
        absolute = Fraction(self.lut.range, self._scale(self.lut.range))
        if self.tau is None:
            return absolute
        return max(absolute, Fraction(2 * self.tau, self._scale(2 * self.tau)))

    def _scale(self, lut_range: int) -> int:
        """The integer t = ⌈R · E0 / ε⌉, so that R · E0 / t never passes ε."""
        return math.ceil(lut_range * self.unit.exposure / self.epsilon)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A profile for one camera and frame rate."""

    profile: str
    unit: Unit
    frame_rate: Fraction
    levels: tuple[LevelPlan, ...]

    @property
    def slope_total(self) -> Fraction:
        """λ_max: no frame is used by windows whose slopes add to more."""
        return sum((level.slope for level in self.levels), Fraction(0))

    @property
    def epsilon(self) -> Fraction:
        """ε of the unit, over everything that is published: λ_max · E0."""
        return self.slope_total * self.unit.exposure


def plan_for(
    profile: str,
    *,
    width: int,
    height: int,
    max_value: int,
    frame_rate: Fraction,
    lut: Literal["linear", "log"],
    tau: int | None,
) -> Plan:
    """The plan of a profile for one camera.

    Args:
        profile: a name in PROFILES.
        width: of the frames, in pixels.
        height: of the frames, in pixels.
        max_value: the largest value of a pixel.
        frame_rate: frames per second at most, above 0.
        lut: of windows without a reference.
        tau: of residual windows in grey, 1/255 of full range; None for absolute windows only.

    Raises:
        ConfigError: an unknown profile, a frame without a whole cell, or windows shorter than a frame.
    """
    chosen = PROFILES.get(profile)
    if chosen is None:
        names = ", ".join(PROFILES)
        raise ConfigError(Reason.CONFIG, f"there is no profile `{profile}`", f"choose one of {names}")
    unit = chosen.unit(frame_rate)
    table: LinearLut | LogLut = LogLut.of(max_value) if lut == "log" else LinearLut(max_value)
    pixel_tau = None if tau is None else max(1, (tau * max_value + GREY // 2) // GREY)
    levels = []
    for level in chosen.levels:
        frames = math.floor(level.window_seconds * frame_rate) if level.window_seconds else 1
        rows, columns = height // level.cell, width // level.cell
        if not rows or not columns:
            raise ConfigError(
                Reason.CONFIG,
                f"profile `{profile}` has cells of {level.cell} pixels, and the frame is {width} x {height}",
                "use larger frames or another profile",
            )
        if not frames:
            raise ConfigError(
                Reason.CONFIG,
                f"profile `{profile}` has windows of {level.window_seconds} s, shorter than one frame",
                "raise frames_per_second",
            )
        levels.append(
            LevelPlan(
                name=level.name,
                unit=unit,
                lut=table,
                tau=pixel_tau,
                cell=level.cell,
                rows=rows,
                columns=columns,
                frames=frames,
                epsilon=level.epsilon,
            )
        )
    return Plan(profile=profile, unit=unit, frame_rate=frame_rate, levels=tuple(levels))
