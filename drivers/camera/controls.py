from collections.abc import Mapping
from typing import Any

from drivers.errors import CameraError, CameraReason

_REQUIRED = ("AeEnable", "ExposureTime", "AnalogueGain")


def fixed_controls(advertised: Mapping[str, tuple[Any, Any, Any]], *, exposure_us: int, gain: float) -> dict[str, Any]:
    """The settings of libcamera that keep frames comparable, as far as the camera has them.

    advertised: (lowest, highest, default) of each control; libcamera refuses unknown names only when a frame is due.
    Raises CameraError(BAD_SOURCE) where exposure and gain cannot be fixed at these values.
    """
    for name in _REQUIRED:
        if name not in advertised:
            raise CameraError(
                CameraReason.BAD_SOURCE, f"the camera has no control {name}", "Use a camera with manual exposure."
            )
    for name, value in (("ExposureTime", exposure_us), ("AnalogueGain", gain)):
        low, high = advertised[name][:2]
        # libcamera says 0 for a bound that it does not know before the first configuration.
        if value < low or (high and value > high):
            raise CameraError(
                CameraReason.BAD_SOURCE, f"{name} {value} is not in {low} to {high}", "Choose a value in this range."
            )
    frame_us = max(33_333, exposure_us + 1000)
    wanted: dict[str, Any] = {
        "AeEnable": False,
        "ExposureTime": exposure_us,
        "AnalogueGain": float(gain),
        "FrameDurationLimits": (frame_us, frame_us),
        "AwbEnable": False,
        "ColourGains": (1.0, 1.0),
        "NoiseReductionMode": 0,  # libcamera controls::draft::NoiseReductionModeOff
        "Sharpness": 0.0,
        "AfMode": 0,  # libcamera controls::AfModeManual: a lens that follows the scene moves every pixel
    }
    # A monochrome camera has no colour controls, and most lenses do not move.
    return {name: value for name, value in wanted.items() if name in advertised}
