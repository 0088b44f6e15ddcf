"""Frames may come no faster than is stated: the ledger looks at its own clock before and after each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

from edge.errors import LedgerError, Reason


def period_ns(rate: Fraction) -> int:
    """The time from one frame to the next in ns, rounded up. `rate`: frames per second."""
    return -(-(10**9) * rate.denominator // rate.numerator)


class Spacing:
    """Each frame is asked for at least one period after the one before has come.

    Asked and come, not come and come: a process that is stopped between the two and goes on later could else take two
    frames at once and call them a period apart. No time is saved up either: after a pause the next period is as long
    as any. So whatever is paused, killed or started again, frames are exposed at least a period apart, as long as the
    camera exposes a frame after it is asked for it.
    """

    def __init__(self, rate: Fraction, monotonic: Callable[[], int], *, resumed: bool) -> None:
        """`rate`: frames per second at most. `monotonic`: in ns. `resumed`: frames were taken, at the latest now."""
        self._period = period_ns(rate)
        self._monotonic = monotonic
        self._last = monotonic() if resumed else None

    @contextmanager
    def frame(self) -> Iterator[None]:
        """The moments between which the camera is asked and answers.

        Raises:
            LedgerError: LEDGER_PACE where it is too early; the camera is not to be asked then.
        """
        now = self._monotonic()
        if self._last is not None and self._last + self._period - now > 0:
            raise LedgerError(
                Reason.LEDGER_PACE,
                f"a frame is asked for {now - self._last} ns after the last one, and a period is {self._period} ns",
                "report it: capture keeps frames further apart than the ledger asks for",
            )
        try:
            yield
        finally:
            self._last = self._monotonic()
