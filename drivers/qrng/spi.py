import fcntl
import importlib
import re
from typing import Any, Final, Protocol

from drivers.errors import QrngError, QrngReason
from drivers.qrng.bus_error import bus_error
from drivers.qrng.node import Family, node_error
from drivers.qrng.spi_message import buffer_size, row_length, send_row, send_whole

SPI: Final = Family(
    module="spidev",
    sign="class/spidev",
    load="add dtparam=spi=on to /boot/firmware/config.txt and reboot; without a reboot: sudo modprobe spidev",
    group="spi",
)
_NODE = re.compile(r"/dev/spidev(\d+)\.(\d+)")
_PACKAGE_LIMIT = 4096
"""Bytes that xfer2 takes of py-spidev 3.6 and 3.8; for more it raises OverflowError."""


class SpiBus(Protocol):
    """One chip on an SPI bus: full duplex, chip select held for the length of one transfer.

    simulated: true where a model of the chip answers instead of a chip.
    """

    @property
    def simulated(self) -> bool:
        """Whether no hardware stands behind the bus."""
        ...

    def open(self) -> None:
        """Acquire the bus. Raises QrngError(NOT_INSTALLED, NOT_FOUND, DENIED, UNPLUGGED, WRONG_DEVICE, BUS)."""
        ...

    def transfer(self, tx: bytes) -> bytes:
        """Send `tx`, and return as many bytes as were answered meanwhile. Raises QrngError(BUS, UNPLUGGED, CLOSED)."""
        ...

    def each(self, tx: bytes) -> bytes:
        """Send each byte of `tx` in a transfer of its own; the answers, one byte to each. Raises as `transfer`."""
        ...

    def set_speed(self, speed_hz: int) -> None:
        """Use another clock from now on, and at every opening. Raises QrngError(WRONG_DEVICE) where it is not taken."""
        ...

    def close(self) -> None:
        """Release the bus. Safe to call twice, and after any error."""
        ...


class SpidevBus:
    """A chip behind the kernel's spidev driver, through the `spidev` package (imported when the bus is opened).

    Of the package only `xfer2` transfers: `readbytes` silently shortens long reads, and `xfer3` drops chip select
    between blocks (py-spidev 3.6 and 3.8, spidev_module.c). What it cannot do goes straight to the kernel.
    """

    simulated = False

    def __init__(
        self,
        device: str = "/dev/spidev0.0",
        *,
        mode: int = 1,
        speed_hz: int = 250_000,
        module: Any = None,
        buffer: int | None = None,
    ) -> None:
        """Name the node, the SPI mode (0 to 3) and the clock in Hz.

        module: replaces the spidev package in tests. buffer: bytes of a message; spidev.bufsiz where None.
        """
        self._device = device
        self._mode = mode
        self._speed = speed_hz
        self._module = module
        self._buffer = buffer_size() if buffer is None else buffer
        self._spi: Any = None

    def open(self) -> None:
        """Open the node, set mode and clock, and read both back. Raises as SpiBus.open."""
        node = _NODE.fullmatch(self._device)
        if node is None:
            raise QrngError(
                QrngReason.NOT_FOUND,
                f"{self._device!r} is not a spidev node",
                "Name a node such as /dev/spidev0.0.",
            )
        self.close()
        self._spi = self._load().SpiDev()
        try:
            self._spi.open(int(node[1]), int(node[2]))
            self._reserve()
            self._spi.mode = self._mode
            self._spi.bits_per_word = 8
            self._spi.max_speed_hz = self._speed
        except OSError as error:
            self.close()
            raise node_error(error, self._device, SPI) from None
        except SystemError as error:
            self.close()
            raise bus_error(error, self._device) from None
        self._check_settings()

    def set_speed(self, speed_hz: int) -> None:
        """As SpiBus.set_speed."""
        self._speed = speed_hz
        if self._spi is None:
            return
        try:
            self._spi.max_speed_hz = speed_hz
        except (OSError, SystemError) as error:
            self.close()
            raise bus_error(error, self._device) from None
        self._check_settings()

    def transfer(self, tx: bytes) -> bytes:
        """As SpiBus.transfer. EMSGSIZE where the kernel's buffer is smaller: a transfer cannot be cut in two."""
        spi = self._opened()
        try:
            if len(tx) > _PACKAGE_LIMIT:
                return send_whole(spi.fileno(), tx)
            # xfer2 writes the answer over the list it is given: a reused list would send entropy back to the chip.
            return bytes(spi.xfer2(list(tx)))
        except (OSError, SystemError) as error:  # SystemError: py-spidev returns NULL with no exception set
            raise bus_error(error, self._device) from None

    def each(self, tx: bytes) -> bytes:
        """As SpiBus.each: as many transfers to a message as the kernel's buffer takes, which saves a call for each."""
        spi, row = self._opened(), row_length(self._buffer)
        try:
            return b"".join(send_row(spi.fileno(), tx[at : at + row]) for at in range(0, len(tx), row))
        except OSError as error:
            raise bus_error(error, self._device) from None

    def _reserve(self) -> None:
        """Keep other programs of ours from asking the chip in between, which would shift its answers.

        The lock goes with the open node. Raises QrngError(DENIED).
        """
        try:
            fcntl.flock(self._spi.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise QrngError(
                QrngReason.DENIED,
                f"{self._device} is in use by another program",
                "Stop that program first; for the daemon: sudo systemctl stop speckled-capture.",
            ) from None

    def _opened(self) -> Any:
        if self._spi is None:
            raise QrngError(QrngReason.CLOSED, "the bus is not open", "Open the bus first.")
        return self._spi

    def _check_settings(self) -> None:
        try:
            found = (self._spi.mode, self._spi.bits_per_word, self._spi.max_speed_hz)
        except (OSError, SystemError) as error:
            self.close()
            raise bus_error(error, self._device) from None
        if found != (self._mode, 8, self._speed):
            self.close()
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                f"mode, word size and clock read back as {found}, not {(self._mode, 8, self._speed)}",
                "Choose a clock that this SPI controller supports.",
            )

    def close(self) -> None:
        """As SpiBus.close."""
        spi, self._spi = self._spi, None
        if spi is not None:
            try:
                spi.close()
            except (OSError, SystemError):
                return  # an unplugged device cannot be closed properly, and nothing depends on it

    def _load(self) -> Any:
        if self._module is not None:
            return self._module
        try:
            return importlib.import_module("spidev")
        except ImportError:
            raise QrngError(
                QrngReason.NOT_INSTALLED,
                "the Python package spidev is not installed",
                "Install it: sudo apt install python3-spidev",
            ) from None
