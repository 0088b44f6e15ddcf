import threading
from collections.abc import Callable
from fractions import Fraction

from edge.privacy.spacing import period_ns


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

    def wait(self, stop: threading.Event) -> bool:
        """Sleep until the next frame may be taken. False where `stop` was set meanwhile."""
        if self._last is not None:
            while (left := self._last + self._period - self._monotonic()) > 0:
                if stop.wait(left / 1e9):
                    return False
        return not stop.is_set()

    def taken(self) -> None:
        """A frame has come just now, or may have."""
        self._last = self._monotonic()
