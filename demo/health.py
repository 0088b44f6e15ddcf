"""The device's own delivery counters, as it publishes them."""

import threading
from queue import Empty, SimpleQueue

import msgspec

from demo.broker import DemoBroker
from wire.broker import Broker
from wire.events import Event, Message
from wire.options import BrokerOptions
from wire.schema import Health
from wire.topics import Topics


class HealthListener:
    """Subscribes to the health topic of one device."""

    def __init__(self, broker: DemoBroker, topics: Topics) -> None:
        self.latest = Health(
            session="",
            made=None,
            dropped=None,
            spooled=None,
            accepted=0,
            sent=0,
            acknowledged=0,
            waiting=0,
            evicted={},
            lost=0,
            set_aside=0,
            refused={},
            forked=0,
            capture=False,
        )
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._stop = threading.Event()
        self._broker = Broker(
            BrokerOptions(port=broker.port, protocol="5" if broker.protocol == "5" else "3.1.1", session_expiry=0),
            client_id="demo-health",
            events=self._events,
            subscriptions=(topics.health,),
        )
        self._thread = threading.Thread(target=self._listen, name="health", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._broker.start()
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stop.set()
        self._thread.join(5)
        self._broker.stop()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                event = self._events.get(timeout=0.2)
            except Empty:
                continue
            if isinstance(event, Message):
                self.latest = msgspec.json.decode(event.payload, type=Health)
