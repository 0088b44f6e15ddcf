import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_BUFFERS = 4
_PADDING = 32


class CameraFault(StrEnum):
    """The ways in which the emulated camera can break.

    TIMEOUT: no frames arrive. CANCELLED: the front end has failed, its requests vanish until the camera is stopped
    and started. HANG_IN_STOP: as CANCELLED, and `stop` does not return until `let_go` is set. MISSING_CONTROL:
    AnalogueGain is not advertised. WRONG_FORMAT: libcamera adjusts what was asked for to another format.
    EXPOSURE_DRIFT: the sensor doubles its exposure unasked. BUSY: another process has the camera.
    """

    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    HANG_IN_STOP = "hang-in-stop"
    MISSING_CONTROL = "missing-control"
    WRONG_FORMAT = "wrong-format"
    EXPOSURE_DRIFT = "exposure-drift"
    BUSY = "busy"


@dataclass(eq=False)
class EmulatedPicamera2:
    """The part of the module picamera2 that our driver uses, in software and with faults. Never chosen by itself.

    Give it to `Picamera2Camera(module=...)`; the identity then says `simulated`. Scenes are noise drawn from `seed`.
    Set `fault` at any time, None to mend it. As in the real one, a capture that times out leaves a job behind that
    swallows a buffer, unless `cancel_all_and_flush` takes it away; with no buffer left, no frame comes.
    A deadline is not waited for: a frame that will not come times out at once.

    leaked: requests not released yet. stuck_jobs: captures that timed out and were not flushed. opened: how many
    cameras were made. sensor_bits, packed_bits: bits of a raw value, and of the word whose upper end it fills.
    black: the black level that is reported, for 16-bit values whatever the sensor's depth.
    """

    seed: int = 1
    sensor_bits: int = 10
    packed_bits: int = 10
    black: int = 4096
    cameras: int = 1
    fault: CameraFault | None = None
    leaked: int = 0
    stuck_jobs: int = 0
    opened: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def Picamera2(self) -> Any:  # noqa: N802 -- the name of the class in the module that this stands for
        """The class of cameras."""
        return _CameraClass(self)

    @staticmethod
    def MappedArray(request: "_Request", stream: str, *, write: bool = True) -> Any:  # noqa: N802 -- as above
        """A buffer of a request as a read-only array, padding included."""
        if write:
            raise ValueError("the driver maps frames for reading only")
        return _Mapped(request.buffers[stream])


class _CameraClass:
    def __init__(self, module: EmulatedPicamera2) -> None:
        self._module = module

    def global_camera_info(self) -> list[dict[str, Any]]:
        return [
            {"Model": "emulated", "Num": number, "Id": f"/emulated/{number}"} for number in range(self._module.cameras)
        ]

    def __call__(self, number: int = 0) -> "_Camera":
        if self._module.fault is CameraFault.BUSY:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self._module.opened += 1
        return _Camera(self._module, number)


class _Camera:
    def __init__(self, module: EmulatedPicamera2, number: int) -> None:
        self._module = module
        self._number = number
        self._configuration: dict[str, Any] = {}
        self._controls: dict[str, Any] = {}
        self._started = False
        self._failed = False
        self._frame = 0
        self.sensor_format = f"SBGGR{module.sensor_bits}_CSI2P"

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        controls: dict[str, tuple[Any, Any, Any]] = {
            "AeEnable": (False, True, True),
            "ExposureTime": (100, 1_000_000, 20_000),
            "AnalogueGain": (1.0, 16.0, 1.0),
            "AwbEnable": (False, True, True),
            "ColourGains": (0.0, 32.0, 0.0),
            "NoiseReductionMode": (0, 4, 0),
            "Sharpness": (0.0, 16.0, 1.0),
            "FrameDurationLimits": (16_667, 1_000_000, 33_333),
        }
        if self._module.fault is CameraFault.MISSING_CONTROL:
            del controls["AnalogueGain"]
        return controls

    def create_preview_configuration(self, **parts: Any) -> dict[str, Any]:
        return parts

    def configure(self, configuration: dict[str, Any]) -> None:
        unknown = set(configuration["controls"]) - set(self.camera_controls)
        if unknown:
            raise RuntimeError(f"Control {min(unknown)} is not advertised by libcamera")
        self._controls = dict(configuration["controls"])
        streams = {name: dict(configuration[name]) for name in ("main", "raw") if configuration[name]}
        if self._module.fault is CameraFault.WRONG_FORMAT:
            for stream in streams.values():
                stream["format"] = "NV12" if stream["format"] == "YUV420" else "SBGGR10_CSI2P"
        elif "raw" in streams and self._module.packed_bits == 16:
            streams["raw"]["format"] = "SBGGR16"
        self._configuration = {"raw": None, **streams, "sensor": {"bit_depth": self._module.sensor_bits}}

    def camera_configuration(self) -> dict[str, Any]:
        return self._configuration

    def start(self) -> None:
        self._started = True
        self._failed = False

    def stop(self) -> None:
        if self._module.fault is CameraFault.HANG_IN_STOP:
            self._module.let_go.wait()
        self._started = False

    def close(self) -> None:
        self._started = False
        self._module.stuck_jobs = 0

    def cancel_all_and_flush(self) -> None:
        self._module.stuck_jobs = 0

    @contextmanager
    def captured_request(self, wait: float | None = None) -> Iterator["_Request"]:
        if wait is None or not self._started:
            raise RuntimeError("a capture without a deadline, or from a camera that is not started, would never return")
        fault = self._module.fault
        self._failed |= fault in {CameraFault.CANCELLED, CameraFault.HANG_IN_STOP}
        if self._failed or fault is CameraFault.TIMEOUT or self._module.stuck_jobs + self._module.leaked >= _BUFFERS:
            self._module.stuck_jobs += 1
            raise TimeoutError
        self._module.leaked += 1
        try:
            yield self._request()
        finally:
            self._module.leaked -= 1

    def _request(self) -> "_Request":
        self._frame += 1
        random = np.random.default_rng((self._module.seed, self._frame))
        factor = 2 if self._module.fault is CameraFault.EXPOSURE_DRIFT else 1
        metadata = {
            "ExposureTime": self._controls["ExposureTime"] * factor,
            "AnalogueGain": self._controls["AnalogueGain"],
            "SensorBlackLevels": (self._module.black,) * 4,
        }
        buffers = {"main": self._luma(random)}
        if self._configuration["raw"]:
            buffers["raw"] = self._raw(random)
        return _Request(metadata, buffers)

    def _luma(self, random: np.random.Generator) -> NDArray[np.uint8]:
        width, height = self._configuration["main"]["size"]
        return random.integers(0, 256, (height * 3 // 2, width + _PADDING), np.uint8)

    def _raw(self, random: np.random.Generator) -> NDArray[np.uint8]:
        width, height = self._configuration["raw"]["size"]
        values = random.integers(0, 2**self._module.sensor_bits, (height, width + _PADDING), np.uint16)
        if self._module.packed_bits == 16:
            values <<= 16 - self._module.sensor_bits
        return values.view(np.uint8)


class _Request:
    def __init__(self, metadata: dict[str, Any], buffers: dict[str, NDArray[np.uint8]]) -> None:
        self._metadata = metadata
        self.buffers = buffers

    def get_metadata(self) -> dict[str, Any]:
        return self._metadata


class _Mapped:
    def __init__(self, array: NDArray[np.uint8]) -> None:
        self.array = array.view()
        self.array.flags.writeable = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        del self.array
