import logging
from collections import deque
from typing import Protocol

from edge.errors import RelayError
from edge.relay.heard import Heard

log = logging.getLogger("speckled.capture")


class Link(Protocol):
    """Capture's end of the socket, as far as it is needed here."""

    def ask(self, epoch: bytes) -> Heard | None:
        """As CaptureLink.ask."""
        ...

    def send(self, envelope: bytes) -> Heard | None:
        """As CaptureLink.send."""
        ...


class CollectorHistory:
    """What was said of this device's ledger outside capture: by the relay, and by the collector through it.

    Nothing is handed over before the relay was asked: what it takes would stand for the ledger's end from then on, and
    hide what it knew of another copy. Every word is kept until it was compared, not only the newest.

    `send` is called by the courier's thread, `words` by the one that charges.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._epoch: bytes | None = None
        self._answered = False
        self._last: Heard | None = None
        self._words: deque[Heard] = deque()

    def ask(self, epoch: bytes) -> None:
        """Learn it before the first charge, and before the first `send`. A relay that does not run is asked later."""
        self._epoch = epoch
        try:
            self._ask(epoch)
        except RelayError as error:
            log.info("the relay cannot say yet how far the ledger had got: %s", error.detail)

    def send(self, envelope: bytes) -> None:
        """Hand over one envelope, and learn it. Raises what the link raises."""
        if self._epoch is not None and not self._answered:
            self._ask(self._epoch)
        self._note(self._link.send(envelope))

    def words(self) -> list[Heard]:
        """Those that have come since the last call, in order."""
        return [self._words.popleft() for _ in range(len(self._words))]

    def _ask(self, epoch: bytes) -> None:
        self._note(self._link.ask(epoch))
        self._answered = True

    def _note(self, word: Heard | None) -> None:
        if word is not None and word != self._last:
            self._words.append(word)
            self._last = word
