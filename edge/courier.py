import logging
import threading
from collections import deque
from collections.abc import Callable

from edge.errors import Reason, RelayError

log = logging.getLogger("speckled.capture")

WAITING_LIMIT = 64
LAST_WAIT = 0.5
"""Seconds that the thread gets to end, once nothing more is to be sent."""


class Courier:
    """Carries signed observations to the relay in its own thread, so that taking frames never waits for delivery.

    Holds what the relay has not yet accepted, at most 64; the oldest gives way, is counted, and is said in the log.
    """

    def __init__(self, send: Callable[[bytes], None], *, retry_seconds: float = 1.0) -> None:
        self._send = send
        self._retry = retry_seconds
        self._waiting: deque[bytes] = deque()
        self._change = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self.dropped = 0
        self.refused = 0

    def start(self) -> None:
        """Begin delivering."""
        self._thread.start()

    def hand_over(self, envelope: bytes) -> None:
        """Queue one signed observation."""
        with self._change:
            if len(self._waiting) == WAITING_LIMIT:
                self._waiting.popleft()
                self.dropped += 1
                log.error("the relay has not answered for %d observations; the oldest is lost", WAITING_LIMIT)
            self._waiting.append(envelope)
            self._change.notify_all()

    def stop(self, patience: float) -> int:
        """Wait up to `patience` seconds for the queue to empty, then end. Returns how many were not delivered.

        A relay that took an observation and does not answer is left waiting: whether it kept it is not known.
        """
        with self._change:
            self._change.wait_for(lambda: not self._waiting or not self._thread.is_alive(), patience)
            self._stopping = True
            self._change.notify_all()
        self._thread.join(timeout=LAST_WAIT)
        return len(self._waiting)

    def _run(self) -> None:
        warned = False
        while (envelope := self._next()) is not None:
            try:
                self._send(envelope)
                warned = False
            except RelayError as error:
                if error.reason is not Reason.REFUSED:
                    if not warned:
                        log.warning("%s; observations wait here until it answers. %s", error, error.remedy)
                    warned = True
                    self._pause()
                    continue
                self.refused += 1
                log.error("the relay refused an observation: %s. %s", error.detail, error.remedy)
            self._done(envelope)

    def _next(self) -> bytes | None:
        with self._change:
            self._change.wait_for(lambda: self._stopping or bool(self._waiting))
            return None if self._stopping else self._waiting[0]

    def _done(self, envelope: bytes) -> None:
        with self._change:
            if self._waiting and self._waiting[0] is envelope:
                self._waiting.popleft()
            self._change.notify_all()

    def _pause(self) -> None:
        with self._change:
            self._change.wait_for(lambda: self._stopping, self._retry)
