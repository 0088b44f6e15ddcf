"""What one window of each profile takes from an entropy source."""

from collections.abc import Iterator
from dataclasses import dataclass

from msgspec import structs

from edge.config import CameraSettings, Picamera2Settings, Settings
from edge.errors import ConfigError
from edge.privacy.profiles import PROFILES
from edge.privacy.sampling.allotment import allotment
from edge.privacy.sampling.sampler import Sampler
from edge.promise import PrivacySettings, plan_of

_RAW_10_BITS = 4 * 1023
"""The largest value of a pixel that is the sum of 2 x 2 sensor pixels of 10 bits."""
_GREY = 255
_ELSEWHERE = (640, 480)
"""Width and height where the settings leave them to the camera."""


@dataclass(frozen=True, slots=True)
class Need:
    """size: bytes of full entropy for the noise of one window. every: seconds between windows, 0 for each frame."""

    profile: str
    level: str
    every: int
    cells: int
    size: int


def frame_of(settings: Settings | None) -> tuple[int, int, int]:
    """Width, height and largest pixel value of the camera, as far as the settings tell; a Pi camera's where None."""
    camera: CameraSettings = Picamera2Settings() if settings is None else settings.camera
    width = getattr(camera, "width", None) or _ELSEWHERE[0]
    height = getattr(camera, "height", None) or _ELSEWHERE[1]
    raw = isinstance(camera, Picamera2Settings) and camera.stream == "raw"
    return width, height, _RAW_10_BITS if raw else _GREY


def needs(settings: Settings | None) -> Iterator[Need]:
    """Every level of every profile that fits the camera, with absolute windows."""
    privacy = PrivacySettings() if settings is None else settings.privacy
    width, height, largest = frame_of(settings)
    for name, profile in PROFILES.items():
        try:
            plan = plan_of(structs.replace(privacy, profile=name), width=width, height=height, max_value=largest)
        except ConfigError:  # a frame too small, or a window shorter than a frame
            continue
        for plan_level, level in zip(plan.levels, profile.levels, strict=True):
            mechanism = plan_level.mechanism(None)
            cells = mechanism.rows * mechanism.columns
            sampler = Sampler(mechanism.law)
            yield Need(name, level.name, level.window_seconds, cells, allotment(sampler, cells))
