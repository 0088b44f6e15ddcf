"""The tuning of a Raspberry Pi camera, without the stages by which one pixel depends on others.

libcamera's image processor has one stage per algorithm of a tuning file. The tables below are from its source
(raspberrypi/libcamera, src/ipa/rpi: controller/rpi/*.cpp, vc4/vc4.cpp, pisp/pisp.cpp). A stage that none of them names
is refused: what it does is not known here.
"""

import gc
import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from drivers.errors import CameraError, CameraReason


@dataclass(frozen=True, slots=True)
class Fix:
    """`put`: keys of the stage and their values. `cut`: keys that are taken out. `reason`: what it does otherwise."""

    reason: str
    put: Mapping[str, Any] = field(default_factory=dict)
    cut: tuple[str, ...] = ()


FIXED: Final = {
    "rpi.contrast": Fix(
        "on unless told otherwise: stretches the gamma curve by the histogram of the whole image",
        {"ce_enable": 0, "lo_max": 0, "hi_max": 0},
    ),
    "rpi.alsc": Fix(
        "evens out colours over the whole image and follows its colour temperature; the table of the lens stays",
        {"n_iter": 0},
        ("calibrations_Cr", "calibrations_Cb"),
    ),
    "rpi.ccm": Fix(
        "follows the colour temperature, and by `saturation` the brightness of the whole image",
        {"ccms": [{"ct": 4500, "ccm": [1, 0, 0, 0, 1, 0, 0, 0, 1]}]},
        ("saturation",),
    ),
    "rpi.geq": Fix(
        "mixes neighbouring greens, and by `strength` follows the brightness of the whole image",
        {"offset": 0, "slope": 0.0},
        ("strength",),
    ),
    "rpi.dpc": Fix("replaces a pixel by its neighbours", {"strength": 0}),
    "rpi.sdn": Fix("mixes neighbours; off by NoiseReductionMode too", {"deviation": 0.0, "strength": 0.0}),
    "rpi.sharpen": Fix("mixes neighbours; off by Sharpness too", {"strength": 0.0, "limit": 0.0}),
    "rpi.awb": Fix("adapts until AwbEnable and ColourGains fix it: to be the stage that these controls reach"),
    "rpi.black_level": Fix("is constant; a mark is put on it, see black_levels"),
}

REMOVED: Final = {
    "rpi.denoise": "mixes neighbours (sdn, cdn) and frames (tdn); on a Pi 5 these are off where no stage asks for them",
    "rpi.hdr": "stitches frames, and makes gains and a tone map from the image",
    "rpi.tonemap": "maps tones by their surroundings",
    "rpi.cac": "shifts red and blue between neighbours",
    "rpi.nn.awb": "adapts, and a second stage of white balance is out of reach for the controls",
}

KEPT: Final = {
    "rpi.agc": "fixed by AeEnable, ExposureTime and AnalogueGain; what it does is checked on every frame",
    "rpi.af": "fixed by AfMode",
    "rpi.decompand": "a constant table",
    "rpi.focus": "measures only",
    "rpi.lux": "measures only; its readers above are fixed",
    "rpi.noise": "a constant profile",
    "rpi.saturation": "constant shifts of each pixel",
    "rpi.sync": "the time of frames",
}

# A Pi 4 leaves these at the firmware's own choice where a tuning has no such stage; a Pi 5 has them off.
_NAMED_ON_VC4 = ("rpi.dpc", "rpi.geq", "rpi.sdn", "rpi.sharpen")
_LEVELS = ("black_level_r", "black_level_g", "black_level_b")


def pixelwise(tuning: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a tuning (version 1 or 2) in which what adapts to the image or mixes pixels or frames is off or fixed.

    What remains: the demosaic, the filter against false colours and the scaler, which have no switch (docs/privacy.md).
    Raises CameraError(BAD_SOURCE) for a tuning that it does not understand.
    """
    target = tuning.get("target", "bcm2835")
    if target not in {"bcm2835", "pisp"}:
        raise refusal(f"the tuning is for an image processor {target!r} that is not known")
    stages = _stages(tuning)
    for stage, values in stages.items():
        if stage in FIXED:
            _fix(values, FIXED[stage])
        elif stage not in KEPT and stage not in REMOVED:
            raise refusal(f"the tuning has a stage {stage!r} that is not known")
    for stage in REMOVED:
        stages.pop(stage, None)
    if "rpi.black_level" not in stages:
        raise refusal("the tuning has no rpi.black_level")
    _mark(stages["rpi.black_level"])
    if target == "bcm2835":
        for stage in _NAMED_ON_VC4:
            stages.setdefault(stage, dict(FIXED[stage].put))
    if tuning.get("version", 1) == 1:
        return {"target": target, **stages}
    return {"version": 2.0, "target": target, "algorithms": [{stage: values} for stage, values in stages.items()]}


def black_levels(tuning: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """SensorBlackLevels of frames that are made with a tuning from `pixelwise`, and with no other.

    They are 1 above those of the file, in units of 1/65536 of the range: the camera's way to say which tuning it uses.
    """
    red, green, blue = (_stages(tuning)["rpi.black_level"][key] for key in _LEVELS)
    return red, green, green, blue


def open_pixelwise(module: Any, number: int, model: str) -> tuple[Any, dict[str, Any]]:
    """Camera `number` of a picamera2 module, with the tuning of its sensor made `pixelwise`, and that tuning.

    Raises CameraError(BAD_SOURCE) where that cannot be done.
    """
    # libcamera reads a tuning once, when its manager starts, and listing the cameras has started it: a tuning given now
    # would be ignored in silence. Closing the only camera ends the manager, unless something points to it still
    # (picamera2 issue 886). A manager that lives on all the same shows in the black level.
    probe = module.Picamera2(number)
    try:
        mono = "ColourGains" not in probe.camera_controls
    finally:
        probe.close()
    del probe
    gc.collect()
    tuning = pixelwise(_load(module, f"{model}_mono.json" if mono else f"{model}.json"))
    try:
        return module.Picamera2(number, tuning=tuning), tuning
    except TypeError:
        raise refusal("this picamera2 is too old to take a tuning") from None
    finally:
        # picamera2 gives the tuning by a file that is gone by now; a manager that starts later would look for it, and
        # find no camera.
        os.environ.pop("LIBCAMERA_RPI_TUNING_FILE", None)


def refusal(detail: str) -> CameraError:
    """BAD_SOURCE, with the way out."""
    return CameraError(
        CameraReason.BAD_SOURCE,
        f"{detail}, so the image processor cannot be kept from mixing pixels",
        'Use stream = "raw", which does not need it.',
    )


def _load(module: Any, name: str) -> Mapping[str, Any]:
    try:
        tuning = module.Picamera2.load_tuning_file(name)
    except AttributeError:
        raise refusal("this picamera2 is too old to load a tuning") from None
    except (RuntimeError, OSError, ValueError):
        raise refusal(f"there is no tuning {name} that can be read") from None
    if not isinstance(tuning, Mapping):
        raise refusal(f"the tuning {name} has no stages")
    return tuning


def _stages(tuning: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Copies of the stages in their order, which is the order in which they run."""
    version = tuning.get("version", 1)
    entries: Any
    if version == 1:
        entries = [{stage: values} for stage, values in tuning.items() if stage not in {"version", "target"}]
    elif version == 2:
        entries = tuning.get("algorithms")
    else:
        raise refusal(f"the tuning has version {version!r}")
    stages: dict[str, dict[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else [None]:
        for stage, values in entry.items() if isinstance(entry, dict) else [("", None)]:
            if not isinstance(values, dict) or stage in stages:
                raise refusal(f"the tuning has a stage {stage!r} twice or without values")
            stages[stage] = deepcopy(values)
    return stages


def _fix(values: dict[str, Any], fix: Fix) -> None:
    # Newer versions of libcamera skip a stage that is not `enabled`, and the hardware may then do as it likes.
    for key in ("enabled", *fix.cut):
        values.pop(key, None)
    values.update(deepcopy(dict(fix.put)))


def _mark(values: dict[str, Any]) -> None:
    level = values.pop("black_level", 4096)
    for key in _LEVELS:
        got = values.get(key, level)
        if type(got) is not int or not 0 <= got < 65535:
            raise refusal("the tuning has a black level that is not known")
        values[key] = got + 1
