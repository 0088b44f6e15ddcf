"""Things that happen in front of a camera, what they show of themselves, and what that costs."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edge.card.geometry import PinholeCamera, Thing, pixels
from edge.privacy.plan import Plan
from edge.privacy.profiles import DAY, HOUR, MINUTE
from wire.schema import Unit

STANDING: Final = Thing(across=0.5, tall=1.8)
WALKING: Final = Thing(across=0.8, tall=1.8)
"""With the swing of arms and legs."""
FACE: Final = Thing(across=0.25, tall=0.3, above=1.45)
CAR: Final = Thing(across=4.6, tall=1.6)


@dataclass(frozen=True, slots=True)
class Event:
    """`times` times, shorter than `seconds` each, never closer than `distance` metres. thing None: every pixel."""

    name: str
    thing: Thing | None
    distance: float
    seconds: int
    times: int = 1


EVENTS: Final = (
    Event("a visitor walks past", WALKING, 5, MINUTE),
    Event("a visitor stands and looks", STANDING, 13.5, 10 * MINUTE),
    Event("a face near the camera, the face alone", FACE, 2, MINUTE),
    Event("somebody stands at the camera and fills its view", None, 0, 10),
    Event("a cleaner comes on each day of a week", WALKING, 5, 30 * MINUTE, times=7),
    Event("a resident is in view all day", WALKING, 5, DAY),
    Event("a car is parked for an hour", CAR, 10, HOUR),
    Event("a car is parked for a day", CAR, 10, DAY),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """exposure: E in (pixel, frame) pairs, the largest that it can be. epsilon: of the plan."""

    pixels: int
    frames: int
    exposure: int
    epsilon: Fraction


def frames_of(seconds: int, frame_rate: Fraction) -> int:
    """Frames that a presence shorter than this can touch; edge.privacy.profiles.Profile.unit has the reason."""
    return max(1, math.ceil(seconds * frame_rate))


def cost_of(event: Event, camera: PinholeCamera, plan: Plan) -> Cost:
    """What everything published, for ever, can tell of an event at most."""
    covered = camera.width * camera.height
    if event.thing is not None:
        covered = pixels(camera, event.thing, event.distance)
    each = frames_of(event.seconds, plan.frame_rate)
    epsilon = epsilon_of(plan, event.times, each, covered)
    return Cost(covered, event.times * each, covered * event.times * each, epsilon)


def epsilon_of(plan: Plan, times: int, frames: int, covered: int) -> Fraction:
    """ε of being seen `times` times, in so many frames each, with so many pixels."""
    return plan.epsilon_of(Unit(visits=times, seconds=0, frames=frames, pixels=covered)) if covered else Fraction(0)
