import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from drivers.emulated.tuning import emulated_tuning

_BUFFERS = 4
_PADDING = 32
_VARIABLE = "LIBCAMERA_RPI_TUNING_FILE"


class CameraFault(StrEnum):
    """The ways in which the emulated camera can break.

    TIMEOUT: no frames arrive. CANCELLED: the front end has failed, its requests vanish until the camera is stopped
    and started. HANG_IN_STOP: as CANCELLED, and `stop` does not return until `let_go` is set. DEAD_LOOP: the thread of
    picamera2 has ended: as HANG_IN_STOP, but `close` does without it. LATE: a frame comes between its deadline and the
    end of its job. MISSING_CONTROL: AnalogueGain is not advertised. WRONG_FORMAT: libcamera adjusts what was asked for
    to another format. EXPOSURE_DRIFT: the sensor doubles its exposure unasked. GAIN_DRIFT: the image processor doubles
    its digital gain. BUSY: another process has the camera. NO_MANAGER: libcamera does not start. NO_LOADER, NO_TUNING:
    a picamera2 that cannot load, or take, a tuning. DEAF: the manager of libcamera lives on when the camera is closed,
    with the tuning that it has read.
    """

    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    HANG_IN_STOP = "hang-in-stop"
    DEAD_LOOP = "dead-loop"
    LATE = "late"
    MISSING_CONTROL = "missing-control"
    WRONG_FORMAT = "wrong-format"
    EXPOSURE_DRIFT = "exposure-drift"
    GAIN_DRIFT = "gain-drift"
    BUSY = "busy"
    NO_MANAGER = "no-manager"
    NO_LOADER = "no-loader"
    NO_TUNING = "no-tuning"
    DEAF = "deaf"


@dataclass(eq=False)
class EmulatedPicamera2:
    """The part of the module picamera2 that our driver uses, in software and with faults. Never chosen by itself.

    Give it to `Picamera2Camera(module=...)`; the identity then says `simulated`. Scenes are noise drawn from `seed`.
    Set `fault` at any time, None to mend it. As in the real one, a capture that times out leaves a job behind that
    swallows a buffer, unless `cancel_all_and_flush` takes it away; with no buffer left, no frame comes.
    A deadline is not waited for: a frame that will not come times out at once.

    As in the real one, the tuning in force is the one that was given when the manager started, which listing the
    cameras does, and the manager ends when the camera is closed. A tuning is given by a file that is gone once the
    camera is open; a manager that starts with its name in the environment still finds no camera.

    leaked: requests not released yet. stuck_jobs: captures that timed out and were not flushed. opened: how many
    cameras were configured. sensor_bits, packed_bits: bits of a raw value, and of the word whose upper end it fills.
    black: the black level of the tuning, for 16-bit values whatever the sensor's depth. mono: a sensor without colours.
    tuning: what the camera's file says, None for one with everything adaptive on. loaded: the names of files that were
    loaded. given: the tuning that was last given, None for the camera's own. in_force: the one that is used.
    """

    seed: int = 1
    sensor_bits: int = 10
    packed_bits: int = 10
    black: int = 4096
    cameras: int = 1
    mono: bool = False
    tuning: dict[str, Any] | None = None
    loaded: list[str] = field(default_factory=list)
    given: dict[str, Any] | None = None
    in_force: dict[str, Any] | None = None
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
        if self._module.fault is CameraFault.NO_MANAGER:
            raise RuntimeError("Failed to start CameraManager: No such device")
        if self._module.in_force is None and _VARIABLE in os.environ:
            return []
        self._start_manager()
        return [
            {"Model": "emulated", "Num": number, "Id": f"/emulated/{number}"} for number in range(self._module.cameras)
        ]

    @property
    def load_tuning_file(self) -> Callable[[str], dict[str, Any]]:
        if self._module.fault is CameraFault.NO_LOADER:
            raise AttributeError("load_tuning_file")
        return self._load

    def __call__(self, number: int = 0, **options: Any) -> "_Camera":
        if options and self._module.fault is CameraFault.NO_TUNING:
            raise TypeError("unexpected keyword argument 'tuning'")
        if self._module.fault is CameraFault.BUSY:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self._module.given = options.get("tuning")
        os.environ.pop(_VARIABLE, None)
        if self._module.given is not None:
            os.environ[_VARIABLE] = "/emulated/gone.json"
        self._start_manager()
        return _Camera(self._module, number)

    def _start_manager(self) -> None:
        module = self._module
        if module.in_force is None:
            module.in_force = module.given or self._file()

    def _file(self) -> dict[str, Any]:
        module = self._module
        return module.tuning or emulated_tuning(black=module.black, mono=module.mono)

    def _load(self, name: str) -> dict[str, Any]:
        if name != ("emulated_mono.json" if self._module.mono else "emulated.json"):
            raise RuntimeError("Tuning file not found")
        self._module.loaded.append(name)
        return self._file()


class _Camera:
    def __init__(self, module: EmulatedPicamera2, number: int) -> None:
        self._module = module
        self._number = number
        self._configuration: dict[str, Any] = {}
        self._controls: dict[str, Any] = {}
        self._started = False
        self._failed = False
        self._frame = 0
        self._late: list[_Job] = []
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
            "AfMode": (0, 2, 0),
        }
        if self._module.mono:
            del controls["AwbEnable"], controls["ColourGains"]
        if self._module.fault is CameraFault.MISSING_CONTROL:
            del controls["AnalogueGain"]
        return controls

    def create_preview_configuration(self, **parts: Any) -> dict[str, Any]:
        return parts

    def configure(self, configuration: dict[str, Any]) -> None:
        unknown = set(configuration["controls"]) - set(self.camera_controls)
        if unknown:
            raise RuntimeError(f"Control {min(unknown)} is not advertised by libcamera")
        self._module.opened += 1
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
        if self._module.fault in {CameraFault.HANG_IN_STOP, CameraFault.DEAD_LOOP}:
            self._module.let_go.wait()
        self._started = False

    def close(self) -> None:
        if self._module.fault is not CameraFault.DEAD_LOOP:
            self.stop()
        self._started = False
        self._module.stuck_jobs = 0
        if self._module.fault is not CameraFault.DEAF:
            self._module.in_force = None

    def capture_request(self, *, wait: bool) -> "_Job":
        if wait or not self._started:
            raise RuntimeError("a capture without a deadline, or from a camera that is not started, would never return")
        return _Job()

    def wait(self, job: "_Job", timeout: float) -> "_Request":
        if job.cancelled:
            raise CancelledError
        if job.request is not None:
            return job.request
        fault, module = self._module.fault, self._module
        self._failed |= fault in {CameraFault.CANCELLED, CameraFault.HANG_IN_STOP, CameraFault.DEAD_LOOP}
        none_left = module.stuck_jobs + module.leaked >= _BUFFERS
        if self._failed or fault is CameraFault.TIMEOUT or none_left or timeout <= 0:
            module.stuck_jobs += 1
            self._late.append(job)
            raise TimeoutError
        job.request = self._request()
        if fault is CameraFault.LATE:
            raise TimeoutError
        return job.request

    def cancel_all_and_flush(self) -> None:
        self._module.stuck_jobs = 0
        while self._late:
            self._late.pop().cancelled = True

    def _request(self) -> "_Request":
        self._frame += 1
        random = np.random.default_rng((self._module.seed, self._frame))
        factor = 2 if self._module.fault is CameraFault.EXPOSURE_DRIFT else 1
        metadata = {
            "ExposureTime": self._controls["ExposureTime"] * factor,
            "AnalogueGain": self._controls["AnalogueGain"],
            "DigitalGain": 2.0 if self._module.fault is CameraFault.GAIN_DRIFT else 1.0,
            "SensorBlackLevels": self._black_levels(),
        }
        if not self._module.mono:
            metadata["ColourGains"] = self._controls["ColourGains"]
        buffers = {"main": self._luma(random)}
        if self._configuration["raw"]:
            buffers["raw"] = self._raw(random)
        self._module.leaked += 1
        return _Request(metadata, buffers, self._module)

    def _black_levels(self) -> tuple[int, int, int, int]:
        tuning = self._module.in_force or {}
        stages = {stage: values for entry in tuning.get("algorithms", [tuning]) for stage, values in entry.items()}
        level = stages["rpi.black_level"].get("black_level", 4096)
        red, green, blue = (stages["rpi.black_level"].get(f"black_level_{colour}", level) for colour in "rgb")
        return red, green, green, blue

    def _luma(self, random: np.random.Generator) -> NDArray[np.uint8]:
        width, height = self._configuration["main"]["size"]
        return random.integers(0, 256, (height * 3 // 2, width + _PADDING), np.uint8)

    def _raw(self, random: np.random.Generator) -> NDArray[np.uint8]:
        width, height = self._configuration["raw"]["size"]
        values = random.integers(0, 2**self._module.sensor_bits, (height, width + _PADDING), np.uint16)
        if self._module.packed_bits == 16:
            values <<= 16 - self._module.sensor_bits
        return values.view(np.uint8)


@dataclass(eq=False)
class _Job:
    request: "_Request | None" = None
    cancelled: bool = False


class _Request:
    def __init__(
        self, metadata: dict[str, Any], buffers: dict[str, NDArray[np.uint8]], module: EmulatedPicamera2
    ) -> None:
        self._metadata = metadata
        self.buffers = buffers
        self._module = module

    def release(self) -> None:
        self._module.leaked -= 1

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
