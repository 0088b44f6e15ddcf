import threading
from collections.abc import Callable
from fractions import Fraction

from edge.privacy.spacing import period_ns

SLICE = 0.2
"""Seconds of one part of a long wait: how soon somebody who interrupts it is noticed."""


class Pace:
    """Keeps successive frames at least one frame period apart, over a restart too.

    The privacy unit counts the frames that a visit can touch, so the spacing is a minimum, never an average. It is
    counted from the moment a frame has come, as the camera may take its time: after a late frame the next one is a
    whole period later, not early to catch up.
    """

    def __init__(self, rate: Fraction, monotonic: Callable[[], int], *, resumed: bool) -> None:
        """`rate`: frames per second at most. `monotonic`: in ns. `resumed`: frames were taken, nobody knows when."""
        self._period = period_ns(rate)
        self._monotonic = monotonic
        self._last = monotonic() if resumed else None
        self._late = 0

    @property
    def late(self) -> int:
        """Frames that came two periods or more after the one before: at least one is missing between them."""
        return self._late

    def wait(self, stop: threading.Event, interrupted: Callable[[], bool] = lambda: False) -> bool:
        """Sleep until the next frame may be taken. False where `stop` was set or `interrupted` became true.

        `interrupted` is asked at least once, and again after each SLICE.
        """
        while not interrupted() and not stop.is_set():
            left = 0 if self._last is None else self._last + self._period - self._monotonic()
            if left <= 0:
                return True
            stop.wait(min(left / 1e9, SLICE))
        return False

    def taken(self) -> None:
        """A frame has come just now, or may have."""
        now = self._monotonic()
        self._late += self._last is not None and now - self._last >= 2 * self._period
        self._last = now
