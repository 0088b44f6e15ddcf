import logging
from collections import Counter
from collections.abc import Callable

from edge.errors import RelayError
from edge.relay.deliver import Delivery
from edge.relay.link import ACCEPTED, Reply, Status
from edge.relay.options import RelayOptions
from edge.relay.outbox import Equivocation, Fork, Outbox, OutboxDamaged
from edge.relay.troubles import Troubles
from wire.cose import verify
from wire.errors import WireError
from wire.schema import CaptureReport, Receipt
from wire.topics import Topics

log = logging.getLogger("speckled.relay")

LOOKED_AT = 256
"""Observations whose signature is looked at when the relay starts, the oldest: a long queue must not hold it up."""


class Custody:
    """What the relay answers for: the outbox and its delivery, and what is said when either is in trouble.

    A damaged file is replaced by a new one with what could be read of it, wherever the damage is found, and the relay
    goes on.

    Raises:
        RelayError: OUTBOX: the outbox cannot be used.
    """

    def __init__(
        self,
        options: RelayOptions,
        topics: Topics,
        troubles: Troubles,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        """clock: seconds that only grow. jitter: numbers in [0, 1) that spread what is sent again."""
        self._options = options
        self._topics = topics
        self._troubles = troubles
        self._evicted: Counter[str] = Counter()
        self.outbox = Outbox(options.outbox, bounds=options.bounds, clock=clock)
        self.delivery = Delivery(
            self.outbox,
            topics=topics,
            collector=options.collector_key,
            patience=options.patience,
            troubles=troubles,
            clock=clock,
            jitter=jitter,
        )

    def look_for_strangers(self) -> None:
        """Settings may have changed since an observation was accepted; no collector would ever take it then."""
        strangers = sum(not self._genuine(waiting.id) for waiting in self.outbox.waiting(limit=LOOKED_AT))
        if strangers:
            log.error(
                "%d observations in the outbox are of another root, device id or key, and no collector will take them. "
                "Set these back until the outbox is empty, or move %s aside",
                strangers,
                self._options.outbox,
            )

    def put(self, receipt: Receipt, envelope: bytes) -> tuple[Reply, bool]:
        """Keep what the guard has admitted: on the disk before it is answered. Whether it is new.

        Raises:
            OutboxDamaged: it is to be mended, and capture asked to come again.
        """
        try:
            new = self.outbox.put(receipt.epoch, receipt.position, envelope, link=receipt.hash) is not None
        except Equivocation:
            self.outbox.count("refused:equivocation")
            self._troubles.say("guard", "capture sends another observation for a ledger position that is taken")
            return Reply(Status.REFUSED, "equivocation"), False
        except OutboxDamaged:
            raise
        except RelayError as error:
            self._say(error)
            return Reply(Status.LATER, error.reason), False
        self._troubles.over("outbox")
        return self.answer(receipt.epoch), new

    def answer(self, epoch: bytes) -> Reply:
        """Accepted, and how far this epoch is known to have got. Raises OutboxDamaged."""
        try:
            return Reply(Status.ACCEPTED, heard=self.outbox.heard(epoch))
        except OutboxDamaged:
            raise
        except RelayError:
            return ACCEPTED

    def reported(self, report: CaptureReport) -> None:
        """Capture's counts, for the account. Raises OutboxDamaged."""
        try:
            self.outbox.reported(report)
        except OutboxDamaged:
            raise
        except RelayError as error:  # capture says them again
            self._say(error)

    def hear(self, payload: bytes) -> None:
        """The collector's word, or what is sent in its place. Raises OutboxDamaged."""
        try:
            freed = self.delivery.acknowledge(payload)
        except Fork:
            self._troubles.say(
                "fork",
                "the collector holds another history of this ledger than this device: nothing is freed. Put the newest "
                "copy of the ledger back, or begin a new epoch, and find out who else has the device's key",
            )
        except WireError as error:
            self.outbox.count("ignored-acknowledgement")
            self._troubles.say("ack", f"ignored an acknowledgement: {error}. {error.remedy}")
        except OutboxDamaged:
            raise
        except RelayError as error:  # the collector will say it again when it is asked again
            self._say(error)
        else:
            if freed:
                log.info("the collector holds %d more observations; %d wait", freed, self.delivery.waiting)

    def tick(self) -> None:
        """What is to be done once in a while; what the bounds have cost is said. Raises OutboxDamaged."""
        try:
            self.outbox.tick()
        except OutboxDamaged:
            raise
        except RelayError as error:
            self._say(error)
        gone, bounds = self.outbox.evicted - self._evicted, self._options.bounds
        self._evicted = self.outbox.evicted.copy()
        for cause, bound in ("size", f"{bounds.size // 2**20} MiB"), ("age", f"{bounds.age / 86400:.0f} days"):
            if gone[cause]:
                self._troubles.say(
                    f"evicted {cause}",
                    f"the outbox has reached its bound of {bound}: the oldest observations give way and are lost. "
                    "Bring the collector back; outbox_mb and outbox_days in [relay] are the bounds",
                )

    def mend(self, error: OutboxDamaged) -> None:
        """Go on with a new file that holds what could be read of the old. Raises RelayError where there can be none."""
        self._troubles.say("damage", f"{error}. It is set aside")
        self.outbox.begin_again()
        self.delivery.begin_again()

    def _genuine(self, row: int) -> bool:
        """Whether the device's key has signed it for its topic."""
        try:
            verify(self.outbox.envelope(row), self._options.device_key, self._topics.observation)
        except WireError:
            return False
        return True

    def _say(self, error: RelayError) -> None:
        self._troubles.say("outbox", f"{error}. {error.remedy}")
