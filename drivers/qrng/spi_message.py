"""SPI messages of several transfers, which the spidev package cannot build, straight to the kernel.

Linux, include/uapi/linux/spi/spidev.h: SPI_IOC_MESSAGE(n) takes an array of n `spi_ioc_transfer` of 32 bytes. Between
transfers with cs_change the chip select is released; on the last one the same flag would keep it asserted.
"""

import fcntl
from pathlib import Path

import numpy as np

_TRANSFER = np.dtype(
    [
        ("tx", "=u8"),
        ("rx", "=u8"),
        ("length", "=u4"),
        ("speed_hz", "=u4"),
        ("delay_us", "=u2"),
        ("bits", "u1"),
        ("cs_change", "u1"),
        ("tx_lines", "u1"),
        ("rx_lines", "u1"),
        ("word_delay_us", "u1"),
        ("padding", "u1"),
    ]
)
_WRITE, _MAGIC = 1, ord("k")
MOST_TRANSFERS = (1 << 14) // _TRANSFER.itemsize - 1
"""511: the size of an ioctl's argument has 14 bits."""
_ALIGNMENT = 128
"""Bytes of its buffer that spidev gives to a transfer of one byte, at most: ARCH_DMA_MINALIGN, 128 on 64-bit ARM."""
DEFAULT_BUFFER = 4096
_BUFFER_SIZE = Path("/sys/module/spidev/parameters/bufsiz")


def buffer_size(parameter: Path = _BUFFER_SIZE) -> int:
    """Bytes that one message may have: the module parameter spidev.bufsiz, or its default where it cannot be read."""
    try:
        return max(_ALIGNMENT, int(parameter.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return DEFAULT_BUFFER


def row_length(buffer: int) -> int:
    """How many one-byte transfers fit into one message, where the kernel's buffer has `buffer` bytes."""
    return min(MOST_TRANSFERS, max(1, buffer // _ALIGNMENT))


def send_whole(descriptor: int, tx: bytes) -> bytes:
    """Send `tx` in one transfer and return what was received, fewer bytes only where the kernel says so.

    Raises OSError; EMSGSIZE where the buffer is too small.
    """
    return _send(descriptor, tx, len(tx))


def send_row(descriptor: int, tx: bytes) -> bytes:
    """Send each byte of `tx`, 1 to MOST_TRANSFERS, in a transfer of its own, with chip select released between them.

    Returns and raises as `send_whole`.
    """
    return _send(descriptor, tx, 1)


def _send(descriptor: int, tx: bytes, piece: int) -> bytes:
    count = len(tx) // piece
    sent, received = np.frombuffer(tx, np.uint8), np.zeros(len(tx), np.uint8)
    places = np.arange(count, dtype=np.uint64) * np.uint64(piece)
    transfers = np.zeros(count, _TRANSFER)
    transfers["tx"] = np.uint64(sent.ctypes.data) + places
    transfers["rx"] = np.uint64(received.ctypes.data) + places
    transfers["length"] = piece
    transfers["cs_change"][:-1] = 1
    try:
        done = fcntl.ioctl(descriptor, _request(transfers.nbytes), bytearray(transfers.tobytes()))
        return received[:done].tobytes()
    finally:
        received[:] = 0


def _request(size: int) -> int:
    """SPI_IOC_MESSAGE by asm-generic/ioctl.h, which x86 and ARM use: direction, size, magic, number 0."""
    return _WRITE << 30 | size << 16 | _MAGIC << 8
