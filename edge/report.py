"""What capture says of itself: signed, and handed to the relay at every change and once in a while."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import RelayError
from wire.codec import encode
from wire.cose import sign
from wire.schema import Attestation, CaptureReport, Count
from wire.topics import Topics

REPEAT = 60.0
"""Seconds after which an unchanged word is said again: a relay that was started meanwhile has not heard it."""
RETRY = 2.0
LAST_WAIT = 1.0

Word = Literal["starting", "observing", "switched-off", "ended"]
Health = Literal["starting", "healthy", "suspect", "failed"]


class Reporter:
    """Hands the newest word over in a thread of its own, so that nothing waits for a relay that does not answer.

    Args:
        send: hands one envelope to the relay, or raises RelayError.
        key, topics: of the device.
        attestation: what was found when capture started.
        entropy: the state of the sources.
        counts: how many observations were made, how many given up and how many wait to be handed over, so far.
        aimed: how often somebody looked at edges of what the camera sees.
        wall_ms: the time that the word carries, in ms.
    """

    def __init__(
        self,
        send: Callable[[bytes], object],
        *,
        key: Ed25519PrivateKey,
        topics: Topics,
        attestation: Attestation,
        entropy: Callable[[], Health],
        counts: Callable[[], tuple[Count, Count, Count]],
        aimed: int,
        wall_ms: Callable[[], int],
    ) -> None:
        self._send = send
        self._key = key
        self._topics = topics
        self._attestation = attestation
        self._entropy = entropy
        self._counts = counts
        self._aimed = aimed
        self._wall_ms = wall_ms
        self._word: Word = "starting"
        self._news = True
        self._stopping = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin with `starting`."""
        self._thread.start()

    def say(self, word: Word) -> None:
        """The state has changed."""
        with self._change:
            self._news = self._news or word != self._word
            self._word = word
            self._change.notify_all()

    def stop(self) -> None:
        """Say `ended` to a relay that answers soon, and end."""
        with self._change:
            self.say("ended")
            self._stopping = True
        self._thread.join(LAST_WAIT)

    def _run(self) -> None:
        pause = 0.0
        while self._wait(pause):
            try:
                self._tell()
                pause = REPEAT
            except RelayError:  # the courier, which has something to lose, says it in the log
                with self._change:
                    self._news = True
                pause = RETRY
        if self._news:
            with suppress(RelayError):
                self._tell()

    def _tell(self) -> None:
        """Twice where it must be: the first time finds out that the relay was restarted since the last word."""
        try:
            self._send(self._newest())
        except RelayError:
            self._send(self._newest())

    def _newest(self) -> bytes:
        with self._change:
            word, self._news = self._word, False
        return self._envelope(word)

    def _wait(self, pause: float) -> bool:
        """Until there is news to tell or the pause is over; after a failure, always the pause. False to end."""
        with self._change:
            self._change.wait_for(lambda: self._stopping or (self._news and pause != RETRY), pause)
            return not self._stopping

    def _envelope(self, word: Word) -> bytes:
        made, dropped, waiting = self._counts()
        report = CaptureReport(
            device=self._topics.device,
            at=self._wall_ms(),
            state=word,
            entropy=self._entropy(),
            made=made,
            dropped=dropped,
            waiting=waiting,
            aimed=self._aimed,
            attestation=self._attestation,
        )
        return sign(encode(report), self._key, self._topics.of("state"))
