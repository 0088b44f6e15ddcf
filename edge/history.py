import logging
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
    """What the collector last said of this device's ledger, as the relay passes it on.

    `send` is called by the courier's thread, `word` by the one that charges.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._heard: Heard | None = None

    def ask(self, epoch: bytes) -> None:
        """Learn it before the first charge. A relay that does not run yet will tell with the first observation."""
        try:
            self._heard = self._link.ask(epoch)
        except RelayError as error:
            log.info("the relay cannot say yet how far the collector is: %s", error.detail)

    def send(self, envelope: bytes) -> None:
        """Hand over one envelope, and learn it. Raises what the link raises."""
        self._heard = self._link.send(envelope) or self._heard

    def word(self) -> Heard | None:
        """The newest there is."""
        return self._heard
