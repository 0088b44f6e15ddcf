import logging
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue

from collector.complaints import Complaints
from collector.config import Settings
from collector.errors import BrokerRefused, ConfigError, Reason, Unavailable
from collector.ingest import Ingest
from collector.keys import DeviceKeys
from collector.store import Outcome, Store
from wire.broker import Broker
from wire.credentials import locate
from wire.events import Connected, Disconnected, Event, Message, Published, Refused, Subscribed
from wire.keys import read_private_key
from wire.service.attendance import Attendance
from wire.settings import SettingsError
from wire.topics import CONTENT_TYPE, QOS, RETAIN, subscription

log = logging.getLogger("speckled.collector")

BATCH = 64
"""Messages in one transaction. At 20 kB a synced commit costs as much as 15 to 26 messages, so more gains little."""
RECEIVE_MAXIMUM = 2 * BATCH
"""Unacknowledged messages that the broker may send: one batch being committed and one arriving."""
PULSE = 0.2
"""Seconds between two looks at whether the service is to stop."""


class Service:
    """Receives, commits, acknowledges to the broker in the order of arrival, then gives its word to the devices.

    A batch is whatever has arrived while the last one was committed, at most 64 messages. Killing the process at
    any point is safe: a message that the broker was not told of comes again, an acknowledgement that did not go out
    is asked for again by the device, and the store refuses to hold anything twice.
    """

    def __init__(self, broker: Broker, events: SimpleQueue[Event], ingest: Ingest) -> None:
        self._broker = broker
        self._events = events
        self._ingest = ingest
        self._connected_once = self._connected = False

    def run(self, stop: threading.Event, attendance: Attendance) -> None:
        """Serve until `stop` is set. `attendance` hears of each turn of the loop.

        Raises:
            BrokerRefused: the broker refused the credentials before it ever accepted them.
            StoreUnavailable, StoreCorrupt: the store failed; the batch stays with broker and devices.
            Unavailable: the network thread ended, which is a defect.
        """
        self._broker.start()
        try:
            while not stop.is_set():
                self._flush(self._gather())
                attendance.turn(self._status)
                if not self._broker.alive():
                    raise Unavailable(Reason.BROKER_UNREACHABLE, "the connection's thread has ended", "report it")
        finally:
            self._broker.stop()

    def _status(self) -> str:
        counts = self._ingest.counts
        known = (Outcome.STORED.value, Outcome.DUPLICATE.value)
        letters = sum(count for name, count in counts.items() if name not in known)
        where = "connected" if self._connected else "no broker"
        return f"{where}; {counts[known[0]]} stored, {counts[known[1]]} came again, {letters} dead letters"

    def _gather(self) -> list[Message]:
        """Wait for one event, then take what else is there."""
        batch: list[Message] = []
        wait = PULSE
        while len(batch) < BATCH:
            try:
                event = self._events.get(timeout=wait) if wait else self._events.get_nowait()
            except Empty:
                break
            wait = 0.0
            if isinstance(event, Message):
                batch.append(event)
            else:
                self._note(event)
        return batch

    def _flush(self, batch: list[Message]) -> None:
        if not batch:
            return
        words = self._ingest.take([(message.topic, message.payload) for message in batch])
        for message in batch:
            self._broker.acknowledge(message)
        for topic, envelope in words:
            self._broker.publish(
                topic, envelope, qos=QOS["ack"], retain=RETAIN["ack"], content_type=CONTENT_TYPE["ack"]
            )

    def _note(self, event: Event) -> None:
        match event:
            case Connected():
                self._connected_once = self._connected = True
                log.info("connected to the broker")
            case Refused(reason=reason, credentials=True):
                remedy = "correct username, password file or certificate in [mqtt], or the broker's access list"
                if not self._connected_once:
                    raise BrokerRefused(Reason.BROKER_REFUSED, reason, remedy)
                log.warning("the broker refuses the collector: %s; %s", reason, remedy)
            case Refused(reason=reason):
                log.warning("the broker refuses the collector: %s; see the broker's log", reason)
            case Disconnected(reason=reason):
                self._connected = False
                log.warning("disconnected from the broker: %s", reason)
            case Subscribed(accepted=False, reason=reason):
                log.error("the broker refuses a subscription: %s; let the collector read observation topics", reason)
            case Published(accepted=False, reason=reason, code=code) if code > 0:
                log.warning("the broker refuses an acknowledgement: %s; let the collector write ack topics", reason)
            case _:
                pass


def now() -> int:
    """Unix time in ms."""
    return time.time_ns() // 1_000_000


def make_service(settings: Settings, store: Store) -> Service:
    """A service on a real broker.

    Raises:
        ConfigError: the collector's key, the broker's password or a TLS file cannot be used.
    """
    root = settings.mqtt.root
    key = read_private_key(locate(settings.keys.key))
    report = Complaints(time.monotonic).report
    ingest = Ingest(store, DeviceKeys(Path(settings.keys.devices)), root=root, key=key, report=report)
    events: SimpleQueue[Event] = SimpleQueue()
    try:
        broker = Broker(
            settings.mqtt,
            client_id=settings.mqtt.client_id,
            events=events,
            subscriptions=(subscription(root, "observation"), subscription(root, "state")),
            manual_ack=True,
            receive_maximum=RECEIVE_MAXIMUM,
        )
    except SettingsError as error:
        raise ConfigError(Reason.CONFIG, error.detail, error.remedy) from None
    return Service(broker, events, ingest)
