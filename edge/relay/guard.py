"""The egress guard: what leaves the device is signed by it, and an observation or capture's word about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from wire.check import check
from wire.codec import decode
from wire.cose import Keys, verify
from wire.errors import WireError, WireReason
from wire.schema import CaptureReport, Observation
from wire.topics import Topics


class GuardReason(StrEnum):
    """Refusals beside those of the wire contract. Counted and answered under these words."""

    DEVICE = "wrong-device"
    RATE = "over-rate"


REPORT = 4096
"""Bytes of capture's word about itself, at most."""


class GuardRefusal(Exception):
    """A message that does not leave. `code` is a WireReason or a GuardReason; `later`: the same bytes may pass later.

    It holds nothing of the message.
    """

    def __init__(self, code: WireReason | GuardReason, *, later: bool = False) -> None:
        super().__init__(code.value)
        self.code = code
        self.later = later


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBudget:
    """How much may leave: sustained per second, and at once after a pause.

    The default carries a capture that catches up after an outage, and is far too little for video.
    """

    messages_per_second: float = 8.0
    messages_at_once: int = 256
    bytes_per_second: float = 256 * 1024.0
    bytes_at_once: int = 8 * 1024 * 1024


class TokenBucket:
    """A bucket that fills at `rate` per second up to `size`. The clock gives seconds and must not go back."""

    def __init__(self, rate: float, size: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._size = size
        self._clock = clock
        self._level = size
        self._at = clock()

    def holds(self, amount: float) -> bool:
        """Whether `amount` could be taken now."""
        now = self._clock()
        self._level = min(self._size, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level >= amount

    def take(self, amount: float) -> None:
        """Take what `holds` has just affirmed."""
        self._level -= amount


class Guard:
    """Admits observations of one device. It stores and logs nothing; whoever asks it counts the refusals.

    Args:
        topics: of the device; an envelope must be signed for the observation topic.
        key: the device's public key.
        budget: how much may leave.
        clock: seconds that only grow.
    """

    def __init__(self, topics: Topics, key: Keys, *, budget: RateBudget, clock: Callable[[], float]) -> None:
        self._topics = topics
        self._key = key
        self._messages = TokenBucket(budget.messages_per_second, budget.messages_at_once, clock)
        self._bytes = TokenBucket(budget.bytes_per_second, budget.bytes_at_once, clock)

    def admit(self, envelope: bytes | None) -> Observation | CaptureReport:
        """What is inside, if the envelope may leave. None stands for a datagram beyond the longest message.

        Raises:
            GuardRefusal: with the reason.
        """
        try:
            return self._checked(envelope)
        except WireError as error:
            raise GuardRefusal(error.reason) from None

    def _spend(self, size: int) -> None:
        """Garbage is charged too: a check costs more than a token."""
        if not (self._messages.holds(1) and self._bytes.holds(size)):
            raise GuardRefusal(GuardReason.RATE, later=True)
        self._messages.take(1)
        self._bytes.take(size)

    def _checked(self, envelope: bytes | None) -> Observation | CaptureReport:
        """Cheapest first, so that a flood of garbage costs little."""
        if envelope is None:
            raise GuardRefusal(WireReason.OVERSIZE)
        self._spend(len(envelope))
        found = self._report(envelope) or decode(verify(envelope, self._key, self._topics.observation), Observation)
        if found.device != self._topics.device:
            raise GuardRefusal(GuardReason.DEVICE)
        if isinstance(found, Observation):
            check(found)
        return found

    def _report(self, envelope: bytes) -> CaptureReport | None:
        """Capture's word about itself, which is signed for the state topic; None for anything else."""
        if len(envelope) > REPORT:
            return None
        try:
            return decode(verify(envelope, self._key, self._topics.state), CaptureReport)
        except WireError:
            return None
