"""MQTT behind a small door: values in, events out, no callback that can fail.

paho holds what is in flight on one connection and nothing else. Every connection gets a client of its own, so no
backlog is sent again behind the caller's back when a connection returns, and a message id of an old connection can
never be taken for one of the new.
"""

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from wire.events import (
    NOT_SENT,
    Connected,
    Disconnected,
    Event,
    Message,
    Published,
    Refused,
    Subscribed,
    Will,
)
from wire.options import BrokerOptions, read_password, tls_context
from wire.schema import MAX_MESSAGE
from wire.topics import QOS, RETAIN

log = logging.getLogger("speckled.broker")

CREDENTIALS = frozenset({0x86, 0x87, 0x8A, 0x8C})
"""MQTT 5, table 3-1: bad user name or password, not authorized, banned, bad authentication method."""
UNLIMITED = 65535
"""MQTT 5, section 3.2.2.3.3: the Receive Maximum of a broker that names none."""
ANSWER_SECONDS = 10.0
"""How long a broker may take to answer CONNECT."""
_OTHER_VERSION = "the broker may speak another version of MQTT: see `protocol`"
LARGEST_PACKET = 2 * MAX_MESSAGE
"""What the broker may send us: enough that a message which is too long can still be named as such."""
PENDING = 1024
"""Events that may wait for the caller before messages that no acknowledgement holds back are dropped."""
TAKEN_OVER = 0x8E
"""MQTT 5, table 3-13: somebody else has connected under our client id."""


class Broker:
    """One client of one broker, which connects again for as long as it runs.

    Everything that happens is put on `events`, in the order in which it happened. Public methods may be called from
    any thread.

    Args:
        options: where the broker is and who we are.
        client_id: the broker's name for the session; unique among its clients.
        events: receives every Event.
        subscriptions: topic filters, subscribed at QoS 1 on each connection before its Connected is delivered.
        will: published by the broker when this client vanishes.
        manual_ack: QoS 1 messages are acknowledged by `acknowledge` only, in the order they came. What the broker
            need not wait with, QoS 0 or without manual_ack, is dropped while PENDING events wait to be taken.
        receive_maximum: how many unacknowledged QoS 1 messages the broker may send (MQTT 5).
        retry: shortest and longest pause between two attempts, in seconds; it doubles after each failure.
        jitter: numbers in [0, 1) that keep a fleet from knocking all at once.
        clock: seconds that only grow; measures the wait for the broker's first answer.

    Raises:
        SettingsError: the password or a TLS file cannot be used.
    """

    def __init__(
        self,
        options: BrokerOptions,
        *,
        client_id: str,
        events: SimpleQueue[Event],
        subscriptions: tuple[str, ...] = (),
        will: Will | None = None,
        manual_ack: bool = False,
        receive_maximum: int | None = None,
        retry: tuple[float, float] = (1.0, 60.0),
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._client_id = client_id
        self._events = events
        self._subscriptions = subscriptions
        self._will = will
        self._manual_ack = manual_ack
        self._receive_maximum = receive_maximum
        self._retry = retry
        self._jitter = jitter
        self._clock = clock
        self._password = read_password(options)
        self._tls = tls_context(options)
        self._numbers = itertools.count(1)
        self._unsent = itertools.count(-1, -1)
        self._connection: _Connection | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def start(self) -> None:
        """Begin connecting, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Send what was published, say goodbye to the broker (which then keeps the will to itself), and end."""
        self._stopping.set()
        if connection := self._connection:
            connection.leave()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def reconnect(self) -> None:
        """Leave the connection that there is and begin another: its broker has stopped answering."""
        if connection := self._connection:
            connection.leave()

    def alive(self) -> bool:
        """Whether the network thread runs. False after start means a defect: the process should end."""
        return self._thread.is_alive()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Hand one message to the connection and return the number that its Published will carry.

        A message on a broken connection is not kept: its Published comes with accepted False, or a Disconnected
        voids it.
        """
        connection = self._connection
        if connection and connection.accepted:
            mid = connection.publish(topic, payload, qos=qos, retain=retain)
            if self._connection is connection:
                return mid
        mid = next(self._unsent)
        self._events.put(Published(mid, accepted=False, reason="there is no connection", code=NOT_SENT))
        return mid

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that a message is dealt with. One of an earlier connection is left: it will come again."""
        if connection := self._connection:
            connection.acknowledge(message)

    def _run(self) -> None:
        pause, longest = self._retry
        while not self._stopping.is_set():
            if self._connect_once():
                pause = self._retry[0]
            self._stopping.wait(pause * (0.5 + self._jitter() / 2))
            pause = min(2 * pause, longest)

    def _connect_once(self) -> bool:
        """One connection from attempt to end. Whether the broker accepted it."""
        connection = _Connection(
            next(self._numbers), self._events, self._client(), self._subscriptions, manual_ack=self._manual_ack
        )
        self._connection = connection
        try:
            reason = connection.run(self._options, receive_maximum=self._receive_maximum, clock=self._clock)
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
        except Exception as error:  # the thread must outlive whatever a broken peer makes paho raise
            log.debug("the connection ended with an error", exc_info=True)
            reason = f"an answer that is not MQTT ({type(error).__name__}); {_OTHER_VERSION}"
        finally:
            self._connection = None
            connection.close()
        if not connection.refused:
            self._events.put(Disconnected(reason))
        return connection.accepted

    def _client(self) -> paho.Client:
        options = self._options
        five = options.protocol == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean_session=None if five else options.session_expiry == 0,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=self._manual_ack,
        )
        client.suppress_exceptions = True
        if options.username is not None:
            client.username_pw_set(options.username, self._password)
        if self._tls:
            client.tls_set_context(self._tls)
        if self._will:
            client.will_set(self._will.topic, self._will.payload, qos=QOS["state"], retain=RETAIN["state"])
        return client


class _Connection:
    """One connection and its numbers: the upper bits of a mid name the connection, the lower 16 the packet."""

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
        self._leaving = False
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        # With this in place paho leaves all writing to loop(), whichever thread publishes.
        client.on_socket_register_write = lambda *_: None

    def run(self, options: BrokerOptions, *, receive_maximum: int | None, clock: Callable[[], float]) -> str:
        """Connect and serve until the connection ends, and say why it did. Raises OSError where none comes about."""
        if options.protocol == "5":
            asked = _properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=options.session_expiry,
                ReceiveMaximum=receive_maximum,
                MaximumPacketSize=LARGEST_PACKET,
            )
            self._client.connect(
                options.host, options.port, options.keepalive, clean_start=options.session_expiry == 0, properties=asked
            )
        else:
            self._client.connect(options.host, options.port, options.keepalive)
        if self._leaving:  # asked to leave before there was a socket
            self._client.disconnect()
        patience = clock() + ANSWER_SECONDS
        while self._client.loop(1.0) == MQTTErrorCode.MQTT_ERR_SUCCESS and self._client.socket() is not None:
            if not self.accepted and clock() > patience:
                return f"no answer within {ANSWER_SECONDS:.0f} s; {_OTHER_VERSION}"
        end = self._end or "the connection was closed"
        return end if self.accepted else f"{end} before an answer; {_OTHER_VERSION}"

    def leave(self) -> None:
        """Queue the goodbye behind what has been published."""
        self._leaving = True
        self._client.disconnect()

    def close(self) -> None:
        """Let go of the socket, whatever state it is in, and of each other.

        paho closes its inner sockets when the last reference to the client goes; a circle of references would leave
        that to the garbage collector, which may take the sockets first and complain.
        """
        client = self._client
        if socket := client.socket():
            socket.close()
        client.on_connect = client.on_disconnect = client.on_message = None
        client.on_publish = client.on_subscribe = None

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        return self._base | self._client.publish(topic, payload, qos, retain).mid

    def acknowledge(self, message: Message) -> None:
        if message.mid & ~0xFFFF == self._base:
            self._client.ack(message.mid & 0xFFFF, message.qos)

    def _on_connect(
        self,
        client: paho.Client,
        _: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.refused = True
            self._events.put(Refused(str(reason), credentials=reason.value in CREDENTIALS))
            return
        self.accepted = True
        if self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        receive_maximum = getattr(properties, "ReceiveMaximum", UNLIMITED)
        # paho holds back what exceeds its own limit but does not learn the broker's (MQTT 5, section 4.9), and its
        # setter refuses on an open connection for the sake of messages in flight, of which a new client has none.
        client._max_inflight_messages = min(client.max_inflight_messages, receive_maximum)  # noqa: SLF001 (see above)
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
        self._events.put(Published(self._base | mid, not reason.is_failure, str(reason), reason.value))

    def _on_subscribe(self, _c: paho.Client, _u: object, _mid: int, reasons: list[ReasonCode], _p: object) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._events.put(Subscribed(not refused, ", ".join(refused)))


def _properties(packet: int, **values: int | None) -> Properties:
    properties = Properties(packet)  # type: ignore[no-untyped-call]  # paho has not annotated this one
    for name, value in values.items():
        if value is not None:
            setattr(properties, name, value)
    return properties
