import logging
import threading
from collections import deque
from collections.abc import Callable

from edge.errors import Reason, RelayError
from edge.relay.troubles import Troubles
from edge.spool import Spool

log = logging.getLogger("speckled.capture")

IN_MEMORY = 64
"""Observations that are kept in memory while the disk takes none."""
LAST_WAIT = 0.5
"""Seconds that the thread gets to end, once nothing more is to be sent."""


class Courier:
    """Carries signed observations to the relay in its own thread, so that taking frames never waits for the relay.

    What the relay has not accepted lies in the spool, and waits there for the next start as well. Where the disk is
    full it is kept in memory. Beyond either bound the oldest gives way, is counted, and is said in the log.

    Args:
        send: hands one envelope to the relay, or raises RelayError.
        spool: where they lie; nothing else may write there.
        troubles: says what keeps them here.
        retry_seconds: between two attempts.
    """

    def __init__(
        self, send: Callable[[bytes], object], spool: Spool, *, troubles: Troubles, retry_seconds: float = 1.0
    ) -> None:
        self._send = send
        self._spool = spool
        self._troubles = troubles
        self._retry = retry_seconds
        self._waiting: deque[int] = deque(spool.numbers)
        self._in_memory: dict[int, bytes] = {}
        self._sending: int | None = None
        self._answers = True
        self._change = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self.refused = 0

    @property
    def made(self) -> int:
        """Observations that were signed since the spool was made."""
        return self._spool.made

    @property
    def dropped(self) -> int:
        """Those of them that were given up: for want of room, damaged on the disk, or refused by the relay."""
        return self._spool.dropped

    def counts(self) -> tuple[int, int, int]:
        """How many were made, were dropped, and wait here, at one moment."""
        with self._change:
            return self.made, self.dropped, len(self._waiting)

    def start(self) -> None:
        """Begin delivering, with what an earlier process left."""
        with self._change:
            try:
                self._spool.tidy()
            except OSError as error:
                self._say_full(error)
            self._waiting = deque(sorted({*self._spool.numbers, *self._in_memory}))
        if self._waiting:
            log.info("%d observations wait in the spool", len(self._waiting))
        self._thread.start()

    def hand_over(self, envelope: bytes) -> None:
        """Take one signed observation: it is on the disk when this returns, or in memory where that is full."""
        with self._change:
            self._make_room(len(envelope))
            number = self._spool.next()
            self._in_memory[number] = envelope
            self._waiting.append(number)
            self._write_down()
            self._change.notify_all()

    def stop(self, patience: float) -> int:
        """Wait up to `patience` seconds for the relay to take what waits, then end. Returns how many are lost.

        Not longer than it may help: what is on the disk can wait for a relay that does not answer. A relay that took an
        observation and does not answer is left waiting: whether it kept it is not known.
        """
        with self._change:
            self._change.wait_for(self._idle, patience)
            self._stopping = True
            self._change.notify_all()
        self._thread.join(timeout=LAST_WAIT)
        with self._change:
            left = len(self._waiting) - len(self._in_memory)
            if left:
                log.info("%d observations wait in the spool for the next start", left)
            return len(self._in_memory)

    def _idle(self) -> bool:
        """Whether nothing more can be done before the end."""
        safe = not self._answers and not self._in_memory
        return not self._waiting or safe or not self._thread.is_alive()

    def _make_room(self, size: int) -> None:
        while self._spool.crowded(size) and (oldest := self._oldest(on_disk=True)):
            self._drop(oldest, "the spool is full: the oldest observations are given up. Start the relay")
        while len(self._in_memory) >= IN_MEMORY and (oldest := self._oldest(on_disk=False)):
            self._drop(oldest, "the disk is full: the oldest observations are given up. Make room, and start the relay")

    def _oldest(self, *, on_disk: bool) -> int | None:
        """The first that is not on its way to the relay just now."""
        candidates = (number for number in self._waiting if (number not in self._in_memory) == on_disk)
        return next((number for number in candidates if number != self._sending), None)

    def _drop(self, number: int, why: str) -> None:
        self._waiting.remove(number)
        self._in_memory.pop(number, None)
        self._spool.give_up(number)
        self._troubles.say("dropped", why)

    def _write_down(self) -> None:
        """Put what is in memory on the disk, as far as it takes it."""
        for number, envelope in list(self._in_memory.items()):
            try:
                self._spool.write(number, envelope)
            except OSError as error:
                self._say_full(error)
                return
            del self._in_memory[number]
        self._troubles.over("disk")

    def _say_full(self, error: OSError) -> None:
        self._troubles.say(
            "disk",
            f"observations are kept in memory only: {error.strerror}. Make room on the disk of [capture] state",
        )

    def _run(self) -> None:
        while (number := self._next()) is not None:
            envelope = self._envelope(number)
            if envelope is None:
                self._done(number, given_up="an observation in the spool is damaged and is put aside")
                continue
            try:
                self._send(envelope)
                self._troubles.over("relay")
                self._done(number)
            except RelayError as error:
                if error.reason is Reason.REFUSED:
                    self.refused += 1
                    self._done(number, given_up=f"the relay refused an observation: {error.detail}. {error.remedy}")
                else:
                    why = f"{error.detail}; observations wait here until it answers. {error.remedy}"
                    self._troubles.say("relay", why)
                    self._pause()

    def _next(self) -> int | None:
        with self._change:
            self._sending = None
            self._change.wait_for(lambda: self._stopping or bool(self._waiting))
            self._sending = None if self._stopping else self._waiting[0]
            return self._sending

    def _envelope(self, number: int) -> bytes | None:
        with self._change:
            return self._in_memory.get(number) or self._spool.read(number)

    def _done(self, number: int, *, given_up: str = "") -> None:
        """It is delivered, or will never be."""
        with self._change:
            self._answers = True
            self._waiting.remove(number)
            in_memory = self._in_memory.pop(number, None) is not None
            if given_up:
                self._troubles.say("given up", given_up)
                self._spool.give_up(number, aside=True)
            elif not in_memory:
                try:
                    self._spool.delivered(number)
                except OSError as error:  # at the next start it is offered again, and the relay knows it
                    self._say_full(error)
            self._change.notify_all()

    def _pause(self) -> None:
        with self._change:
            self._answers = False
            self._change.notify_all()
            self._change.wait_for(lambda: self._stopping, self._retry)
