"""A relay whose time, broker and capture are played by the test, in one thread."""

import socket
import threading

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_report

from edge.relay import service
from edge.relay.link import Reply
from edge.relay.options import RelayOptions
from edge.relay.service import Relay
from wire.codec import decode, encode
from wire.cose import sign, verify
from wire.events import Connected, Disconnected, Message, Published
from wire.options import BrokerOptions
from wire.schema import Acknowledgement, Observation
from wire.service.attendance import Attendance
from wire.topics import Topics

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
COLLECTOR = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
TOPICS = Topics("speckled", "cam")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class PlayedBroker:
    """Stands for wire.broker.Broker; `steps` is asked for the next step of the test each time the relay went round."""

    def __init__(self, _options, *, events, **_):
        self.events = events
        self.there = False
        self.answers = True
        self.reconnects = 0
        self.published = []
        self.steps = iter(())
        self.stop_event = threading.Event()
        self.collector = None
        self._mids = iter(range(1, 10**9))

    def start(self):
        pass

    def stop(self):
        pass

    def reconnect(self):
        self.reconnects += 1
        self.events.put(Disconnected("left"))
        self.connect()

    def alive(self):
        if next(self.steps, self) is self:
            self.stop_event.set()
        return True

    def connect(self):
        self.there = True
        self.events.put(Connected(session_present=False, receive_maximum=20))

    def fail(self):
        self.there = False
        self.events.put(Disconnected("Connection refused"))

    def publish(self, topic, payload, *, qos=1, retain=False, expiry=None, content_type=None):
        mid = next(self._mids)
        self.published.append(topic)
        if not self.there:
            self.events.put(Published(mid, accepted=False, reason="there is no connection", code=-1))
        elif self.answers and qos:
            self.events.put(Published(mid, accepted=True, reason="Success", code=0))
            if topic == TOPICS.observation and self.collector is not None:
                self.events.put(Message(TOPICS.ack, self.collector.take(payload), 0, 1))
        return mid


class PlayedCollector:
    """Stores what it gets, and gives its word for each."""

    def __init__(self):
        self.seen = []

    def take(self, payload):
        receipt = decode(verify(payload, KEY.public_key(), TOPICS.observation), Observation).receipt
        self.seen.append(receipt.position)
        position = receipt.position
        word = Acknowledgement(
            device="cam", epoch=receipt.epoch, since=position, upto=position, hash=receipt.hash, gaps=[]
        )
        return sign(encode(word), COLLECTOR, TOPICS.ack)


class PlayedRelay:
    """A real relay between them. `run(steps)`: a generator that does one thing and yields, as often as it likes."""

    def __init__(self, folder, monkeypatch, clock, **changes):
        monkeypatch.setattr(service, "Broker", PlayedBroker)
        monkeypatch.setattr(service, "PULSE", 0.0)
        given = {
            "device": "cam",
            "root": "speckled",
            "socket": folder / "s",
            "outbox": folder / "outbox.sqlite",
            "device_key": KEY.public_key(),
            "collector_key": COLLECTOR.public_key(),
            "broker": BrokerOptions(),
            "software": "speckled test",
        }
        self._clock = clock
        self.relay = Relay(RelayOptions(**given | changes), clock=clock, jitter=lambda: 0.0)
        self.broker = self.relay._broker
        self._capture = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._capture.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        self._capture.connect(str(folder / "s"))
        self._capture.setblocking(False)

    def run(self, steps):
        self.broker.steps = steps
        self.broker.stop_event.clear()
        self.relay.run(self.broker.stop_event, Attendance({}, clock=self._clock))
        self._capture.close()

    def hand_over(self, envelope):
        """Two steps of the test: the envelope goes, and the answer comes."""
        self._capture.send(envelope)
        while True:
            yield
            try:
                self.reply = Reply.from_bytes(self._capture.recv(200))
            except BlockingIOError:
                continue
            return

    def report(self, made, *, dropped=0, waiting=0):
        yield from self.hand_over(make_report("cam", KEY, made=made, dropped=dropped, waiting=waiting)[1])
