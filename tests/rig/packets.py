"""MQTT 3.1.1 and 5 control packets as values, as far as a broker's side of a test needs them.

Written from the standards and without paho, which is what is tested: MQTT 5, sections 1.5, 2 and 3.
"""

from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14

MESSAGE_EXPIRY, CONTENT_TYPE, SESSION_EXPIRY, SERVER_KEEP_ALIVE, REASON_STRING = 0x02, 0x03, 0x11, 0x13, 0x1F
RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM, MAXIMUM_QOS, RETAIN_AVAILABLE, MAXIMUM_PACKET_SIZE = 0x21, 0x22, 0x24, 0x25, 0x27
"""Identifiers of properties: MQTT 5, table 2-4."""

_WIDTH = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
_BINARY = {0x09, 0x16}
_STRING = {0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F}
_PAIR, _VARIABLE = 0x26, 0x0B

Values = dict[int, int | str | bytes]


@dataclass(frozen=True)
class Connect:
    """version: 4 for MQTT 3.1.1, 5 for MQTT 5."""

    version: int
    client_id: str
    keepalive: int
    clean: bool
    username: str | None = None
    password: bytes | None = None
    will_topic: str | None = None
    will: bytes = b""
    properties: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Subscribe:
    mid: int
    filters: tuple[str, ...]


@dataclass(frozen=True)
class Publish:
    topic: str
    payload: bytes
    qos: int = 0
    mid: int = 0
    retain: bool = False
    again: bool = False
    properties: Values = field(default_factory=dict)
    size: int = 0


@dataclass(frozen=True)
class Puback:
    mid: int
    code: int = 0


@dataclass(frozen=True)
class Ping:
    pass


@dataclass(frozen=True)
class Disconnect:
    code: int = 0


@dataclass(frozen=True)
class Other:
    """A packet of a kind that no test has needed yet."""

    kind: int
    body: bytes


Packet = Connect | Subscribe | Publish | Puback | Ping | Disconnect | Other


class Reader:
    """Takes values from the front of a packet's body."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def take(self, count: int) -> bytes:
        taken, self.body = self.body[:count], self.body[count:]
        if len(taken) < count:
            raise ValueError("the packet ends too early")
        return taken

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def binary(self) -> bytes:
        return self.take(self.number(2))

    def string(self) -> str:
        return self.binary().decode()

    def variable(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def properties(self) -> Values:
        inner, found = Reader(self.take(self.variable())), Values()
        while inner.body:
            name = inner.variable()
            if name in _WIDTH:
                found[name] = inner.number(_WIDTH[name])
            elif name in _STRING:
                found[name] = inner.string()
            elif name in _BINARY:
                found[name] = inner.binary()
            elif name == _PAIR:
                found[name] = f"{inner.string()}={inner.string()}"
            elif name == _VARIABLE:
                found[name] = inner.variable()
            else:
                raise ValueError(f"no property {name:#x}")
        return found


def parse(first: int, body: bytes, version: int) -> Packet:
    """One packet from its first byte and all behind its length."""
    reader, kind = Reader(body), first >> 4
    five = version == 5
    if kind == CONNECT:
        return _connect(reader)
    if kind == PUBLISH:
        return _publish(first, reader, five=five)
    if kind == SUBSCRIBE:
        mid, filters = reader.number(2), []
        if five:
            reader.properties()
        while reader.body:
            filters.append(reader.string())
            reader.take(1)
        return Subscribe(mid, tuple(filters))
    if kind == PUBACK:
        return Puback(reader.number(2), reader.number(1) if reader.body else 0)
    if kind == PINGREQ:
        return Ping()
    if kind == DISCONNECT:
        return Disconnect(reader.number(1) if reader.body else 0)
    return Other(kind, body)


def _connect(reader: Reader) -> Connect:
    reader.string()
    version, flags, keepalive = reader.number(1), reader.number(1), reader.number(2)
    properties = reader.properties() if version == 5 else {}
    client_id = reader.string()
    will_topic, will = None, b""
    if flags & 0x04:
        if version == 5:
            reader.properties()
        will_topic, will = reader.string(), reader.binary()
    username = reader.string() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    return Connect(version, client_id, keepalive, bool(flags & 0x02), username, password, will_topic, will, properties)


def _publish(first: int, reader: Reader, *, five: bool) -> Publish:
    size, qos = len(reader.body), (first >> 1) & 3
    topic = reader.string()
    mid = reader.number(2) if qos else 0
    properties = reader.properties() if five else {}
    size += 1 + len(_variable(size))
    return Publish(topic, reader.body, qos, mid, bool(first & 1), bool(first & 8), properties, size)


def connack(code: int, properties: Values, *, session: bool, version: int) -> bytes:
    return _packet(CONNACK << 4, bytes([session, code]) + _properties(properties, version))


def suback(mid: int, codes: list[int], version: int) -> bytes:
    return _packet(SUBACK << 4, mid.to_bytes(2, "big") + _properties({}, version) + bytes(codes))


def puback(mid: int, code: int, properties: Values, version: int) -> bytes:
    body = mid.to_bytes(2, "big")
    if version == 5 and (code or properties):
        body += bytes([code]) + _properties(properties, version)
    return _packet(PUBACK << 4, body)


def pingresp() -> bytes:
    return _packet(PINGRESP << 4, b"")


def disconnect(code: int, properties: Values, version: int) -> bytes:
    body = bytes([code]) + _properties(properties, version) if version == 5 else b""
    return _packet(DISCONNECT << 4, body)


def publish(message: Publish, version: int) -> bytes:
    body = _text(message.topic)
    if message.qos:
        body += message.mid.to_bytes(2, "big")
    body += _properties(message.properties, version) + message.payload
    return _packet(PUBLISH << 4 | message.again << 3 | message.qos << 1 | message.retain, body)


def _packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + _variable(len(body)) + body


def _properties(values: Values, version: int) -> bytes:
    if version != 5:
        return b""
    encoded = b"".join(bytes([name]) + _value(name, value) for name, value in values.items())
    return _variable(len(encoded)) + encoded


def _value(name: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _variable(value) if name == _VARIABLE else value.to_bytes(_WIDTH[name], "big")
    return _text(value) if isinstance(value, str) else len(value).to_bytes(2, "big") + value


def _text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _variable(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        encoded.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(encoded)
