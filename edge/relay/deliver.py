"""When to send which observation, and when it may be forgotten. Knows time and numbers; touches no network."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from edge.relay.outbox import Outbox
from edge.relay.troubles import Troubles
from wire.codec import decode
from wire.cose import Keys, verify
from wire.errors import WireError, WireReason
from wire.events import NO_SUBSCRIBERS, NOT_AUTHORIZED, NOT_SENT, TOO_LARGE, Published
from wire.schema import Acknowledgement
from wire.topics import Topics

WINDOW = 20
"""Publishes the broker has not answered yet, at most. mosquitto's own limit."""
OUTSTANDING = 256
"""Observations sent and neither acknowledged nor due again, at most: bounds what an absent collector can cost."""
PAGE = 256
"""Row numbers that are read from the outbox at a time: what was never tried costs no memory, however much it is."""
HOLD = (1.0, 60.0)
"""Seconds that all sending rests after the broker said no, at first and at most."""
STUBBORN = 5
"""Publishes of one observation without the collector's word after which that is said: some seven minutes."""


class _Is(Enum):
    READY = auto()
    IN_FLIGHT = auto()
    AWAITED = auto()


@dataclass(slots=True)
class _Row:
    state: _Is = _Is.READY
    attempts: int = 0
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for the collector's word before sending again: `first` seconds, doubling up to `longest`."""

    first: float = 30.0
    longest: float = 600.0


class Delivery:
    """The states of everything in the outbox: ready → in flight → awaited → freed, or ready again.

    Fewest attempts first, then the oldest: one observation that nobody accepts cannot hold up the others. Only what
    was tried is remembered here; the rest is read from the outbox when its turn has come.

    Args:
        outbox: keeps the observations.
        topics: of the device.
        collector: the public key that acknowledgements must be signed with.
        patience: between sending one observation and sending it again.
        troubles: says what keeps observations here.
        clock: seconds that only grow.
        jitter: numbers in [0, 1) that spread what is sent again.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        topics: Topics,
        collector: Keys,
        patience: Patience,
        troubles: Troubles,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._topics = topics
        self._collector = collector
        self._patience = patience
        self._troubles = troubles
        self._clock = clock
        self._jitter = jitter
        self._window = 0
        self._held_until = 0.0
        self._hold = HOLD[0]
        self._fresh: deque[int] = deque()
        self._frontier = 0
        self._rows: dict[int, _Row] = {}
        self._ready: list[tuple[int, int]] = []
        self._timers: list[tuple[float, int]] = []
        self._in_flight: dict[int, int] = {}
        self._awaited = 0

    @property
    def waiting(self) -> int:
        """Observations that the collector has not acknowledged."""
        return self._outbox.held

    @property
    def open(self) -> bool:
        """Whether there is a connection to deliver on."""
        return self._window > 0

    @property
    def in_flight(self) -> int:
        """Publishes that the broker has not answered."""
        return len(self._in_flight)

    def connected(self, receive_maximum: int) -> None:
        """The broker takes messages: this many unanswered ones, or WINDOW where that is less."""
        self._window = min(WINDOW, receive_maximum)
        self._held_until, self._hold = 0.0, HOLD[0]

    def disconnected(self) -> None:
        """Nothing can be sent, and what was in flight may or may not have arrived: it will be sent again."""
        self._window = 0
        lost = self._in_flight.values()
        self._in_flight = {}
        for row in lost:
            if row in self._rows:
                self._back_to_ready(row)

    def begin_again(self) -> None:
        """The outbox has another file: whatever it holds counts as never sent."""
        self._fresh, self._frontier, self._rows = deque(), 0, {}
        self._ready, self._timers, self._in_flight, self._awaited = [], [], {}, 0

    def outgoing(self) -> Iterator[tuple[int, bytes]]:
        """Rows and envelopes to publish now. The caller calls `sent` for each before it takes the next."""
        self._wake()
        while self._may_send() and (row := self._next()) is not None:
            try:
                envelope = self._outbox.envelope(row)
            except KeyError:  # freed or evicted meanwhile
                self._rows.pop(row, None)
                continue
            yield row, envelope

    def sent(self, row: int, mid: int) -> None:
        """The row was handed to the broker under this number."""
        state = self._rows.setdefault(row, _Row())
        state.state = _Is.IN_FLIGHT
        state.attempts += 1
        self._in_flight[mid] = row
        self._outbox.count("sent")

    def published(self, answer: Published) -> bool:
        """The broker's answer; whether it was for an observation. Only the collector's word frees a row, never this."""
        if answer.mid not in self._in_flight:
            return False
        if answer.code == NOT_SENT:
            self.disconnected()
            return True
        row = self._in_flight.pop(answer.mid)
        taken = answer.accepted and answer.code != NO_SUBSCRIBERS
        if taken:
            self._hold = HOLD[0]
            self._troubles.over("observations")
        elif answer.code == TOO_LARGE:  # that holds for this observation, not for the others
            self._troubles.say("size", f"{answer.reason}. Raise its limit: max_packet_size in mosquitto.conf")
        else:
            self._rest(answer)
        if row in self._rows:
            self._await(row)
        return True

    def acknowledge(self, envelope: bytes) -> int:
        """Take the collector's word, and count how many rows it frees.

        Raises:
            WireError: it is not the collector's, not about this device, or not an acknowledgement. Nothing is freed.
            Fork: it is about another history of the ledger than what was handed over here. Nothing is freed.
        """
        word = decode(verify(envelope, self._collector, self._topics.ack), Acknowledgement)
        if word.device != self._topics.device:
            raise WireError(WireReason.TOPIC, "an acknowledgement of another device")
        freed = self._outbox.acknowledged(word)
        for row in freed:
            tried = self._rows.pop(row, None)
            if tried and tried.state is _Is.AWAITED:
                self._awaited -= 1
        return len(freed)

    def _next(self) -> int | None:
        """The row whose turn it is."""
        if not self._fresh:
            self._fresh.extend(row.id for row in self._outbox.waiting(after=self._frontier, limit=PAGE))
        if self._fresh:
            self._frontier = self._fresh.popleft()
            return self._frontier
        while self._ready:
            attempts, row = heapq.heappop(self._ready)
            state = self._rows.get(row)
            if state and state.state is _Is.READY and state.attempts == attempts:
                return row
        return None

    def _may_send(self) -> bool:
        outstanding = len(self._in_flight) + self._awaited
        rested = self._clock() >= self._held_until
        return rested and len(self._in_flight) < self._window and outstanding < OUTSTANDING

    def _rest(self, answer: Published) -> None:
        """The topic is refused or nobody listens: that holds for every observation, so all of them wait.

        The other answers to what was in flight together say nothing new.
        """
        if self._clock() < self._held_until:
            return
        self._held_until = self._clock() + self._hold * (1 + self._jitter() / 4)
        self._hold = min(2 * self._hold, HOLD[1])
        if answer.code == NO_SUBSCRIBERS:
            why = f"no collector subscribes to {self._topics.observation}; observations wait in the outbox"
        else:
            lacks_rights = answer.code == NOT_AUTHORIZED
            remedy = "Let this device write to its topics" if lacks_rights else "See the broker's log"
            why = f"the broker refuses observations: {answer.reason}. {remedy}"
        self._troubles.say("observations", why)

    def _await(self, row: int) -> None:
        state = self._rows[row]
        seconds = min(self._patience.first * 2 ** min(state.attempts - 1, 32), self._patience.longest)
        state.state, state.due = _Is.AWAITED, self._clock() + seconds * (1 + self._jitter() / 4)
        self._awaited += 1
        heapq.heappush(self._timers, (state.due, row))
        if state.attempts >= STUBBORN:
            self._troubles.say(
                "word",
                f"an observation was sent {STUBBORN} times or more without the collector's word. "
                "Look for this device among the collector's dead letters",
            )

    def _wake(self) -> None:
        """Make ready what has waited long enough for the collector's word."""
        now = self._clock()
        while self._timers and self._timers[0][0] <= now:
            due, row = heapq.heappop(self._timers)
            state = self._rows.get(row)
            if state and state.state is _Is.AWAITED and state.due == due:
                self._awaited -= 1
                self._back_to_ready(row)

    def _back_to_ready(self, row: int) -> None:
        state = self._rows[row]
        state.state = _Is.READY
        heapq.heappush(self._ready, (state.attempts, row))
