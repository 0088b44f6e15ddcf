"""The one socket between capture and relay: an envelope goes in, and one word comes back.

The word says what became of the envelope, and the last entry of the ledger that was seen outside capture.
Nothing else crosses.
"""

import logging
import os
import selectors
import socket
import stat
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from edge.errors import Reason, RelayError
from edge.relay.heard import Heard
from wire.schema import MAX_MESSAGE

log = logging.getLogger("speckled.relay")

MAX_CODE = 64
MAX_PEERS = 4
QUESTION = 16
"""Bytes of a datagram that is the name of an epoch: a question how far its ledger had got. No envelope is so short."""
WORD = struct.Struct(">16sQ32s")
"""The answer, which also follows every acceptance: epoch, position and hash of the last entry that was seen."""
MODE = 0o660
FIRST_INHERITED = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""


class Status(IntEnum):
    """The first byte of every reply."""

    ACCEPTED = 0
    REFUSED = 1
    LATER = 2


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one envelope. `code` is a short stable word, empty where it was accepted.

    heard: how far the ledger's epoch that the envelope, or the question, was about is known to have got.
    """

    status: Status
    code: str = ""
    heard: Heard | None = None

    def to_bytes(self) -> bytes:
        """One byte of status; then the code in ASCII, or where it was accepted epoch, position and hash of `heard`."""
        if self.status is not Status.ACCEPTED:
            return bytes([self.status]) + self.code.encode("ascii", "replace")[:MAX_CODE]
        word = self.heard
        return bytes([self.status]) + (WORD.pack(word.epoch, word.upto, word.hash) if word else b"")

    @staticmethod
    def from_bytes(data: bytes) -> "Reply":
        """Raises ValueError for anything that is not a reply."""
        status, rest = Status(data[0] if data else -1), data[1 : 1 + MAX_CODE]
        if status is not Status.ACCEPTED:
            return Reply(status, rest.decode("ascii"))
        if len(rest) not in (0, WORD.size):
            raise ValueError("not a reply")
        return Reply(status, heard=Heard(*WORD.unpack(rest)) if rest else None)


ACCEPTED = Reply(Status.ACCEPTED)


class CaptureLink:
    """Capture's end. Connects when it is first needed and again after every failure."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def ask(self, epoch: bytes, timeout: float = 2.0) -> Heard | None:
        """How far an epoch of the ledger had got, as far as the relay knows.

        Raises:
            RelayError: RELAY, where the relay cannot be reached or does not know now.
        """
        with self._lock:
            reply = self._ask(epoch, timeout)
        if reply.status is not Status.ACCEPTED:
            raise RelayError(Reason.RELAY, f"it does not answer: {reply.code}", "see what the relay's log says")
        return reply.heard

    def send(self, envelope: bytes, timeout: float = 10.0) -> Heard | None:
        """Hand over one envelope. When this returns, it is on the relay's disk. Tells how far the ledger had got.

        Raises:
            RelayError: RELAY, where the relay cannot be reached or cannot take it now: keep it and try again.
                REFUSED, where its guard will never let this envelope out; `detail` is the guard's word.
        """
        with self._lock:
            reply = self._ask(envelope, timeout)
        if reply.status is Status.REFUSED:
            remedy = "make capture and relay use the same settings and keys; report a defect if they do"
            raise RelayError(Reason.REFUSED, reply.code, remedy)
        if reply.status is Status.LATER:
            raise RelayError(Reason.RELAY, f"it asks to wait: {reply.code}", "see what the relay's log says")
        return reply.heard

    def close(self) -> None:
        """Hang up."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _ask(self, envelope: bytes, timeout: float) -> Reply:
        try:
            if self._socket is None:
                self._socket = _connect(self._path, timeout)
            self._socket.settimeout(timeout)
            self._socket.send(envelope)
            return Reply.from_bytes(self._socket.recv(1 + MAX_CODE))
        except (OSError, ValueError) as error:
            # A late reply must never be taken for the answer to the next envelope.
            self.close()
            why = getattr(error, "strerror", None) or "no answer"
            remedy = f"start the relay, and let this user write to {self._path}"
            raise RelayError(Reason.RELAY, f"{self._path}: {why}", remedy) from None


def _connect(path: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


class Listener:
    """The relay's end: takes one datagram at a time from whoever the kernel says may send one.

    Args:
        path: where to listen. Readable and writable by the relay's user and group.
        users: further user ids that may connect, beside root and the relay's own user and group.
        inherited: an already listening socket, from `inherited_socket`; the path is then left alone.

    Raises:
        RelayError: RELAY, where the path cannot be listened on or another relay does.
    """

    def __init__(
        self, path: Path, *, users: frozenset[int] = frozenset(), inherited: socket.socket | None = None
    ) -> None:
        self._users = users | {0, os.getuid()}
        self._path = None if inherited else path
        self._socket = inherited or _listen(path)
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._peers: set[socket.socket] = set()

    @property
    def connected(self) -> bool:
        """Whether a capture process is connected now."""
        return bool(self._peers)

    def watch(self, descriptor: int) -> None:
        """Let `serve` return early when this descriptor becomes readable."""
        self._selector.register(descriptor, selectors.EVENT_READ)

    def serve(self, timeout: float, take: Callable[[bytes | None], Reply]) -> None:
        """Wait at most `timeout` seconds, and answer what has come with what `take` says of it.

        `take` gets None for a datagram that is longer than a message can be; its bytes are gone by then.
        """
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._socket:
                self._welcome()
            elif isinstance(key.fileobj, socket.socket):
                self._hear(key.fileobj, take)

    def close(self) -> None:
        """Hang up on everyone, and take the path away if it was made here."""
        for peer in list(self._peers):
            self._drop(peer)
        self._selector.close()
        self._socket.close()
        if self._path:
            self._path.unlink(missing_ok=True)

    def _welcome(self) -> None:
        try:
            peer, _ = self._socket.accept()
        except OSError:
            return
        process, user, group = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        allowed = user in self._users or group == os.getgid()
        if not allowed or len(self._peers) >= MAX_PEERS:
            log.error("turned away process %d of user %d, group %d", process, user, group)
            peer.close()
            return
        log.info("capture is connected: process %d of user %d", process, user)
        peer.setblocking(False)
        self._peers.add(peer)
        self._selector.register(peer, selectors.EVENT_READ)

    def _hear(self, peer: socket.socket, take: Callable[[bytes | None], Reply]) -> None:
        try:
            # No room for ancillary data: the kernel closes any descriptor that someone tries to pass.
            data, _, flags, _ = peer.recvmsg(MAX_MESSAGE)
            if not data:
                raise ConnectionResetError
            reply = take(None if flags & socket.MSG_TRUNC else data)
            peer.send(reply.to_bytes())
        except BlockingIOError:
            return
        except OSError:
            log.info("capture has hung up")
            self._drop(peer)

    def _drop(self, peer: socket.socket) -> None:
        self._selector.unregister(peer)
        self._peers.discard(peer)
        peer.close()


def inherited_socket(environment: Mapping[str, str]) -> socket.socket | None:
    """The listening socket that systemd passed to this process (sd_listen_fds(3)), if it did.

    Raises:
        RelayError: RELAY, where what was passed is not one SOCK_SEQPACKET unix socket.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None
    passed = socket.socket(fileno=FIRST_INHERITED)
    kind = (passed.family, passed.type)
    if environment.get("LISTEN_FDS") != "1" or kind != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
        passed.close()
        remedy = "use ListenSequentialPacket= in the socket unit, once"
        raise RelayError(Reason.RELAY, "the inherited socket is of the wrong kind", remedy)
    return passed


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        _clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        listener.bind(str(path))
        path.chmod(MODE)
        listener.listen(MAX_PEERS)
    except OSError as error:
        listener.close()
        remedy = "name a path in [relay] that this user may make a socket at, and run one relay only"
        raise RelayError(Reason.RELAY, f"{path}: {error.strerror or error}", remedy) from None
    return listener


def _clear(path: Path) -> None:
    """Take away what a dead relay left; leave a live relay and every other kind of file alone."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return
        _connect(path, 1.0).close()
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
