import errno
import importlib
import re
from typing import Any, Protocol

from drivers.errors import QrngError, QrngReason

_NODE = re.compile(r"/dev/spidev(\d+)\.(\d+)")
_GONE = (errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN)


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

    def close(self) -> None:
        """Release the bus. Safe to call twice, and after any error."""
        ...


def bus_error(error: Exception, node: str = "the device") -> QrngError:
    """What an error of the operating system means for an entropy source. The text never holds transferred bytes.

    node: path of the device node, where there is one.
    """
    number = error.errno if isinstance(error, OSError) else None
    name = errno.errorcode.get(number, str(number)) if number is not None else type(error).__name__
    if isinstance(error, FileNotFoundError):
        return QrngError(
            QrngReason.NOT_FOUND,
            f"{node} does not exist",
            "Check the wiring, enable the bus (for SPI: dtparam=spi=on in config.txt), and name the node in [qrng].",
        )
    if isinstance(error, PermissionError):
        return QrngError(
            QrngReason.DENIED,
            f"{node} may not be opened ({name})",
            "Add the service's user to the group that owns the device node (for SPI on Raspberry Pi OS: spi).",
        )
    if number in _GONE:
        return QrngError(
            QrngReason.UNPLUGGED,
            f"{node} is gone ({name})",
            "Check the cable and the power of the random-number device, then restart.",
        )
    return QrngError(
        QrngReason.BUS,
        f"the bus reported {name}",
        "Check the wiring and lower the bus clock; a fault that comes back means a bad device.",
    )


class SpidevBus:
    """A chip behind the kernel's spidev driver, through the `spidev` package (imported when the bus is opened).

    Only `xfer2` is used: `readbytes` silently shortens long reads, and `xfer3` drops chip select between blocks
    (py-spidev 3.6 and 3.8, spidev_module.c).
    """

    simulated = False

    def __init__(
        self, device: str = "/dev/spidev0.0", *, mode: int = 1, speed_hz: int = 250_000, module: Any = None
    ) -> None:
        """Name the node, the SPI mode (0 to 3) and the clock in Hz. `module` replaces the spidev package in tests."""
        self._device = device
        self._mode = mode
        self._speed = speed_hz
        self._module = module
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
            self._spi.mode = self._mode
            self._spi.bits_per_word = 8
            self._spi.max_speed_hz = self._speed
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

    def transfer(self, tx: bytes) -> bytes:
        """As SpiBus.transfer."""
        if self._spi is None:
            raise QrngError(QrngReason.CLOSED, "the bus is not open", "Open the bus first.")
        try:
            # xfer2 writes the answer over the list it is given: a reused list would send entropy back to the chip.
            return bytes(self._spi.xfer2(list(tx)))
        except (OSError, SystemError) as error:  # SystemError: py-spidev returns NULL with no exception set
            raise bus_error(error, self._device) from None

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
