"""ε of a standing person by distance and time, and from which distance on it stays below a limit."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edge.card.events import STANDING, Event, cost_of, epsilon_of, frames_of
from edge.card.geometry import PinholeCamera, pixels
from edge.privacy.plan import Plan
from edge.privacy.profiles import DAY, HOUR, MINUTE

DISTANCES: Final = (2.0, 3.0, 5.0, 8.0, 13.5, 20.0, 30.0, 50.0)
DURATIONS: Final = (10, MINUTE, 10 * MINUTE, HOUR, 8 * HOUR, DAY)
LIMITS: Final = (Fraction(1, 2), Fraction(1), Fraction(3))
"""Where the colours of the card change."""
FARTHEST: Final = 200.0
"""Metres; beyond, a person is a few pixels and the card says nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """epsilons: one for each of DISTANCES. nearest: metres from which ε ≤ 1, None where not within FARTHEST."""

    seconds: int
    epsilons: tuple[Fraction, ...]
    nearest: float | None


def rows(camera: PinholeCamera, plan: Plan) -> tuple[Row, ...]:
    """One for each of DURATIONS."""

    def epsilon(distance: float, seconds: int) -> Fraction:
        event = Event("a person stands", STANDING, distance, seconds)
        return cost_of(event, camera, plan).epsilon

    return tuple(
        Row(
            seconds,
            tuple(epsilon(distance, seconds) for distance in DISTANCES),
            nearest(camera, Fraction(1), plan, times=1, frames=frames_of(seconds, plan.frame_rate)),
        )
        for seconds in DURATIONS
    )


def nearest(camera: PinholeCamera, limit: Fraction, plan: Plan, *, times: int, frames: int) -> float | None:
    """The distance in metres, rounded up to 0.1, from which a standing person has ε ≤ limit who is seen so often.

    Returns:
        None where that is not so within FARTHEST.
    """

    def allowed(tenths: int) -> bool:
        return epsilon_of(plan, times, frames, pixels(camera, STANDING, tenths / 10)) <= limit

    low, high = -1, round(FARTHEST * 10)
    if not allowed(high):
        return None
    while high - low > 1:  # pixels never grow with the distance
        middle = (low + high) // 2
        low, high = (low, middle) if allowed(middle) else (middle, high)
    return high / 10
