"""The other side of the shim: an emulated chip that answers what the real spidev package asks of the kernel."""

import errno
import os
import re
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drivers.emulated.spidev.build import build_shim
from drivers.errors import QrngError, QrngReason
from drivers.qrng.spi import SpiBus

SOCKET = "SPECKLED_SPIDEV"
"""The environment variable that tells the shim where the socket is."""
_HEADER = struct.Struct("=II")
_ANSWER = struct.Struct("=iI")
_PART = struct.Struct("=II")
_OPENED = struct.Struct("=i")
_MODE, _LSB_FIRST, _BITS, _SPEED, _MODE32 = 1, 2, 3, 4, 5
"""Numbers of the ioctls of linux/spi/spidev.h; 0 is a message."""
_WRITE = 1
_TRANSFER_SIZE = 32


@contextmanager
def emulated_spidev(bus: SpiBus) -> Iterator[dict[str, str]]:
    """Put `bus` behind /dev/spidev*, and give the environment in which a program sees it. Raises ShimUnavailable."""
    with tempfile.TemporaryDirectory() as name:
        shim = build_shim(Path(name))
        preloaded = " ".join(filter(None, (str(shim), os.environ.get("LD_PRELOAD"))))
        with served(bus, Path(name) / "spidev.sock") as path:
            yield {"LD_PRELOAD": preloaded, SOCKET: str(path)}


@contextmanager
def served(bus: SpiBus, path: Path) -> Iterator[Path]:
    """Answer on a UNIX socket at `path` as long as the block lasts. One program at a time has the chip."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen(1)
        thread = threading.Thread(target=_accept, args=(listener, bus), daemon=True)
        thread.start()
        try:
            yield path
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread that waits in accept
            thread.join()


def _accept(listener: socket.socket, bus: SpiBus) -> None:
    while True:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        with line:
            try:
                bus.open()
            except QrngError as error:
                line.sendall(_OPENED.pack(-_number(error)))
                continue
            line.sendall(_OPENED.pack(0))
            with suppress(EOFError, OSError):
                Node(bus).answer(line)
            bus.close()


class Node:
    """An open spidev node: its settings, and the chip behind it."""

    def __init__(self, bus: SpiBus) -> None:
        self._bus = bus
        self._settings = {_MODE: 0, _LSB_FIRST: 0, _BITS: 8, _SPEED: 500_000}

    def answer(self, line: socket.socket) -> None:
        """Answer questions until the program closes the node. Raises EOFError then."""
        while True:
            number, length = _HEADER.unpack(_receive(line, _HEADER.size))
            argument = _receive(line, length)
            try:
                result, data = self.ioctl(number, argument)
            except QrngError as error:
                result, data = -_number(error), b""
            line.sendall(_ANSWER.pack(result, len(data)) + data)

    def ioctl(self, number: int, argument: bytes) -> tuple[int, bytes]:
        """What ioctl returns, and the bytes that it writes. Raises QrngError as the bus."""
        size, which = number >> 16 & 0x3FFF, number & 0xFF
        if which == 0:
            return self._message(size // _TRANSFER_SIZE, argument)
        setting = _MODE if which == _MODE32 else which
        if setting not in self._settings:
            return -errno.ENOTTY, b""
        if not number >> 30 & _WRITE:
            return 0, self._settings[setting].to_bytes(4, "little")[:size]
        self._settings[setting] = int.from_bytes(argument, "little")
        if setting == _SPEED:
            self._bus.set_speed(self._settings[setting])
        return 0, b""

    def _message(self, count: int, argument: bytes) -> tuple[int, bytes]:
        parts = [_PART.unpack_from(argument, _PART.size * i) for i in range(count)]
        sent = argument[_PART.size * count :]
        received, row, place = [], b"", 0
        for length, released in parts:
            piece = sent[place : place + length]
            place += length
            if length == 1 and released:
                row += piece
                continue
            received += [self._bus.each(row)] if row else []
            received.append(self._bus.transfer(piece))
            row = b""
        received += [self._bus.each(row)] if row else []
        answer = b"".join(received)
        return len(answer), answer.ljust(len(sent), b"\x00")


def _receive(line: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        got = line.recv(size - len(data))
        if not got:
            raise EOFError
        data += got
    return bytes(data)


def _number(error: QrngError) -> int:
    """The number of the system's error that the emulated bus meant."""
    if error.reason is QrngReason.UNPLUGGED:
        return errno.ENODEV
    named = re.search(r"\bE[A-Z]{2,}\b", error.detail)
    return getattr(errno, named[0], errno.EIO) if named else errno.EIO
