"""What happens on an MQTT connection, as values."""

from dataclasses import dataclass

NO_SUBSCRIBERS = 0x10
"""MQTT 5, table 3-4: the broker took the message and had nobody to give it to."""
NOT_AUTHORIZED = 0x87
"""MQTT 5, table 3-4: the broker's access list does not let this client write there."""
TOO_LARGE = 0x95
"""MQTT 5, table 2-6, packet too large: said by ourselves, of a message beyond what the broker takes."""
TOO_MANY = 0x97
"""MQTT 5, table 2-6, quota exceeded: said by ourselves, where too much waits for the broker's answers already."""
NOT_SENT = -1
"""Not of MQTT: there was no connection to send on."""


@dataclass(frozen=True, slots=True)
class Will:
    """The state that the broker publishes when the client vanishes without saying goodbye."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted us and the subscriptions are on their way.

    The broker takes at most `receive_maximum` unanswered QoS 1 messages; what a caller publishes beyond waits.
    """

    session_present: bool
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection ended, or an attempt to connect failed. Every publish without a Published is void."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker answered and turned us away. `credentials`: because of who we are, so trying again will not help."""

    reason: str
    credentials: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A message on a subscribed topic. The topic is empty where it is not UTF-8."""

    topic: str
    payload: bytes
    mid: int
    qos: int


@dataclass(frozen=True, slots=True)
class Published:
    """The broker's answer to a publish. MQTT 3.1.1 has no way to say no, so there `accepted` is always true.

    accepted: the reason code is below 0x80. `code` is that reason code, NO_SUBSCRIBERS among them, or NOT_SENT.
    """

    mid: int
    accepted: bool
    reason: str
    code: int = 0


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker's answer to our subscriptions: whether it granted all of them."""

    accepted: bool
    reason: str


Event = Connected | Disconnected | Refused | Message | Published | Subscribed
