import threading
from collections.abc import Callable
from fractions import Fraction


class Pace:
    """Keeps successive frames at least one frame period apart.

    The privacy unit counts the frames that a visit can touch, so the spacing is a minimum, never an average: after a
    late frame the next one is a whole period later, not early to catch up.
    """

    def __init__(self, rate: Fraction, monotonic: Callable[[], float]) -> None:
        self._period = float(1 / rate)
        self._monotonic = monotonic
        self._last: float | None = None

    def wait(self, stop: threading.Event) -> bool:
        """Sleep until the next frame may be taken. False where `stop` was set meanwhile."""
        if self._last is not None:
            while (left := self._last + self._period - self._monotonic()) > 0:
                if stop.wait(left):
                    return False
        self._last = self._monotonic()
        return not stop.is_set()
