"""The relay's page of figures: HTTP/1.1, one path, inside the relay's own loop."""

import ipaddress
import logging
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass

from edge.metrics.exposition import CONTENT_TYPE

log = logging.getLogger("speckled.relay")

PATH = "/metrics"
MAX_CONNECTIONS = 8
"""When one more comes, the oldest is cut off: who holds connections open must not keep others out."""
MAX_REQUEST = 8192
"""Bytes of a request line with its header fields. What Prometheus 2.42 sends has some 300."""
DEADLINE = 5.0
"""Seconds that one connection may take as a whole."""
FRESH = 1.0
"""Seconds for which a text is given out again: the figures come from the outbox's database."""
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Too Large",
    503: "Unavailable",
}


@dataclass(slots=True, eq=False)
class _Peer:
    """One connection: what it has sent, what it still gets, and until when."""

    socket: socket.socket
    until: float
    heard: bytes = b""
    left: bytes = b""
    answered: bool = False


class Endpoint:
    """Answers GET and HEAD of /metrics, 405 to other methods there, 404 elsewhere. Never blocks, never raises.

    `serve` does what can be done at once; `descriptor` becomes readable when there is something to do.
    """

    def __init__(self, listener: socket.socket, clock: Callable[[], float]) -> None:
        """Answer on a listening socket, which is closed with this. clock: seconds that only grow."""
        self._clock = clock
        self._listener = listener
        self._listener.setblocking(False)
        self._selector = selectors.EpollSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._peers: dict[int, _Peer] = {}
        self._text: tuple[float, bytes] | None = None

    @property
    def descriptor(self) -> int:
        """Readable when a connection has come, has sent something, or can take more."""
        return self._selector.fileno()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def serve(self, text: Callable[[], str | None]) -> None:
        """Do what is due. `text` gives the figures, at most once in FRESH seconds; None: not now, which is said."""
        for key, _ in self._selector.select(0):
            if key.fileobj is self._listener:
                self._welcome()
            elif key.fd in self._peers:
                self._attend(self._peers[key.fd], text)
        now = self._clock()
        for peer in [peer for peer in self._peers.values() if peer.until <= now]:
            self._drop(peer)

    def close(self) -> None:
        """Hang up on everyone and stop listening."""
        for peer in list(self._peers.values()):
            self._drop(peer)
        self._selector.close()
        self._listener.close()

    def _welcome(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self._peers) >= MAX_CONNECTIONS:
            self._drop(next(iter(self._peers.values())))
        connection.setblocking(False)
        self._peers[connection.fileno()] = _Peer(connection, self._clock() + DEADLINE)
        self._selector.register(connection, selectors.EVENT_READ)

    def _attend(self, peer: _Peer, text: Callable[[], str | None]) -> None:
        try:
            if not peer.left:
                self._hear(peer, text)
            if peer.left:
                self._tell(peer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(peer)

    def _hear(self, peer: _Peer, text: Callable[[], str | None]) -> None:
        """Read a request. After the answer what still comes is thrown away: a reset could overtake the answer."""
        data = peer.socket.recv(MAX_REQUEST)
        if not data:
            self._drop(peer)
        elif not peer.answered:
            peer.heard += data
            head, end, _ = peer.heard.partition(b"\r\n\r\n")
            if end or len(peer.heard) >= MAX_REQUEST:
                peer.heard, peer.answered = b"", True
                peer.left = self._reply(head, _status(head) if end else 431, text)
                self._selector.modify(peer.socket, selectors.EVENT_WRITE)

    def _tell(self, peer: _Peer) -> None:
        peer.left = peer.left[peer.socket.send(peer.left) :]
        if not peer.left:
            peer.socket.shutdown(socket.SHUT_WR)
            self._selector.modify(peer.socket, selectors.EVENT_READ)

    def _reply(self, head: bytes, status: int, text: Callable[[], str | None]) -> bytes:
        now = self._clock()
        if status == 200 and (self._text is None or now - self._text[0] >= FRESH):
            fresh = text()
            self._text = None if fresh is None else (now, fresh.encode())
        figures = self._text[1] if self._text else b""
        return _answer(status if status != 200 or self._text else 503, figures, whole=head[:5] != b"HEAD ")

    def _drop(self, peer: _Peer) -> None:
        del self._peers[peer.socket.fileno()]
        self._selector.unregister(peer.socket)
        peer.socket.close()


def open_endpoint(host: str, port: int, clock: Callable[[], float]) -> Endpoint | None:
    """Listen on a TCP port, or say in one warning why not: nobody's observations may wait for a page of figures.

    None where port is 0, the port is taken, or the host is not an address of this machine.
    """
    if not port:
        return None
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=MAX_CONNECTIONS)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        log.warning("no figures on %s port %d: %s. Name another host or port in [metrics]", host, port, why)
        return None
    if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        log.warning(
            'figures are given to whoever reaches %s port %d, unencrypted; set host = "127.0.0.1" in [metrics] '
            "unless a firewall lets only your Prometheus in",
            host,
            port,
        )
    return Endpoint(listener, clock)


def _status(head: bytes) -> int:
    """Of the answer to a request, by its first line alone (RFC 9112, section 3)."""
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1.") or not parts[1].startswith(b"/"):
        return 400
    if parts[1].partition(b"?")[0] != PATH.encode():
        return 404
    return 200 if parts[0] in (b"GET", b"HEAD") else 405


def _answer(status: int, text: bytes, *, whole: bool) -> bytes:
    """`whole`: with its body, which the answer to HEAD has not."""
    body = text if status == 200 else f"{status} {_REASONS[status]}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {CONTENT_TYPE if status == 200 else 'text/plain; charset=utf-8'}",
        f"Content-Length: {len(body)}",
        *(["Allow: GET, HEAD"] if status == 405 else []),
        "Cache-Control: no-store",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body if whole else b"")
