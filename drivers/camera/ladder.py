import threading
import time
from collections import deque
from collections.abc import Callable

from drivers.camera.base import Camera, CameraIdentity
from drivers.camera.plane import Plane, check_plane
from drivers.errors import CameraError, CameraReason

TIMEOUTS_PER_REOPEN = 3
REOPENS = 3
REOPEN_WINDOW = 600.0
FIRST_OPENING = 4
LAST_WAIT = 1.0
"""Seconds that an opening or closing gets once the process is to stop."""
_SLICE = 0.25
_FINAL = frozenset({CameraReason.ENDED, CameraReason.NOT_INSTALLED, CameraReason.BAD_SOURCE, CameraReason.DENIED})


class Ladder:
    """A camera that recovers: it asks again after a timeout, opens anew after three, and gives up at last.

    It gives up when three reopenings in ten minutes did not help, when a reopening hangs, or when the reason is one
    that no reopening changes; then the process should end, so that its supervisor starts it afresh. Frames are lost
    in a recovery, never repeated, and no step depends on a pixel.

    Opening and closing run in a helper thread, since libcamera's stop can block for ever after a fault. There is at
    most one such thread: while it hangs, the camera is not touched again.
    """

    def __init__(
        self,
        make: Callable[[], Camera],
        *,
        clock: Callable[[], float] = time.monotonic,
        open_deadline: float = 15.0,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """A ladder over the cameras that `make` gives, a new one for each opening.

        `clock` counts seconds for the ten-minute window. `open_deadline`: seconds for opening anew and for closing; the
        first opening gets four times as many, since it loads the library of the camera from a card that may be slow.
        `stopping`: whether the process is to end, so that no recovery is worth its time any more.
        `recoveries` counts how often the camera was given up for a new one.
        """
        self._make = make
        self._clock = clock
        self._open_deadline = open_deadline
        self._stopping = stopping
        self._camera: Camera | None = None
        self._identity: CameraIdentity | None = None
        self._reopened: deque[float] = deque()
        self._helper: threading.Thread | None = None
        self.recoveries = 0

    def open(self) -> CameraIdentity:
        """Open the camera once; there is nothing to recover yet. Raises what its `open` raises, and TIMEOUT."""
        self._identity = self._open(FIRST_OPENING * self._open_deadline)
        return self._identity

    def read(self, plane: Plane, deadline: float) -> None:
        """Fill the plane, with as many attempts of `deadline` seconds as the ladder has.

        The longest it takes is REOPENS + 1 times (TIMEOUTS_PER_REOPEN deadlines and twice `open_deadline`).
        Once `stopping` is true it takes one deadline at most. Raises CameraError with the last reason when the
        ladder is exhausted or the process is to stop, and ENDED.
        """
        check_plane(self._identity, plane)
        timeouts = 0
        while True:
            try:
                if self._camera is None:
                    self._reopen()
                    timeouts = 0
                assert self._camera is not None  # noqa: S101 -- _reopen raises or sets it; told to the type checker
                self._camera.read(plane, deadline)
            except CameraError as error:
                if error.reason in _FINAL or self._stopping():
                    raise
                timeouts += 1
                if error.reason is CameraReason.TIMEOUT and self._camera is not None and timeouts < TIMEOUTS_PER_REOPEN:
                    continue
                self._climb(error)
            else:
                return

    def close(self) -> None:
        """Close the camera, or leave it to the helper thread that hangs in it."""
        self._identity = None
        self._drop()

    def _climb(self, error: CameraError) -> None:
        """Give the camera up for a new one, unless the ladder has come to its end."""
        now = self._clock()
        while self._reopened and now - self._reopened[0] >= REOPEN_WINDOW:
            self._reopened.popleft()
        if len(self._reopened) >= REOPENS or self._hanging:
            raise error
        self._reopened.append(now)
        self.recoveries += 1
        self._drop()
        if self._hanging:
            raise _hung("closing") from None

    def _reopen(self) -> None:
        if self._open(self._open_deadline) != self._identity:
            self._drop()
            raise CameraError(
                CameraReason.BAD_SOURCE,
                "the camera came back as another one",
                "Check which camera is connected, then start again.",
            )

    def _open(self, deadline: float) -> CameraIdentity:
        """A new camera, opened within so many seconds. One that opens too late is closed by the helper itself."""
        if self._hanging:
            raise _hung("opening")
        camera = self._make()
        outcome: list[CameraIdentity | Exception] = []
        settled = threading.Lock()
        abandoned = False

        def attempt() -> None:
            try:
                result: CameraIdentity | Exception = camera.open()
            except Exception as error:  # carried to the caller's thread, and raised there
                result = error
            with settled:
                outcome.append(result)
                unwanted = abandoned or isinstance(result, Exception)
            if unwanted:
                camera.close()

        self._help(attempt, deadline)
        with settled:
            abandoned = not outcome
        if abandoned:
            raise _hung("opening")
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        self._camera = camera
        return outcome[0]

    def _drop(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None and not self._hanging:
            self._help(camera.close, self._open_deadline)

    def _help(self, action: Callable[[], object], left: float) -> None:
        self._helper = threading.Thread(target=action, name="camera-helper", daemon=True)
        self._helper.start()
        while left > 0 and self._helper.is_alive():
            left = min(left, LAST_WAIT) if self._stopping() else left
            self._helper.join(min(left, _SLICE))
            left -= _SLICE

    @property
    def _hanging(self) -> bool:
        return self._helper is not None and self._helper.is_alive()


def _hung(action: str) -> CameraError:
    return CameraError(
        CameraReason.TIMEOUT,
        f"{action} the camera does not come to an end",
        "Check the ribbon cable, then restart the service; if that does not help, restart the device.",
    )
