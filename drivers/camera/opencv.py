import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.camera.base import CameraIdentity
from drivers.camera.live import LiveReader
from drivers.camera.plane import Plane, check_plane
from drivers.errors import CameraError, CameraReason

_NETWORK_TIMEOUT_MS = 5000
_RTSP = ("rtsp://", "rtsps://")
_V4L2_MANUAL_EXPOSURE = 1


class OpenCvCamera:
    """What OpenCV plays: a webcam, a video file, an RTSP stream.

    Luma is OpenCV's fixed integer weighting of BGR (cvtColor BGR2GRAY), pixel by pixel: no filter, no resize. Between
    sensor and pixel stands the camera's own processor and a codec, which the statement names as `luma`.

    Exposure: on a webcam automatic exposure, white balance and focus are switched off, and one whose exposure does not
    obey is refused: one bright shirt would change every pixel, which no privacy unit counts. An RTSP camera cannot be
    told, so it is refused too, unless `exposure_fixed` says that somebody has fixed it in the camera's own settings.
    """

    def __init__(
        self,
        *,
        source: str | int,
        width: int | None,
        height: int | None,
        live: bool,
        exposure_fixed: bool = False,
    ) -> None:
        """A camera over `source`: a webcam's number or /dev/video path, an rtsp:// address, or a video file's path.

        width, height: the size expected in pixels; None takes what the source has. live: whether the source is a
        camera now; False is for files, which are `simulated` and end. exposure_fixed: take it from the operator that
        exposure, gain and white balance do not change.
        """
        self._source = source
        self._width = width
        self._height = height
        self._live = live
        self._capture: Any = None
        self._reader: LiveReader | None = None
        self._bgr: NDArray[np.uint8] | None = None
        self._identity: CameraIdentity | None = None
        self._exposure_fixed = exposure_fixed

    def open(self) -> CameraIdentity:
        """Open the source, a live one within 15 seconds.

        Raises CameraError: NOT_INSTALLED (no OpenCV), NOT_FOUND, BUSY (an earlier opening still hangs), TIMEOUT,
        BAD_SOURCE (the size differs, `live` does not suit the source, or its exposure is not fixed).
        """
        cv2 = _import_cv2()
        self._check_source()
        if self._live:
            if self._reader is not None and self._reader.is_alive():
                raise CameraError(
                    CameraReason.BUSY, f"{self._name} still hangs", "Reconnect the camera, or restart the service."
                )
            self._reader = LiveReader(lambda: self._open_capture(cv2), lambda bgr, grey: _to_grey(cv2, bgr, grey))
            try:
                size = self._reader.open(15.0)
                self._check_size(size)
            except CameraError:
                self._reader.close()
                raise
        else:
            self._capture = self._open_capture(cv2)
            size = _size(cv2, self._capture)
            try:
                self._check_size(size)
            except CameraError:
                self.close()
                raise
            self._bgr = np.zeros((size[1], size[0], 3), np.uint8)
        self._identity = CameraIdentity("opencv", self._name, size[0], size[1], 255, "luma", simulated=not self._live)
        return self._identity

    def read(self, plane: Plane, deadline: float) -> None:
        """Fill the plane: of a file with the next frame, of a live source with its newest.

        Raises CameraError: TIMEOUT (live), ENDED (file), NOT_FOUND (a live source is gone), CHANGED (another size).
        """
        check_plane(self._identity, plane)
        if self._reader is not None:
            self._reader.read(plane, deadline)
            return
        cv2 = _import_cv2()
        good, frame = self._capture.read(self._bgr)
        if not good:
            raise CameraError(CameraReason.ENDED, f"the {self._name} has ended", "Nothing needs to be done.")
        try:
            _to_grey(cv2, frame, plane)
        finally:
            frame.fill(0)

    def close(self) -> None:
        """Release the source; one that hangs is released by its own thread when it returns."""
        self._identity = None
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        if self._bgr is not None:
            self._bgr.fill(0)
            self._bgr = None
        if self._reader is not None:
            self._reader.close()
            # A reader that hangs is remembered, so that a second one is not started beside it.
            self._reader = self._reader if self._reader.is_alive() else None

    @property
    def _name(self) -> str:
        """What the source is, without its address: that may hold a password, and a path tells about its owner."""
        if isinstance(self._source, int) or self._source.startswith("/dev/video"):
            return f"webcam {self._source}"
        return "RTSP stream" if self._source.lower().startswith(_RTSP) else "video file"

    def _check_source(self) -> None:
        is_file = self._name == "video file"
        if is_file and self._live:
            raise CameraError(
                CameraReason.BAD_SOURCE,
                "a video file is not a live camera",
                "Set live = false; its observations then say that they are simulated.",
            )
        if not is_file and not self._live:
            raise CameraError(CameraReason.BAD_SOURCE, f"a {self._name} is live", "Set live = true.")
        if self._name == "RTSP stream" and not self._exposure_fixed:
            raise self._unfixed()
        if is_file and not Path(str(self._source)).is_file():
            raise CameraError(
                CameraReason.NOT_FOUND, f"there is no video file {self._source}", "Check the path of the source."
            )

    def _check_size(self, size: tuple[int, int]) -> None:
        expected = (self._width or size[0], self._height or size[1])
        if size != expected:
            raise CameraError(
                CameraReason.BAD_SOURCE,
                f"the {self._name} is {size[0]} x {size[1]}, not {expected[0]} x {expected[1]}",
                f"Set width = {size[0]} and height = {size[1]}, or neither; frames are never resized.",
            )

    def _open_capture(self, cv2: Any) -> Any:
        source: str | int = self._source
        options: list[int] = []
        backend = cv2.CAP_FFMPEG if cv2.videoio_registry.hasBackend(cv2.CAP_FFMPEG) else cv2.CAP_ANY
        if self._name.startswith("webcam"):
            backend = cv2.CAP_V4L2
        elif self._name == "RTSP stream":
            options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _NETWORK_TIMEOUT_MS]
            options += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, _NETWORK_TIMEOUT_MS]
        with _silent(cv2):
            capture = cv2.VideoCapture(source, backend, options)
            opened = capture.isOpened()
            fixed = not opened or backend != cv2.CAP_V4L2 or self._set_up_webcam(cv2, capture)
        if not opened or not fixed:
            capture.release()
            raise self._unfixed() if opened else self._unopened()
        return capture

    def _unfixed(self) -> CameraError:
        return CameraError(
            CameraReason.BAD_SOURCE,
            f"the exposure of the {self._name} is not known to be fixed",
            "Fix exposure, gain and white balance in the camera's own settings, then set exposure_fixed = true.",
        )

    def _unopened(self) -> CameraError:
        if self._name == "video file":
            return CameraError(
                CameraReason.BAD_SOURCE, f"{self._source} is not a video that OpenCV reads", "Convert or replace it."
            )
        device = f"/dev/video{self._source}" if isinstance(self._source, int) else self._source
        if self._name.startswith("webcam") and Path(device).exists():
            if not os.access(device, os.R_OK | os.W_OK):
                return CameraError(
                    CameraReason.DENIED, f"{device} may not be used", "Add this user to the group video."
                )
            return CameraError(CameraReason.BUSY, f"{device} gives no video", "End the program that uses the camera.")
        return CameraError(
            CameraReason.NOT_FOUND, f"the {self._name} does not answer", "Check its number or address, and its cable."
        )

    def _set_up_webcam(self, cv2: Any, capture: Any) -> bool:
        """Ask for size and fixed settings; whether exposure obeys, or is said to."""
        if self._width:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._width)
        if self._height:
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._height)
        capture.set(cv2.CAP_PROP_AUTO_EXPOSURE, _V4L2_MANUAL_EXPOSURE)
        capture.set(cv2.CAP_PROP_AUTO_WB, 0)
        capture.set(cv2.CAP_PROP_AUTOFOCUS, 0)
        return self._exposure_fixed or capture.get(cv2.CAP_PROP_AUTO_EXPOSURE) == _V4L2_MANUAL_EXPOSURE


def _to_grey(cv2: Any, bgr: NDArray[np.uint8], grey: Plane) -> None:
    if bgr.shape[:2] != grey.shape:
        raise CameraError(CameraReason.CHANGED, "the source changed the size of its frames", "Open the camera again.")
    cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY, dst=grey)


def _size(cv2: Any, capture: Any) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _import_cv2() -> Any:
    try:
        import cv2  # noqa: PLC0415 -- only where a source is opened
    except ImportError:
        raise CameraError(
            CameraReason.NOT_INSTALLED, "OpenCV is not installed", "Run: pip install opencv-python-headless"
        ) from None
    return cv2


@contextmanager
def _silent(cv2: Any) -> Iterator[None]:
    """Keep OpenCV and FFmpeg from writing their own lines about a source that does not open: ours says it once.

    FFmpeg reads its level from the environment when the first source is opened; -8 is AV_LOG_QUIET.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
