"""A TCP proxy whose network can be made worse while it runs.

    with Proxy(broker.port) as proxy:
        ...                        # a client connects to 127.0.0.1:proxy.port
        proxy.blackhole()          # nothing arrives, nobody is told
        proxy.through()            # what was on its way arrives now, as TCP would send it again
        proxy.cut()                # every connection is reset; new ones are served
        proxy.refuse()             # reset, and nobody listens any more
        proxy.delay(0.2)           # seconds, each way
        proxy.corrupt()            # one bit of each piece is another

Each call has taken effect when it returns, but for bytes that were passed on before it.
"""

import contextlib
import random
import selectors
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Self

PIECE = 65536


@dataclass(eq=False)
class _Way:
    """One direction of a connection. Empty bytes in `held` stand for the end."""

    source: socket.socket
    sink: socket.socket
    held: deque[tuple[float, bytes]] = field(default_factory=deque)


class Proxy:
    """Listens on a loopback port of its own, the same for as long as it lives, and passes everything on to `target`.

    Args:
        target: port on the loopback interface.
        seed: of what is corrupted.
    """

    def __init__(self, target: int, seed: int = 0) -> None:
        self.target = target
        self.corrupted = 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._ways: set[_Way] = set()
        self._holding = self._corrupting = self._closing = False
        self._seconds = 0.0
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._change():
            self._closing = True
        self._thread.join(10)
        self._reset()
        self._deaf()
        for end in (self._wake, self._woken):
            end.close()
        self._selector.close()

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._ways) // 2

    def through(self) -> None:
        """Pass everything on, whole and at once, and listen."""
        with self._change():
            self._holding = self._corrupting = False
            self._seconds = 0.0
            self._listen()

    def blackhole(self) -> None:
        """Keep everything that comes, the ends of connections too; new connections open and stay mute."""
        with self._change():
            self._holding = True

    def cut(self) -> None:
        """Reset every connection (RST)."""
        with self._change():
            self._reset()

    def refuse(self) -> None:
        """Reset every connection, and refuse new ones until `through`."""
        with self._change():
            self._deaf()
            self._reset()

    def delay(self, seconds: float) -> None:
        """Hold each piece this long from now on."""
        with self._change():
            self._seconds = seconds

    def corrupt(self) -> None:
        """Flip one bit of each piece from now on; `corrupted` counts."""
        with self._change():
            self._corrupting = True

    @contextlib.contextmanager
    def _change(self):
        with self._lock:
            yield
        self._wake.send(b".")

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _deaf(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _run(self) -> None:
        while True:
            ready = self._selector.select(self._patience())
            with self._lock:
                if self._closing:
                    return
                for key, _ in ready:
                    if key.fileobj is self._woken:
                        self._woken.recv(PIECE)
                    elif key.fileobj is self._listener:
                        self._welcome()
                    elif key.data in self._ways:
                        self._read(key.data)
                for way in list(self._ways):
                    self._pass_on(way)

    def _patience(self) -> float | None:
        with self._lock:
            due = [way.held[0][0] for way in self._ways if way.held and not self._holding]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _welcome(self) -> None:
        assert self._listener is not None
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            near.close()
            return
        for end, other in ((near, far), (far, near)):
            end.settimeout(5)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            way = _Way(end, other)
            self._ways.add(way)
            self._selector.register(end, selectors.EVENT_READ, way)

    def _read(self, way: _Way) -> None:
        try:
            data = way.source.recv(PIECE)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(way.source)
        elif self._corrupting:
            data = self._spoil(data)
        way.held.append((time.monotonic() + self._seconds, data))

    def _pass_on(self, way: _Way) -> None:
        while not self._holding and way in self._ways and way.held and way.held[0][0] <= time.monotonic():
            _, data = way.held.popleft()
            try:
                if not data:
                    raise ConnectionResetError
                way.sink.sendall(data)
            except OSError:
                self._close(way)

    def _close(self, way: _Way) -> None:
        for one in [each for each in self._ways if each.source in (way.source, way.sink)]:
            self._ways.discard(one)
            with contextlib.suppress(KeyError):
                self._selector.unregister(one.source)
            one.source.close()

    def _reset(self) -> None:
        for way in self._ways:
            way.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for way in list(self._ways):
            self._close(way)

    def _spoil(self, data: bytes) -> bytes:
        self.corrupted += 1
        spoiled = bytearray(data)
        spoiled[self._random.randrange(len(spoiled))] ^= 1 << self._random.randrange(8)
        return bytes(spoiled)
