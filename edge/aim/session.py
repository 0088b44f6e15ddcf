"""Aiming: frames in, edges on a terminal, for a limited time."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from drivers.camera.base import Camera, CameraIdentity
from drivers.errors import CameraError, CameraReason
from drivers.switch.base import PrivacySwitch
from edge.aim.edges import EdgeFinder
from edge.aim.picture import ACROSS, DOWN, braille, with_grid
from edge.errors import CameraUnavailable, Reason
from edge.frame import Frame

PERIOD = 0.5
"""Seconds between two pictures, at least."""
FRAME_SECONDS = 3.0
TEXT = 4
"""Lines of text around the picture."""


class Screen(Protocol):
    """Where edges are drawn."""

    def size(self) -> tuple[int, int]:
        """Lines and columns."""
        ...

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what is shown."""
        ...


@dataclass(frozen=True, slots=True)
class Aiming:
    """How long, in seconds, and with the borders of which cells, in pixels; None for none."""

    seconds: float
    cell: int | None = None


class Session:
    """Draws edges until the time is over, somebody ends it, or the privacy switch is turned off."""

    def __init__(
        self,
        camera: Camera,
        switch: PrivacySwitch,
        screen: Screen,
        aiming: Aiming,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`camera` is open, and closed by the caller. clock: seconds that only grow."""
        self._camera = camera
        self._switch = switch
        self._screen = screen
        self._aiming = aiming
        self._clock = clock
        self._until = clock() + aiming.seconds

    def over(self) -> bool:
        """Whether the time has passed, or the privacy switch is off."""
        return self._clock() >= self._until or self._switch.off()

    def run(self, identity: CameraIdentity, stop: threading.Event) -> None:
        """Draw until it is over or `stop` is set; every frame is wiped when it is drawn.

        Raises:
            CameraUnavailable: it gave no frames, and neither time nor anybody had ended it.
        """
        frame = Frame(identity.height, identity.width, identity.dtype)
        while not stop.is_set() and not self.over():
            began = self._clock()
            try:
                if not self._take(frame, stop):
                    return
                self._screen.draw(self._picture(frame, identity))
            finally:
                frame.wipe()
            stop.wait(max(0.0, min(began + PERIOD, self._until) - self._clock()))

    def _take(self, frame: Frame, stop: threading.Event) -> bool:
        try:
            frame.fill(self._camera, max(0.1, min(FRAME_SECONDS, self._until - self._clock())))
        except CameraError as error:
            if error.reason is CameraReason.ENDED or stop.is_set() or self.over():
                return False
            raise CameraUnavailable(Reason.CAMERA, str(error), error.remedy) from None
        return True

    def _picture(self, frame: Frame, identity: CameraIdentity) -> list[str]:
        lines, columns = self._screen.size()
        dots = DOWN * (lines - TEXT), ACROSS * columns
        finder = EdgeFinder(identity.height, identity.width, identity.max_value, dots=dots)
        try:
            edges = finder.find(frame.plane)
        finally:
            finder.wipe()
        if self._aiming.cell is not None:
            edges = with_grid(edges, finder.block, self._aiming.cell)
        left = max(0, round(self._until - self._clock()))
        return [
            f"AIMING: outside the privacy guarantee. Ends in {left} s, or with Ctrl-C.",
            *braille(edges),
            f"Each dot: is there an edge in {finder.block} x {finder.block} pixels? Nothing is stored or sent.",
            "When it was done is recorded. Whoever records this terminal records the edges.",
        ]


def close(camera: Camera) -> None:
    """Let go of the camera, whatever it says to that."""
    with suppress(CameraError):
        camera.close()
