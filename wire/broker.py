"""MQTT behind a small door: values in, events out, no callback that can fail.

paho holds what is in flight on one connection and nothing else. Every connection gets a client of its own, so no
backlog is sent again behind the caller's back when a connection returns, and a message id of an old connection can
never be taken for one of the new.
"""

import itertools
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from wire.connection import Connection, Outgoing
from wire.events import NOT_SENT, Disconnected, Event, Message, Published, Will
from wire.handshake import WatchedSocket, explain
from wire.options import BrokerOptions, read_password, tls_context, warnings
from wire.settings import SettingsError
from wire.topics import QOS, RETAIN

log = logging.getLogger("speckled.broker")

CONNECT_SECONDS = 5.0
"""How long the broker may take to open a connection, and again for the handshake of TLS."""


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
        read_password(options)
        tls_context(options)
        for line in warnings(options):
            log.warning("%s", line)
        self._connections = itertools.count(1)
        self._messages = itertools.count(1)
        self._connection: Connection | None = None
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

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        expiry: int | None = None,
        content_type: str | None = None,
    ) -> int:
        """Hand one message to the connection and return the number that its Published will carry.

        A message on a broken connection is not kept: its Published comes with accepted False, or a Disconnected
        voids it.

        Args:
            topic: of the message.
            payload: of the message.
            qos: 0 or 1.
            retain: whether the broker keeps it for who subscribes later.
            expiry: seconds after which the broker drops it, wherever it still waits (MQTT 5 only).
            content_type: of the payload, for who does not know the topic (MQTT 5 only).
        """
        number = next(self._messages)
        connection = self._connection
        if connection and connection.accepted:
            connection.publish(Outgoing(number, topic, payload, qos, retain, expiry, content_type))
            if self._connection is connection:
                return number
        self._events.put(Published(number, accepted=False, reason="there is no connection", code=NOT_SENT))
        return number

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
        try:
            client = self._client()
        except SettingsError as error:  # a file has changed since the start
            self._events.put(Disconnected(f"{error.detail}; {error.remedy}"))
            return False
        connection = Connection(
            next(self._connections), self._events, client, self._subscriptions, manual_ack=self._manual_ack
        )
        self._connection = connection
        if self._stopping.is_set():  # by a thread that saw no connection yet
            connection.leave()
        try:
            reason = connection.run(self._options, receive_maximum=self._receive_maximum, clock=self._clock)
        except ssl.SSLError as error:
            reason = explain(error, self._options)
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
        except Exception as error:  # the thread must outlive whatever a broken peer makes paho raise
            log.debug("the connection ended with an error", exc_info=True)
            reason = (
                f"an answer that is not MQTT ({type(error).__name__}); the broker may speak another version of "
                "MQTT: see `protocol`"
            )
        finally:
            self._connection = None
            connection.close()
        if not connection.refused:
            self._events.put(Disconnected(reason))
        return connection.accepted

    def _client(self) -> paho.Client:
        """A new client. Password and certificates are read again, so that renewed ones are used without a restart."""
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
        client.connect_timeout = CONNECT_SECONDS
        if options.username is not None:
            client.username_pw_set(options.username, read_password(options))
        if context := tls_context(options):
            context.sslsocket_class = WatchedSocket
            client.tls_set_context(context)
        if self._will:
            client.will_set(self._will.topic, self._will.payload, qos=QOS["state"], retain=RETAIN["state"])
        return client
