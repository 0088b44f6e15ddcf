import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.camera.plane import Plane
from drivers.errors import CameraError, CameraReason

Convert = Callable[[NDArray[np.uint8], Plane], None]


class _State(Enum):
    OPENING = auto()
    IDLE = auto()
    WANTED = auto()
    READY = auto()
    OVER = auto()


class LiveReader:
    """A thread that owns an OpenCV capture, so that a source that hangs costs a deadline and not the process.

    It takes every frame, since a driver's queue would otherwise hand out old ones, and decodes only the one that is
    asked for. A frame that comes after its deadline is wiped.
    """

    def __init__(self, make: Callable[[], Any], convert: Convert) -> None:
        """A reader of the capture that `make` opens, in the thread; `convert` turns BGR into the grey plane."""
        self._make = make
        self._convert = convert
        self._changed = threading.Condition()
        self._state = _State.OPENING
        self._stopping = False
        self._error: Exception | None = None
        self._grey: NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._thread = threading.Thread(target=self._run, name="camera-reader", daemon=True)

    def open(self, deadline: float) -> tuple[int, int]:
        """Start, and return (width, height) in pixels. Raises what `make` raises, and CameraError(TIMEOUT)."""
        self._thread.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._state is not _State.OPENING, deadline):
                raise _late("the camera does not open")
            if self._error is not None:
                raise self._error
            height, width = self._grey.shape
            return width, height

    def read(self, plane: Plane, deadline: float) -> None:
        """Fill the plane with the newest frame. Raises CameraError(TIMEOUT, NOT_FOUND, CHANGED)."""
        with self._changed:
            if self._state is not _State.OVER:
                self._state = _State.WANTED
            arrived = self._changed.wait_for(lambda: self._state is not _State.WANTED, deadline)
            if self._state is _State.READY:
                np.copyto(plane, self._grey)
                self._grey.fill(0)
            if self._state is _State.OVER:
                raise self._error or _gone()
            self._state = _State.IDLE
            if not arrived:
                raise _late("no frame came in time")

    def close(self) -> None:
        """Ask the thread to release the capture, and wait a second for it."""
        with self._changed:
            self._stopping = True
            self._grey.fill(0)
        if self._thread.ident is not None:
            self._thread.join(1.0)

    def is_alive(self) -> bool:
        """Whether the thread still runs; after `close` that means: it hangs in the source."""
        return self._thread.is_alive()

    def _run(self) -> None:
        capture = None
        try:
            capture = self._make()
            self._prepare(capture)
            while not self._stopping and capture.grab():
                if self._state is _State.WANTED:
                    self._deliver(capture)
        except Exception as error:  # carried to the thread that reads, and raised there
            self._error = error
        finally:
            if capture is not None:
                capture.release()
            with self._changed:
                self._state = _State.OVER
                self._grey.fill(0)
                self._changed.notify_all()

    def _prepare(self, capture: Any) -> None:
        good, frame = capture.read()
        if not good:
            raise _gone()
        grey = np.zeros(frame.shape[:2], np.uint8)
        frame.fill(0)
        with self._changed:
            self._grey = grey
            self._state = _State.IDLE
            self._changed.notify_all()

    def _deliver(self, capture: Any) -> None:
        good, frame = capture.retrieve()
        if not good:
            return
        try:
            with self._changed:
                if self._state is _State.WANTED:
                    self._convert(frame, self._grey)
                    self._state = _State.READY
                    self._changed.notify_all()
        finally:
            frame.fill(0)


def _late(detail: str) -> CameraError:
    return CameraError(CameraReason.TIMEOUT, detail, "Check the camera's cable, power and network.")


def _gone() -> CameraError:
    return CameraError(CameraReason.NOT_FOUND, "the camera gives no more frames", "Check its cable, power and network.")
