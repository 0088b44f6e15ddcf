"""A peer that speaks MQTT 5 or 3.1.1 and does what its script says: any answer, a late one, none, or rubbish.

    with Peer(Script(connect=Answer(0, {RECEIVE_MAXIMUM: 2}), publish=in_turn(Answer(0x97), Answer()))) as peer:
        ...                                   # a client connects to 127.0.0.1:peer.port
        third = peer.wait(Publish, 3)[2]      # the first three publishes, over all connections
        peer.script = Script(publish=SILENCE) # from the next packet on

It keeps no session, checks nothing and passes nothing on: `send` gives a message to the client.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, TypeVar

from rig import packets
from rig.packets import Connect, Disconnect, Packet, Ping, Publish, Subscribe, Values

P = TypeVar("P", bound=Packet)


@dataclass(frozen=True)
class Answer:
    """The answer that belongs to the packet, with this reason code and these properties, `after` so many seconds."""

    code: int = 0
    properties: Values = field(default_factory=dict)
    after: float = 0.0
    session: bool = False


@dataclass(frozen=True)
class Goodbye:
    """DISCONNECT with a reason (MQTT 5, section 3.14), then the end."""

    code: int
    properties: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """These bytes, whatever they are; then go on listening."""

    data: bytes


@dataclass(frozen=True)
class Silence:
    """No answer."""


@dataclass(frozen=True)
class Drop:
    """The connection is reset."""


Action = Answer | Goodbye | Raw | Silence | Drop
Rule = Action | Callable[[Packet], Action]
SILENCE, DROP = Silence(), Drop()


@dataclass(frozen=True)
class Script:
    """What is done about each packet that wants an answer: an action, or a function of the packet."""

    connect: Rule = Answer()
    subscribe: Rule = Answer()
    publish: Rule = Answer()
    ping: Rule = Answer()


def in_turn(*actions: Action) -> Callable[[Packet], Action]:
    """One action after the other; the last one for ever."""
    rest = list(actions)
    return lambda _packet: rest.pop(0) if len(rest) > 1 else rest[0]


class Peer:
    """Listens on a loopback port of its own while the `with` block runs.

    Args:
        script: what it does; the attribute of that name may be set at any time.
        tls: a server's context, where it is to speak TLS.
    """

    def __init__(self, script: Script | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.script = script or Script()
        self.got: list[Packet] = []
        self.connections = 0
        self.handshake_errors: list[str] = []
        self._tls = tls
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._current: _Talk | None = None
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        with self._news:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def all(self, kind: type[P]) -> list[P]:
        """The packets of one kind that have come, over all connections."""
        with self._news:
            return [packet for packet in self.got if isinstance(packet, kind)]

    def wait(self, kind: type[P], count: int = 1, seconds: float = 15) -> list[P]:
        """As `all`, once there are so many. Raises AssertionError."""
        with self._news:
            enough = self._news.wait_for(
                lambda: sum(isinstance(packet, kind) for packet in self.got) >= count, timeout=seconds
            )
            assert enough, f"no {count} of {kind.__name__} among {self.got}"
        return self.all(kind)

    def send(self, data: bytes | Publish) -> None:
        """Bytes, or a message, to whoever connected last."""
        assert self._current is not None
        self._current.send(packets.publish(data, self._current.version) if isinstance(data, Publish) else data)

    def drop(self) -> None:
        """Have the newest connection reset, if it is still there."""
        if self._current is not None:
            self._current.drop()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            if self._closing.is_set():
                connection.close()
                return
            self._begin(self._serve, connection)

    def _begin(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with self._news:
            self._open.add(connection)
        try:
            if self._tls:
                plain, connection = connection, self._tls.wrap_socket(connection, server_side=True)
                with self._news:
                    self._open.symmetric_difference_update({plain, connection})
            talk = _Talk(connection, self._closing)
            with self._news:
                self.connections += 1
                self._current = talk
            for packet in talk.packets():
                with self._news:
                    self.got.append(packet)
                    self._news.notify_all()
                if not self._answer(talk, packet):
                    return
        except ssl.SSLError as error:
            self.handshake_errors.append(error.reason or str(error))
        except (OSError, ValueError):
            pass
        finally:
            with self._news:
                self._open.discard(connection)
            connection.close()

    def _answer(self, talk: "_Talk", packet: Packet) -> bool:
        """Do what the script says. Whether to go on."""
        rules = {
            Connect: self.script.connect,
            Subscribe: self.script.subscribe,
            Publish: self.script.publish,
            Ping: self.script.ping,
        }
        if isinstance(packet, Disconnect):
            return False
        rule = rules.get(type(packet), SILENCE)
        action = rule(packet) if callable(rule) else rule
        match action:
            case Answer():
                self._closing.wait(action.after)
                talk.answer(packet, action)
                return not (isinstance(packet, Connect) and action.code)
            case Goodbye():
                talk.send(packets.disconnect(action.code, action.properties, talk.version))
                return False
            case Raw():
                talk.send(action.data)
            case Drop():
                talk.reset()
            case Silence():
                pass
        return True


class _Talk:
    """One connection. TLS must not be read and written at once, so that every use of the socket holds the lock."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self.version = 5
        self._connection = connection
        self._closing = closing
        self._resetting = threading.Event()
        self._lock = threading.Lock()
        self._came = b""

    def packets(self):
        """The packets that come, until the connection ends or the peer is closed."""
        while first := self._take(1):
            packet = packets.parse(first[0], self._take(self._length()), self.version)
            if isinstance(packet, Connect):
                self.version = packet.version
            yield packet

    def _length(self) -> int:
        """MQTT 5, section 2.1.4."""
        length, shift = 0, 0
        while shift < 28 and (byte := self._take(1)):
            length |= (byte[0] & 0x7F) << shift
            shift += 7
            if not byte[0] & 0x80:
                return length
        raise ValueError("no length")

    def _take(self, count: int) -> bytes:
        """So many bytes, or none where the connection has ended."""
        while len(self._came) < count:
            data = self._receive()
            if not data:
                return b""
            self._came += data
        taken, self._came = self._came[:count], self._came[count:]
        return taken

    def _receive(self) -> bytes:
        decrypted = isinstance(self._connection, ssl.SSLSocket) and self._connection.pending() > 0
        while not (decrypted or select.select([self._connection], [], [], 0.02)[0]):
            if self._closing.is_set():
                return b""
            if self._resetting.is_set():
                self.reset()
        with self._lock:
            return self._connection.recv(65536)

    def send(self, data: bytes) -> None:
        with self._lock:
            self._connection.sendall(data)

    def drop(self) -> None:
        """Have the connection reset by the thread that serves it, soon."""
        self._resetting.set()

    def answer(self, packet: Packet, answer: Answer) -> None:
        match packet:
            case Connect():
                data = packets.connack(answer.code, answer.properties, session=answer.session, version=self.version)
            case Subscribe():
                data = packets.suback(packet.mid, [answer.code or 1] * len(packet.filters), self.version)
            case Publish(qos=1):
                data = packets.puback(packet.mid, answer.code, answer.properties, self.version)
            case Ping():
                data = packets.pingresp()
            case _:
                return
        self.send(data)

    def reset(self) -> None:
        """RST: what an unplugged machine sends when it is back, or a firewall that has forgotten. Raises OSError."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionResetError


def settle(seconds: float = 0.2) -> None:
    """Time for something to happen that must not."""
    time.sleep(seconds)
