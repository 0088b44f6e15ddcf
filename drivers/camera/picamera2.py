import gc
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from drivers.camera.base import CameraIdentity
from drivers.camera.controls import fixed_controls
from drivers.camera.installation import import_picamera2
from drivers.camera.plane import Plane, check_plane
from drivers.camera.tuning import black_levels, open_pixelwise, refusal
from drivers.errors import CameraError, CameraReason

_SETTLE_SECONDS = 5.0
_DRIFT = 0.01
_LAST_MOMENT = 0.5
_RAW_FORMAT = re.compile(r"S?(?P<order>[RGB]{4}|R)(?P<bits>8|10|12|14|16)")


@dataclass(frozen=True, slots=True)
class _Sensor:
    """What the camera reported when it was opened; every later frame must agree.

    processor: in `luma`, the gains of the image processor.
    """

    exposure_us: float
    gain: float
    black: int
    processor: tuple[float, ...] = ()


class Picamera2Camera:
    """A Raspberry Pi camera through picamera2 and libcamera.

    `luma` is the Y plane of one YUV420 stream in full range. An image processor stands between sensor and pixel; the
    camera is opened with its tuning made pixelwise (`drivers/camera/tuning.py`) and refused where that cannot be done
    or does not take effect. What has no switch still mixes neighbours: docs/privacy.md says how far.

    `raw` is ours from the sensor on: each pixel is the sum of one 2 x 2 quad of unpacked sensor values, less the black
    level. The raw stream leaves the pipeline before lens shading, gains, demosaic and contrast (on a Pi 4 as it comes
    from the sensor, on a Pi 5 after the front end's constant black level and decompanding table), so no tuning matters.

    Not run on a real Pi: tested with `drivers/emulated/picamera2.py`, written after the sources of picamera2 0.3.38
    and libcamera.

    The camera is configured once, when it is opened: every new configuration fragments the contiguous memory that
    libcamera needs (picamera2 issues 887, 1125).
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        exposure_us: int,
        gain: float,
        stream: Literal["luma", "raw"],
        number: int = 0,
        module: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A camera that gives planes of height x width pixels (in `raw`, the sensor mode has twice as many each way).

        Args:
            width: pixels; a multiple of 64 (128 on a Pi 5) spares the driver rows with padding.
            height: pixels, even.
            exposure_us: fixed exposure time in microseconds.
            gain: fixed analogue gain, at least 1.
            stream: what a pixel is.
            number: which camera, in the order of `rpicam-hello --list-cameras`.
            module: stands for the picamera2 module, and makes the camera `simulated`; None imports the real one
                when the camera is opened.
            clock: seconds; bounds how long opening waits for the settings to hold.
        """
        self._width = width
        self._height = height
        self._exposure_us = exposure_us
        self._gain = gain
        self._stream = stream
        self._number = number
        self._given = module
        self._clock = clock
        self._module: Any = None
        self._camera: Any = None
        self._identity: CameraIdentity | None = None
        self._sensor = _Sensor(exposure_us, gain, 0)
        self._levels: tuple[int, ...] = ()
        self._excess_bits = 0
        self._scratch: NDArray[np.uint16] = np.zeros((0, 0), np.uint16)

    def open(self) -> CameraIdentity:
        """Configure and start the camera, and wait at most 5 seconds until exposure and gain are as asked for.

        Raises CameraError: NOT_INSTALLED, NOT_FOUND, DENIED, BUSY, TIMEOUT, BAD_SOURCE (a size, format or control
        that this camera does not have; in `luma`, a tuning that cannot be made pixelwise or is not used).
        """
        self._module = self._given or import_picamera2()
        cameras = self._listed()
        if self._number >= len(cameras):
            raise CameraError(
                CameraReason.NOT_FOUND,
                f"there is no camera {self._number}",
                "Check the ribbon cable, and list cameras with: rpicam-hello --list-cameras",
            )
        model = str(cameras[self._number].get("Model", "unknown"))
        try:
            self._acquire(model)
            controls = fixed_controls(self._camera.camera_controls, exposure_us=self._exposure_us, gain=self._gain)
            self._camera.configure(self._configuration(controls))
            depth = self._check_configuration(self._camera.camera_configuration())
            self._camera.start()
            self._sensor = self._settle(depth)
        except CameraError:
            self.close()
            raise
        except Exception as error:
            # picamera2 raises RuntimeError for nearly everything, so its text is all there is to tell causes apart.
            self.close()
            raise _unopened(str(error)) from None
        self._scratch = np.zeros((self._height, self._width) if self._stream == "raw" else (0, 0), np.uint16)
        self._identity = CameraIdentity(
            driver="picamera2",
            model=model,
            width=self._width,
            height=self._height,
            max_value=4 * (2**depth - 1) if self._stream == "raw" else 255,
            pixel_source=self._stream,
            simulated=self._given is not None,
        )
        return self._identity

    def read(self, plane: Plane, deadline: float) -> None:
        """Fill the plane with the next frame, copied once, straight from the driver's buffer.

        Raises CameraError: TIMEOUT; CHANGED when the frame was exposed otherwise than at `open`; NOT_FOUND when
        libcamera fails, after which the camera is to be opened again.
        """
        check_plane(self._identity, plane)
        try:
            with self._captured(deadline) as request:
                self._check_metadata(request.get_metadata())
                with self._module.MappedArray(request, self._source, write=False) as mapped:
                    self._copy(mapped.array, plane)
        except CameraError:
            raise
        except Exception as error:
            # Not chained, and named by type only: what a library says about a frame is not ours to repeat.
            raise CameraError(
                CameraReason.NOT_FOUND,
                f"libcamera failed ({type(error).__name__})",
                "Check the ribbon cable, then restart the service.",
            ) from None

    def close(self) -> None:
        """Stop and release the camera. After a fault of the front end libcamera's stop may never return."""
        self._identity = None
        camera, self._camera = self._camera, None
        if camera is None:
            return
        # picamera2's `stop` waits without end for its own thread, which an exception in it has ended; its `close` ends
        # that thread first, and then stops. The camera is given up either way, and close promises not to fail.
        with suppress(Exception):
            camera.close()
        # picamera2 holds itself in a ring of references, and with it libcamera's manager and nodes that it has open.
        del camera
        gc.collect()

    def _listed(self) -> Any:
        try:
            return self._module.Picamera2.global_camera_info()
        except Exception as error:
            # Listing starts libcamera, which raises where the kernel has no media device at all.
            raise CameraError(
                CameraReason.NOT_FOUND,
                f"libcamera does not start: {error}",
                "Check the ribbon cable and camera_auto_detect=1 in /boot/firmware/config.txt, then reboot.",
            ) from None

    def _acquire(self, model: str) -> None:
        if self._stream == "raw":
            self._camera = self._module.Picamera2(self._number)
            return
        self._camera, tuning = open_pixelwise(self._module, self._number, model)
        self._levels = black_levels(tuning)

    @property
    def _source(self) -> str:
        return "raw" if self._stream == "raw" else "main"

    def _configuration(self, controls: dict[str, Any]) -> Any:
        # The preview template is in full-range sYCC; the video one would map grey to 16..235. Requests are not queued
        # ahead, so that a frame is exposed after it was asked for. raw=None: else an unused raw stream takes memory.
        size = (self._width, self._height)
        main = {"size": size if self._stream == "luma" else (320, 240), "format": "YUV420"}
        raw = None
        if self._stream == "raw":
            match = _RAW_FORMAT.match(str(self._camera.sensor_format))
            if match is None:
                raise _no_raw(str(self._camera.sensor_format))
            prefix = "" if match["order"] == "R" else "S"
            raw = {"size": (2 * size[0], 2 * size[1]), "format": f"{prefix}{match['order']}{match['bits']}"}
        return self._camera.create_preview_configuration(
            main=main, lores=None, raw=raw, buffer_count=4, controls=controls, display=None, encode=None, queue=False
        )

    def _check_configuration(self, configuration: Mapping[str, Any]) -> int:
        """Refuse what libcamera has adjusted. Returns the bits of a sensor value."""
        got = configuration[self._source] or {}
        factor = 2 if self._stream == "raw" else 1
        wanted = (self._width * factor, self._height * factor)
        size = tuple(got.get("size", ()))
        if len(size) == 2 and size != wanted:
            raise CameraError(
                CameraReason.BAD_SOURCE,
                f"the camera gives {size[0]} x {size[1]}, not {wanted[0]} x {wanted[1]}",
                f"Set width = {size[0] // factor} and height = {size[1] // factor}; frames are never resized.",
            )
        name = str(got.get("format"))
        if self._stream == "luma":
            if name != "YUV420":
                raise CameraError(
                    CameraReason.BAD_SOURCE, f"the camera gives {name}, not YUV420", 'Use stream = "raw".'
                )
            return 8
        match = _RAW_FORMAT.fullmatch(name)
        if match is None or int(match["bits"]) == 8:
            raise _no_raw(name)
        bits = int(match["bits"])
        depth = int((configuration.get("sensor") or {}).get("bit_depth") or bits)
        if bits not in {16, depth} or depth > 14:
            raise _no_raw(name)
        # A Pi 5 stores a 10-bit value in the upper bits of 16; the lower ones are zero.
        self._excess_bits = bits - depth
        return depth

    def _settle(self, depth: int) -> _Sensor:
        """Wait until a frame has the settings that were asked for; sensors round them to lines and gain steps."""
        end = self._clock() + _SETTLE_SECONDS
        exposure = gain = 0.0
        while (left := end - self._clock()) > 0:
            with self._captured(left) as request:
                metadata = request.get_metadata()
            exposure, gain = _exposure_of(metadata)
            if _near(exposure, self._exposure_us) and _near(gain, self._gain):
                # In units of 16-bit values whatever the sensor's depth (libcamera, control SensorBlackLevels).
                levels = tuple(int(level) for level in metadata.get("SensorBlackLevels") or (0,))
                if self._stream == "raw":
                    return _Sensor(exposure, gain, min(levels) >> (16 - depth))
                if levels != self._levels:
                    raise refusal("libcamera does not use the tuning that it was given")
                return _Sensor(exposure, gain, 0, _processor_of(metadata))
        raise CameraError(
            CameraReason.BAD_SOURCE,
            f"the sensor keeps {exposure:.0f} us at gain {gain:.2f}, not {self._exposure_us} us at {self._gain:.2f}",
            "Set exposure_us and gain to values that the sensor can keep.",
        )

    def _check_metadata(self, metadata: Mapping[str, Any]) -> None:
        # Settings, not pixels: with everything automatic off they do not follow the scene, so this branch says nothing
        # about a frame.
        fixed = (self._sensor.exposure_us, self._sensor.gain, *self._sensor.processor)
        processor = _processor_of(metadata) if self._sensor.processor else ()
        got = (*_exposure_of(metadata), *processor)
        if len(got) != len(fixed) or not all(map(_near, got, fixed)):
            raise CameraError(
                CameraReason.CHANGED, "exposure or gain is no longer what was fixed", "Open the camera again."
            )

    def _copy(self, mapped: NDArray[np.uint8], plane: Plane) -> None:
        height, width = plane.shape
        if self._stream == "luma":
            # Rows above `height` are chroma, columns beyond `width` padding.
            np.copyto(plane, mapped[:height, :width])
            return
        values = mapped.view(np.uint16)[: 2 * height, : 2 * width]
        black = np.uint16(self._sensor.black)
        plane.fill(0)
        try:
            for row in (0, 1):
                for column in (0, 1):
                    np.right_shift(values[row::2, column::2], np.uint16(self._excess_bits), out=self._scratch)
                    np.maximum(self._scratch, black, out=self._scratch)
                    self._scratch -= black
                    np.add(plane, self._scratch, out=plane)
        finally:
            self._scratch.fill(0)

    @contextmanager
    def _captured(self, deadline: float) -> Iterator[Any]:
        """The next request, given back at the end of the block. Raises CameraError(TIMEOUT)."""
        job = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(job, timeout=deadline)
        except TimeoutError:
            self._forget(job)
            raise _late() from None
        try:
            yield request
        finally:
            request.release()

    def _forget(self, job: Any) -> None:
        """Take a job that is late off picamera2's queue, where it would swallow a buffer for ever."""
        # What fails here shows as the next timeout, and leads to reopening. A job that was done meanwhile is not in the
        # queue any more, and holds a buffer that nobody else will give back; of the others `wait` says: cancelled.
        with suppress(Exception):
            self._camera.cancel_all_and_flush()
            self._camera.wait(job, timeout=_LAST_MOMENT).release()


def _exposure_of(metadata: Mapping[str, Any]) -> tuple[float, float]:
    return float(metadata.get("ExposureTime", 0)), float(metadata.get("AnalogueGain", 0))


def _processor_of(metadata: Mapping[str, Any]) -> tuple[float, ...]:
    # A monochrome camera has no colour gains.
    return float(metadata.get("DigitalGain", 1)), *(float(gain) for gain in metadata.get("ColourGains") or ())


def _near(value: float, fixed: float) -> bool:
    return abs(value - fixed) <= _DRIFT * fixed


def _late() -> CameraError:
    return CameraError(CameraReason.TIMEOUT, "no frame came in time", "Check the ribbon cable.")


def _no_raw(name: str) -> CameraError:
    return CameraError(
        CameraReason.BAD_SOURCE,
        f"the sensor's format {name} is not unpacked Bayer of 10 to 14 bits",
        'Use stream = "luma".',
    )


def _unopened(text: str) -> CameraError:
    if "dmaHeap" in text or "Permission" in text:
        return CameraError(CameraReason.DENIED, "the camera may not be used", "Add this user to the group video.")
    if "__init__" in text or "acquire" in text or "busy" in text.lower():
        return CameraError(CameraReason.BUSY, "the camera is in use", "End the program that uses the camera.")
    return CameraError(
        CameraReason.BAD_SOURCE, f"libcamera refuses the camera's settings: {text}", "Check width, height and stream."
    )
