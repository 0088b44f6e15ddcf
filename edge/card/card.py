"""The privacy card of one camera: what its promise means at which distance and for how long."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import msgspec

from edge.card.events import CAR, EVENTS, FACE, STANDING, WALKING, Cost, Event, cost_of
from edge.card.geometry import PinholeCamera
from edge.card.table import LIMITS, Row, nearest, rows
from edge.config import OpenCvSettings, Picamera2Settings, Settings, SyntheticSettings
from edge.errors import ConfigError, Reason
from edge.promise import plan_of
from wire.schema import Unit

LUMA_RIM: Final = 28
"""⌈24/s⌉ + 4 at s = 1: docs/privacy.md, "Luma and raw", for a Pi 5 whatever the mode of its sensor."""
RAW_DEPTHS: Final = (8, 10, 12, 14)
"""Bits of a sensor's pixel; a raw pixel of the frame is the sum of four. Which one is known when it is opened."""

DISTANCES_ARE: Final = (
    "Distances are along the floor, from the point below the camera to the nearest point of the body. The figures "
    "hold wherever in view: near an edge of the picture a body covers more pixels than in its middle."
)
BODIES_ARE: Final = (
    "A body counts as the whole upright cylinder that it fits in: a standing person "
    f"{STANDING.size}, a walking person {WALKING.size}, a face {FACE.size}, a car {CAR.size}."
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the configuration does not know. Lengths in metres, angles in degrees; frame and rim in pixels."""

    lens: float = 62.0
    mounted: float = 2.5
    tilt: float = 15.0
    frame: tuple[int, int] | None = None
    rim: int | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """All that is said, in exact numbers.

    borders: (limit, metres from which a standing person in view for the time of the unit has ε ≤ limit).
    """

    device: str
    profile: str
    unit: Unit
    epsilon: Fraction
    delta: Fraction
    cost_total: Fraction
    frame_rate: Fraction
    camera: PinholeCamera
    assumptions: tuple[str, ...]
    events: tuple[tuple[Event, Cost], ...]
    rows: tuple[Row, ...]
    borders: tuple[tuple[Fraction, float | None], ...]

    @property
    def presence_frames(self) -> int:
        """Frames of all visits of the unit."""
        return self.unit.visits * self.unit.frames


def make_card(settings: Settings, options: Options) -> Card:
    """The card of a configured camera behind the lens that the options tell of.

    Raises:
        ConfigError: an unknown profile, an impossible option, or a frame size that neither tells.
    """
    width, height = _frame(settings, options)
    camera = PinholeCamera(width, height, options.lens, options.mounted, options.tilt, _rim(settings, options))
    privacy = settings.privacy
    if options.profile:
        privacy = msgspec.structs.replace(privacy, profile=options.profile)
    plans = [plan_of(privacy, width=width, height=height, max_value=max_value) for max_value in _max_values(settings)]
    plan = max(plans, key=lambda plan: plan.cost_total)
    unit = plan.unit
    return Card(
        device=settings.device.id,
        profile=plan.profile,
        unit=plan.unit,
        epsilon=plan.epsilon,
        delta=plan.delta,
        cost_total=plan.cost_total,
        frame_rate=plan.frame_rate,
        camera=camera,
        assumptions=_assumptions(settings, options, camera),
        events=tuple((event, cost_of(event, camera, plan)) for event in EVENTS),
        rows=rows(camera, plan),
        borders=tuple((limit, nearest(camera, limit, plan, times=unit.visits, frames=unit.frames)) for limit in LIMITS),
    )


def _frame(settings: Settings, options: Options) -> tuple[int, int]:
    camera = settings.camera
    if isinstance(camera, Picamera2Settings | SyntheticSettings):
        return _same((camera.width, camera.height), options.frame)
    if isinstance(camera, OpenCvSettings) and camera.width and camera.height:
        return _same((camera.width, camera.height), options.frame)
    if options.frame is None:
        raise ConfigError(
            Reason.CONFIG, "the configuration does not say how large the frames are", "add --frame, such as 640x480"
        )
    return options.frame


def _same(configured: tuple[int, int], told: tuple[int, int] | None) -> tuple[int, int]:
    if told not in (None, configured):
        detail = "--frame is another size than the configuration's {} x {}".format(*configured)
        raise ConfigError(Reason.CONFIG, detail, "leave --frame out")
    return configured


def _rim(settings: Settings, options: Options) -> int:
    if options.rim is not None:
        return options.rim
    camera = settings.camera
    return LUMA_RIM if isinstance(camera, Picamera2Settings) and camera.stream == "luma" else 0


def _max_values(settings: Settings) -> tuple[int, ...]:
    camera = settings.camera
    if isinstance(camera, Picamera2Settings) and camera.stream == "raw":
        return tuple(4 * (2**depth - 1) for depth in RAW_DEPTHS)
    return (255,)


def _assumptions(settings: Settings, options: Options, camera: PinholeCamera) -> tuple[str, ...]:
    return (
        f"The lens shows {camera.lens:g}° from the left to the right edge of the frame, and bends no straight lines.",
        f"The camera hangs {camera.mounted:g} m above the floor and looks {camera.tilt:g}° down.",
        f"Frames are {camera.width} x {camera.height} pixels, at most {settings.privacy.frame_rate} each second.",
        _stream(settings, options, camera),
        DISTANCES_ARE,
        BODIES_ARE,
    )


def _stream(settings: Settings, options: Options, camera: PinholeCamera) -> str:
    given = "as --rim says" if options.rim is not None else ""
    rim = f"{camera.rim} pixels to each side of a body change with it"
    match settings.camera:
        case Picamera2Settings(stream="raw"):
            return f"Raw pixels of the sensor: {rim}{', ' + given if given else ''}."
        case Picamera2Settings():
            reason = given or "the most on a Pi 5; for a Pi 4 and older no number is known"
            return f"Luma, as the image processor makes it: {rim} ({reason}; docs/privacy.md)."
        case OpenCvSettings():
            reason = given or "assumed: what a webcam, a video file or a network camera mixes is not known"
            return f"Pixels as another device made them: {rim} ({reason})."
        case _:
            return f"A simulated camera: {rim}{', ' + given if given else ''}; lens and mounting are made up."
