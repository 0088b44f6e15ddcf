"""Puts a served chip behind /dev/spidev0.0 by umockdev: `/usr/bin/python3 umockdev_forward.py SOCKET COMMAND ...`.

Run by the distribution's Python, which has `gi`, and needs nothing else. It hands every ioctl to the socket of
`serve.py`, as the shim does. The command is a child: in one process the handler would wait for the interpreter's lock,
which the spidev package holds while it waits for the handler.
"""

import os
import socket
import struct
import subprocess
import sys
from typing import Any

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402 - the version is chosen first

NODE = "/dev/spidev0.0"
DESCRIPTION = (
    "P: /devices/platform/soc/spi0/spi0.0/spidev/spidev0.0\n"
    "N: spidev0.0\nE: SUBSYSTEM=spidev\nE: DEVNAME=/dev/spidev0.0\n"
)
TRANSFER = struct.Struct("=QQIIHBBBBBB")
RX_OFFSET = 8


class Forwarder:
    """Asks the served chip what the program asks of the kernel."""

    def __init__(self, path: str) -> None:
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(path)
        (opened,) = struct.unpack("=i", self.receive(4))
        if opened < 0:
            raise SystemExit(os.strerror(-opened))

    def receive(self, size: int) -> bytes:
        """The next `size` bytes of the line. Raises EOFError."""
        data = b""
        while len(data) < size:
            got = self.line.recv(size - len(data))
            if not got:
                raise EOFError
            data += got
        return data

    def ask(self, number: int, argument: bytes) -> tuple[int, bytes]:
        """The result of an ioctl, and the bytes that it writes."""
        self.line.sendall(struct.pack("=II", number, len(argument)) + argument)
        result, length = struct.unpack("=iI", self.receive(8))
        return result, self.receive(length)

    def handle(self, _: Any, client: Any) -> bool:
        """Answer one ioctl of the child: umockdev's `handle-ioctl`."""
        number = client.get_request() & 0xFFFFFFFF
        size = number >> 16 & 0x3FFF
        held = client.get_arg().resolve(0, size)
        if number & 0xFF == 0:
            result = self.message(number, held, size // TRANSFER.size)
        elif number >> 30 & 1:
            result, _data = self.ask(number, bytes(held.retrieve()))
        else:
            result, data = self.ask(number, b"")
            if result >= 0:
                held.update(0, data)
        client.complete(max(result, -1), -result if result < 0 else 0)
        return True

    def message(self, number: int, held: Any, count: int) -> int:
        """Send an SPI message of `count` transfers, put the answers where they belong, and return the result."""
        raw = bytes(held.retrieve())
        parts, sent, targets = b"", b"", []
        for place in range(count):
            tx, rx, length, _, _, _, cs_change, *_rest = TRANSFER.unpack_from(raw, TRANSFER.size * place)
            last = place == count - 1
            parts += struct.pack("=II", length, int(not cs_change if last else bool(cs_change)))
            offset = TRANSFER.size * place
            sent += bytes(held.resolve(offset, length).retrieve()) if tx else bytes(length)
            targets.append((held.resolve(offset + RX_OFFSET, length) if rx else None, length))
        result, data = self.ask(number, parts + sent)
        for target, length in targets if result >= 0 else ():
            if target is not None:
                target.update(0, data[:length])
            data = data[length:]
        return result


def main() -> int:
    """Run the command with the chip behind the node, and return its exit status."""
    testbed = UMockdev.Testbed.new()
    testbed.add_from_string(DESCRIPTION)
    handler = UMockdev.IoctlBase()
    handler.connect("handle-ioctl", Forwarder(sys.argv[1]).handle)
    testbed.attach_ioctl(NODE, handler)
    # The testbed sets this variable behind Python's back, so os.environ does not have it.
    environment = {**os.environ, "UMOCKDEV_DIR": testbed.get_root_dir()}
    return subprocess.run(sys.argv[2:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
