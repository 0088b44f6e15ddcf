"""One short visit to the broker, under a name of its own: what it answers to a connection and to two publishes.

The relay's session and everything retained stay as they are: the visit has its own client id, a clean session that
ends with it, no will, and it publishes empty messages that are not retained.
"""

import secrets
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from wire.options import BrokerOptions, read_password, tls_context
from wire.settings import SettingsError
from wire.topics import Topics

SECONDS = 5.0
"""For each step."""


@dataclass(frozen=True, slots=True)
class Step:
    """How one step went: what it found, or what was in its way. Neither, where an earlier one failed."""

    found: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """address: TCP; tls: the handshake; login: CONNACK. limits: what it said of itself, by MQTT 5's names.

    own, foreign: the reason codes of a publish on this device's topic and on that of a device that is none; None where
    there was no answer.
    """

    address: Step = Step()
    tls: Step = Step()
    login: Step = Step()
    limits: dict[str, int] = field(default_factory=dict)
    own: int | None = None
    foreign: int | None = None


def visit_broker(
    options: BrokerOptions, root: str, device: str | None, clock: Callable[[], float] = time.monotonic
) -> Visit:
    """Go as far as the broker lets us. Without a device's name nothing is published."""
    try:
        context, password = tls_context(options), read_password(options)
    except SettingsError as error:
        return Visit(address=_reach(options, None)[0], tls=Step(failed=error.detail))
    address, tls = _reach(options, context)
    if address.failed or tls.failed:
        return Visit(address, tls)
    login, limits, answers = _Conversation(options, context, password, clock).hold(_probes(root, device))
    own, foreign = (*answers, None, None)[:2]
    return Visit(address, tls, login, limits, own, foreign)


def _probes(root: str, device: str | None) -> list[str]:
    if device is None:
        return []
    return [Topics(root, device).health, Topics(root, f"doctor-{secrets.token_hex(6)}").health]


def _reach(options: BrokerOptions, context: ssl.SSLContext | None) -> tuple[Step, Step]:
    where = f"{options.host}:{options.port}"
    try:
        connection = socket.create_connection((options.host, options.port), SECONDS)
    except OSError as error:
        return Step(failed=f"{where}: {error.strerror or error}"), Step()
    with connection:
        if context is None:
            return Step(where), Step()
        try:
            with context.wrap_socket(connection, server_hostname=options.host) as secured:
                return Step(where), Step(f"{secured.version()}, {(secured.cipher() or ('', '', 0))[0]}")
        except (OSError, ValueError) as error:
            why = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
            return Step(where), Step(failed=f"{where}: {why}")


class _Conversation:
    """One connection from CONNECT to DISCONNECT."""

    def __init__(
        self, options: BrokerOptions, context: ssl.SSLContext | None, password: str | None, clock: Callable[[], float]
    ) -> None:
        self._options = options
        self._five = options.protocol == "5"
        self._clock = clock
        self._connected: tuple[ReasonCode, Properties | None] | None = None
        self._ended: str | None = None
        self._answers: dict[int, int] = {}
        version = MQTTProtocolVersion.MQTTv5 if self._five else MQTTProtocolVersion.MQTTv311
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            f"doctor-{secrets.token_hex(6)}",
            clean_session=None if self._five else True,
            protocol=version,
            reconnect_on_failure=False,
        )
        client.suppress_exceptions = True
        client.connect_timeout = SECONDS
        if options.username is not None:
            client.username_pw_set(options.username, password)
        if context:
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish

    def hold(self, topics: list[str]) -> tuple[Step, dict[str, int], list[int | None]]:
        """Connect, publish an empty message on each topic, and say goodbye."""
        try:
            return self._hold(topics)
        except Exception as error:  # paho under a broken peer may raise anything
            return Step(failed=f"no MQTT {self._options.protocol}: {type(error).__name__}"), {}, []
        finally:
            self._close()

    def _hold(self, topics: list[str]) -> tuple[Step, dict[str, int], list[int | None]]:
        client = self._client
        if self._five:
            asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has not annotated this one
            asked.SessionExpiryInterval = 0
            client.connect(self._options.host, self._options.port, 30, clean_start=True, properties=asked)
        else:
            client.connect(self._options.host, self._options.port, 30)
        self._wait(lambda: self._connected is not None)
        if self._connected is None:
            return Step(failed=f"no answer to MQTT {self._options.protocol}: {self._ended or 'silence'}"), {}, []
        reason, properties = self._connected
        if reason.is_failure:
            return Step(failed=f"refused: {reason}"), {}, []
        numbers = [client.publish(topic, b"", qos=1).mid for topic in topics]
        self._wait(lambda: all(number in self._answers for number in numbers))
        client.disconnect()
        self._wait(lambda: self._ended is not None)
        return (
            Step(f"MQTT {self._options.protocol}"),
            _limits(properties),
            [self._answers.get(each) for each in numbers],
        )

    def _wait(self, done: Callable[[], bool]) -> None:
        patience = self._clock() + SECONDS
        while not done() and self._ended is None and self._clock() < patience:
            if self._client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break

    def _close(self) -> None:
        client = self._client
        if connection := client.socket():
            connection.close()
        client.on_connect = client.on_disconnect = client.on_publish = None

    def _on_connect(
        self, _c: object, _u: object, _f: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._connected = reason, properties

    def _on_disconnect(self, _c: object, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
        self._ended = self._ended or str(reason)

    def _on_publish(self, _c: object, _u: object, mid: int, reason: ReasonCode, _p: object) -> None:
        self._answers[mid] = reason.value


def _limits(properties: Properties | None) -> dict[str, int]:
    found: dict[str, Any] = properties.json() if properties is not None else {}  # type: ignore[no-untyped-call]
    return {name: value for name, value in found.items() if type(value) is int}
