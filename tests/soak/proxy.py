"""The network between the relay and the broker: a proxy in a process of its own that the rig can make worse."""

import contextlib
import ctypes
import os
import random
import selectors
import signal
import socket
from dataclasses import dataclass, field

from soak.child import PR_SET_PDEATHSIG
from soak.control import Control

PASS, CUT, BLACKHOLE, CORRUPT = range(4)


@dataclass
class Proxy:
    """Listens on `port`, and passes each connection on to `target`. `mode`: what it does from now on."""

    target: int
    port: int = 0
    control: Control = field(default_factory=Control)
    pid: int | None = None

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]

    @property
    def mode(self) -> int:
        return self.control.armed

    @mode.setter
    def mode(self, value: int) -> None:
        self.control.armed = value

    def start(self) -> None:
        """Fork the process that passes bytes on."""
        self.pid = os.fork()
        if self.pid:
            return
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _serve(self._listener, self.target, self.control)
        finally:
            os._exit(1)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None
        self._listener.close()


def _serve(listener: socket.socket, target: int, control: Control) -> None:
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    others: dict[socket.socket, socket.socket] = {}

    def drop(one: socket.socket) -> None:
        for end in (one, others.pop(one)):
            others.pop(end, None)
            selector.unregister(end)
            end.close()

    while True:
        if control.armed == CUT:
            for one in list(others):
                if one in others:
                    drop(one)
        for key, _ in selector.select(0.02):
            one = key.fileobj
            if one is listener:
                _welcome(listener, target, control, selector, others)
            elif one in others and control.armed != BLACKHOLE:
                try:
                    data = one.recv(65536)
                    if not data:
                        raise ConnectionResetError
                    others[one].sendall(_spoil(data) if control.armed == CORRUPT else data)
                except OSError:
                    drop(one)
            elif one in others:
                # Level-triggered: what waits in a blackhole would spin this loop.
                with contextlib.suppress(InterruptedError):
                    signal.sigtimedwait([], 0.01)


def _welcome(
    listener: socket.socket,
    target: int,
    control: Control,
    selector: selectors.BaseSelector,
    others: dict[socket.socket, socket.socket],
) -> None:
    near, _ = listener.accept()
    if control.armed == CUT:
        near.close()
        return
    try:
        far = socket.create_connection(("127.0.0.1", target), timeout=5)
    except OSError:
        near.close()
        return
    for end in (near, far):
        end.settimeout(5)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(end, selectors.EVENT_READ)
    others[near], others[far] = far, near


def _spoil(data: bytes) -> bytes:
    """One byte of it is another."""
    spoiled = bytearray(data)
    spoiled[random.randrange(len(spoiled))] ^= random.randrange(1, 256)
    return bytes(spoiled)
