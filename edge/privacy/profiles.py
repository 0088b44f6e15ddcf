"""What can be promised, by name: the privacy unit, and the windows that keep it."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edge.errors import ConfigError, Reason
from wire.loss import Noise
from wire.schema import Unit

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Level:
    """One schedule of windows. window_seconds: 0 for a single frame. cell: b in pixels.

    epsilon: what it may spend of the profile's; with Gaussian noise its share of ρ is its share of ε.
    """

    name: str
    window_seconds: int
    cell: int
    epsilon: Fraction


@dataclass(frozen=True, slots=True)
class Profile:
    """A promise: `visits` visits, each shorter than visit_seconds (0: one frame), of at most `pixels` pixels.

    delta: 0 with Laplace noise, above 0 with Gaussian noise.
    """

    name: str
    visits: int
    visit_seconds: int
    pixels: int
    levels: tuple[Level, ...]
    noise: Noise = "discrete-laplace"
    delta: Fraction = Fraction(0)

    @property
    def epsilon(self) -> Fraction:
        """What all levels may spend together per unit."""
        return sum((level.epsilon for level in self.levels), Fraction(0))

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


def named(name: str) -> Profile:
    """The profile of this name. Raises ConfigError where there is none."""
    if name not in PROFILES:
        raise ConfigError(Reason.CONFIG, f"there is no profile `{name}`", f"choose one of {', '.join(PROFILES)}")
    return PROFILES[name]
