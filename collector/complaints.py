"""What the log says of dead letters: enough to act on, and never more than a hostile sender is worth."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from collector.errors import Rejected
from wire.errors import WireError

log = logging.getLogger("speckled.collector")

QUIET = 600.0
"""Seconds for which a device is not said to have sent another dead letter for the same reason."""
SUBJECTS = 64
"""Devices and reasons that are told apart within QUIET seconds: anyone who may publish can make up devices."""


@dataclass(slots=True)
class _Said:
    at: float
    since: int = 0


class Complaints:
    """One log line for each device and reason in ten minutes; the next one says how many there were meanwhile."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds that only grow."""
        self._clock = clock
        self._said: dict[tuple[str, str], _Said] = {}

    def report(self, device: str, why: Rejected | WireError) -> None:
        """A dead letter. `device`: whose topic it came on, empty for a topic of none."""
        now = self._clock()
        subject = (device, why.reason.value)
        if subject not in self._said and len(self._said) >= SUBJECTS:
            self._forget(now)
        if subject not in self._said and len(self._said) >= SUBJECTS:
            subject = ("", "")
        said = self._said.get(subject)
        if said is not None and now - said.at < QUIET:
            said.since += 1
            return
        others = f" ({said.since} more like it meanwhile)" if said is not None and said.since else ""
        self._said[subject] = _Said(now)
        whose = device or "a topic of no device"
        if subject == ("", ""):
            whose += " and others: there are too many to name each"
        log.warning("dead letter from %s: %s. %s%s", whose, why, why.remedy, others)

    def _forget(self, now: float) -> None:
        """Those of which it may be said again anyway."""
        self._said = {subject: said for subject, said in self._said.items() if now - said.at < QUIET}
