"""One MQTT connection: what is in flight on it, and nothing that outlives it."""

import contextlib
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from wire.events import TOO_LARGE, TOO_MANY, Connected, Event, Message, Published, Refused, Subscribed
from wire.handshake import WatchedSocket, explain
from wire.limits import lacking, packet_size
from wire.options import BrokerOptions, speaks_tls
from wire.schema import MAX_MESSAGE

CREDENTIALS = frozenset({0x86, 0x87, 0x8A, 0x8C})
"""MQTT 5, table 3-1: bad user name or password, not authorized, banned, bad authentication method."""
UNLIMITED = 65535
"""MQTT 5, section 3.2.2.3.3: the Receive Maximum of a broker that names none."""
WINDOW = 20
"""QoS 1 messages without an answer, at most, where the broker takes more: mosquitto's own limit."""
ANSWER_SECONDS = 10.0
"""How long a broker may take to answer CONNECT."""
GOODBYE_SECONDS = 1.0
"""How long answers that are still on their way are waited for before the goodbye."""
SILENCE = 1.5
"""Times the keepalive after which a broker that says nothing is given up, as brokers do with clients (MQTT 5, section
3.1.2.10). A ping goes out after one keepalive without a word, so that half of one is left for its answer."""
LARGEST_PACKET = 2 * MAX_MESSAGE
"""What the broker may send us: enough that a message which is too long can still be named as such."""
PENDING = 1024
"""Events that may wait for the caller before messages that no acknowledgement holds back are dropped; messages that
may wait for the broker's answers to earlier ones before more are refused."""
OTHER_VERSION = 0x84
"""MQTT 5, table 3-1: the broker does not speak the version that it was asked in."""
TAKEN_OVER = 0x8E
"""MQTT 5, table 3-13: somebody else has connected under our client id."""
TURN, LAST_TURN = 1000, 100
"""Milliseconds between two looks at the time, and while the goodbye waits."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way out, and the number that its Published will carry.

    expiry: seconds after which the broker drops it where it is still waiting. content_type: of the payload. Both are
    properties of MQTT 5.
    """

    number: int
    topic: str
    payload: bytes
    qos: int
    retain: bool
    expiry: int | None = None
    content_type: str | None = None


class Connection:
    """One connection from attempt to end, served by one thread in `run`; the other methods are for any thread.

    The broker's limits are kept here and not in paho, which does not know them: at most its Receive Maximum of
    unanswered QoS 1 messages (MQTT 5, section 4.9), and no packet beyond its Maximum Packet Size (3.2.2.3.6).

    Args:
        number: of this connection: the upper bits of what its incoming messages are called.
        events: receives what happens.
        client: of paho, new.
        subscriptions: topic filters, at QoS 1.
        manual_ack: whether messages of QoS 1 wait for `acknowledge`.
    """

    def __init__(
        self,
        number: int,
        events: SimpleQueue[Event],
        client: paho.Client,
        subscriptions: tuple[str, ...],
        *,
        manual_ack: bool,
    ) -> None:
        self.accepted = False
        self.refused = False
        self._base = number << 16
        self._events = events
        self._client = client
        self._subscriptions = subscriptions
        self._manual_ack = manual_ack
        self._end = ""
        self._leaving = self._left = False
        self._going: float | None = None
        self._five = False
        self._window = WINDOW
        self._largest: int | None = None
        self._at_once: deque[Outgoing] = deque()
        self._windowed: deque[Outgoing] = deque()
        self._acknowledged: deque[tuple[int, int]] = deque()
        self._unanswered: dict[int, int] = {}
        self._unwritten: dict[int, int] = {}
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        client.max_inflight_messages_set(WINDOW)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        # With this in place paho leaves all writing to whoever calls loop_write.
        client.on_socket_register_write = lambda *_: None

    def run(self, options: BrokerOptions, *, receive_maximum: int | None, clock: Callable[[], float]) -> str:
        """Connect and serve until the connection ends, and say why it did. Raises OSError where none comes about."""
        self._begin(options, receive_maximum)
        kept = self._client.socket()
        end = self._serve(clock)
        if isinstance(kept, WatchedSocket) and kept.trouble:
            return explain(kept.trouble, options)
        if self.accepted:
            return end or self._end or "the connection was closed"
        also = "" if speaks_tls(options) else ", or TLS only: see `ca_file`"
        end = end or f"{self._end or 'the connection was closed'} before an answer"
        return f"{end}; the broker may speak another version of MQTT: see `protocol`{also}"

    def publish(self, message: Outgoing) -> None:
        """Queue a message. What is of QoS 0 overtakes what waits for the broker's answers."""
        if message.qos and len(self._windowed) >= PENDING:
            reason = f"{PENDING} messages wait for the broker's answers already"
            self._events.put(Published(message.number, accepted=False, reason=reason, code=TOO_MANY))
            return
        (self._windowed if message.qos else self._at_once).append(message)
        self._stir()

    def acknowledge(self, message: Message) -> None:
        """Queue the answer to a message of this connection."""
        if message.mid & ~0xFFFF == self._base:
            self._acknowledged.append((message.mid & 0xFFFF, message.qos))
            self._stir()

    def leave(self) -> None:
        """Queue the goodbye behind what has been published."""
        self._leaving = True
        self._stir()

    def close(self) -> None:
        """Let go of the socket, whatever state it is in, and of each other.

        paho closes its inner sockets when the last reference to the client goes; a circle of references would leave
        that to the garbage collector, which may take the sockets first and complain.
        """
        client = self._client
        if kept := client.socket():
            kept.close()
        self._wake.close()
        self._woken.close()
        client.on_connect = client.on_disconnect = client.on_message = None
        client.on_publish = client.on_subscribe = None

    def _begin(self, options: BrokerOptions, receive_maximum: int | None) -> None:
        where = options.host, options.port, options.keepalive
        self._five = options.protocol == "5"
        if not self._five:
            self._client.connect(*where)
            return
        asked = _properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=options.session_expiry,
            ReceiveMaximum=receive_maximum,
            MaximumPacketSize=LARGEST_PACKET,
        )
        self._client.connect(*where, clean_start=options.session_expiry == 0, properties=asked)

    def _serve(self, clock: Callable[[], float]) -> str:
        """Until there is no socket any more; the reason, where it is ours."""
        client, begun = self._client, clock()
        heard = begun
        while (kept := client.socket()) is not None:
            self._hand_over(clock())
            if self._turn(kept):
                heard = clock()
            if not self.accepted and clock() - begun > ANSWER_SECONDS:
                return f"no answer within {ANSWER_SECONDS:.0f} s"
            if clock() - heard > SILENCE * client.keepalive:
                return f"the broker has said nothing for {SILENCE * client.keepalive:g} s"
        return ""

    def _turn(self, kept: "paho.SocketLike") -> bool:
        """Wait for something to do, for TURN at most, and do it. Whether the broker was heard."""
        client = self._client
        decrypted = isinstance(kept, ssl.SSLSocket) and kept.pending() > 0
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        poll.register(kept, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        ready = dict(poll.poll(0 if decrypted else LAST_TURN if self._leaving else TURN))
        if self._woken.fileno() in ready:
            self._woken.recv(4096)
        happened = ready.get(kept.fileno(), 0)
        heard = decrypted or bool(happened & ~select.POLLOUT)
        if heard:
            client.loop_read()
        if happened & select.POLLOUT:
            client.loop_write()
        client.loop_misc()
        return heard

    def _stir(self) -> None:
        with contextlib.suppress(OSError):  # it is awake already, or has ended
            self._wake.send(b".")

    def _hand_over(self, now: float) -> None:
        """What other threads have left here goes to paho, as far as the broker takes it now."""
        leaving = self._leaving  # before the queues are looked at: what was published before must go before
        while self._acknowledged:
            self._client.ack(*self._acknowledged.popleft())
        while self._windowed and len(self._unanswered) < self._window:
            self._send(self._windowed.popleft(), self._unanswered)
        while self._at_once:
            self._send(self._at_once.popleft(), self._unwritten)
        if leaving and not self._left and self._may_leave(now):
            self._left = True
            self._client.disconnect()

    def _may_leave(self, now: float) -> bool:
        """Answers that are on their way are waited for.

        To close over them would reset the connection, and what the broker has not read by then would be lost.
        """
        if self._going is None:
            self._going = now
        return not self._unanswered or now - self._going > GOODBYE_SECONDS

    def _send(self, message: Outgoing, numbers: dict[int, int]) -> None:
        properties = None
        if self._five:
            properties = _properties(
                PacketTypes.PUBLISH, MessageExpiryInterval=message.expiry, ContentType=message.content_type
            )
            size = packet_size(message.topic, message.payload, message.qos, properties)
            if self._largest is not None and size > self._largest:
                reason = f"a message of {size} bytes, and the broker takes {self._largest}"
                self._events.put(Published(message.number, accepted=False, reason=reason, code=TOO_LARGE))
                return
        sent = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        numbers[sent.mid] = message.number

    def _on_connect(
        self,
        client: paho.Client,
        _: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        why = str(reason) if reason.is_failure else lacking(properties)
        if why:
            self.refused = True
            if reason.value == OTHER_VERSION:
                why += ": set `protocol`"
            self._events.put(Refused(why, credentials=reason.value in CREDENTIALS))
            self._leaving = True
            return
        if self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        receive_maximum = getattr(properties, "ReceiveMaximum", UNLIMITED)
        self._window = min(WINDOW, receive_maximum)
        self._largest = getattr(properties, "MaximumPacketSize", None)
        self.accepted = True
        self._events.put(Connected(flags.session_present, receive_maximum))

    def _on_disconnect(self, _c: paho.Client, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
        if self._end:  # paho calls twice where the broker said goodbye, and only the first time knows why
            return
        self._end = str(reason)
        if reason.value == TAKEN_OVER:
            self._end += "; somebody else connects under the same client id: give each its own"

    def _on_message(self, _c: paho.Client, _u: object, message: paho.MQTTMessage) -> None:
        held_back = self._manual_ack and message.qos > 0
        if not held_back and self._events.qsize() >= PENDING:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._events.put(Message(topic, bytes(message.payload), self._base | message.mid, message.qos))

    def _on_publish(self, _c: paho.Client, _u: object, mid: int, reason: ReasonCode, _p: object) -> None:
        number = self._unanswered.pop(mid, None)
        if number is None:
            number = self._unwritten.pop(mid)
        self._events.put(Published(number, not reason.is_failure, str(reason), reason.value))

    def _on_subscribe(self, _c: paho.Client, _u: object, _mid: int, reasons: list[ReasonCode], _p: object) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._events.put(Subscribed(not refused, ", ".join(refused)))


def _properties(packet: int, **values: int | str | None) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho has not annotated this one
    for name, value in values.items():
        if value is not None:
            setattr(properties, name, value)
    return properties
