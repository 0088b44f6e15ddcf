import ctypes
import errno
import importlib
from pathlib import Path
from typing import Any, Protocol

from drivers.errors import QrngError, QrngReason
from drivers.qrng.bus_error import bus_error
from drivers.qrng.node import Family, node_error

I2C = Family(
    module="i2c-dev",
    sign="class/i2c-dev",
    load="add dtparam=i2c_arm=on to /boot/firmware/config.txt and reboot; without a reboot: sudo modprobe i2c-dev",
    group="i2c",
)
_SILENT = (errno.ENXIO, errno.EREMOTEIO)
"""Nobody acknowledged the address: the first by Documentation/i2c/fault-codes.rst, the second by many controllers."""


class I2cBus(Protocol):
    """One chip at one address of an I2C bus, whose registers are read in bursts.

    simulated: true where a model of the chip answers instead of a chip.
    """

    @property
    def simulated(self) -> bool:
        """Whether no hardware stands behind the bus."""
        ...

    def open(self) -> None:
        """Acquire the bus. Raises QrngError(NOT_INSTALLED, NOT_FOUND, DENIED, WRONG_DEVICE, BUS)."""
        ...

    def read(self, register: int, count: int) -> bytearray:
        """`count` bytes that begin at `register`, read in one transaction; the caller wipes them.

        Raises QrngError(BUS, CLOSED), and UNPLUGGED where nothing answers at the address.
        """
        ...

    def close(self) -> None:
        """Release the bus. Safe to call twice, and after any error."""
        ...


def i2c_error(error: OSError, place: str) -> QrngError:
    """What an error of a transfer means. place: bus and address, for people."""
    if error.errno in _SILENT:
        return QrngError(
            QrngReason.UNPLUGGED,
            f"nothing answers at {place}",
            "Check address, power, SDA, SCL and their pull-up resistors; `i2cdetect -y 1` shows who answers on bus 1.",
        )
    return bus_error(error, place)


class Smbus2Bus:
    """A chip behind the kernel's i2c-dev driver, through the `smbus2` package (imported when the bus is opened).

    A read is one I2C_RDWR of two messages with a repeated start between them (Documentation/i2c/dev-interface.rst):
    the register is written, and the bytes are read.
    """

    simulated = False

    def __init__(
        self, device: str = "/dev/i2c-1", *, address: int, sysfs: Path = Path("/sys"), module: Any = None
    ) -> None:
        """Name the node and the chip's address, 0x08 to 0x77. Tests replace `sysfs` and the smbus2 `module`."""
        self._device = device
        self._address = address
        self._place = f"address {address:#04x} of {device}"
        self._sysfs = sysfs
        self._module = module
        self._smbus2: Any = None
        self._bus: Any = None

    def open(self) -> None:
        """Open the node and see that its controller can do plain I2C. Raises as I2cBus.open."""
        self.close()
        self._smbus2 = self._load()
        self._bus = self._smbus2.SMBus()
        try:
            self._bus.open(self._device)
            capable = bool(self._bus.funcs & self._smbus2.I2cFunc.I2C)
        except OSError as error:
            self.close()
            if error.errno == errno.ENOTTY:
                raise _not_i2c(self._device) from None
            raise node_error(error, self._device, I2C, self._sysfs) from None
        if not capable:
            self.close()
            raise _not_i2c(self._device)

    def read(self, register: int, count: int) -> bytearray:
        """As I2cBus.read."""
        if self._bus is None:
            raise QrngError(QrngReason.CLOSED, "the bus is not open", "Open the bus first.")
        question = self._smbus2.i2c_msg.write(self._address, [register])
        answer = self._smbus2.i2c_msg.read(self._address, count)
        try:
            self._bus.i2c_rdwr(question, answer)
            return bytearray(answer.buf[:count])
        except OSError as error:
            raise i2c_error(error, self._place) from None
        finally:
            ctypes.memset(answer.buf, 0, count)

    def close(self) -> None:
        """As I2cBus.close."""
        bus, self._bus = self._bus, None
        if bus is not None:
            try:
                bus.close()
            except OSError:
                return  # nothing depends on it

    def _load(self) -> Any:
        if self._module is not None:
            return self._module
        try:
            return importlib.import_module("smbus2")
        except ImportError:
            raise QrngError(
                QrngReason.NOT_INSTALLED,
                "the Python package smbus2 is not installed",
                "Install it: sudo apt install python3-smbus2",
            ) from None


def _not_i2c(device: str) -> QrngError:
    return QrngError(
        QrngReason.WRONG_DEVICE,
        f"{device} is no I2C controller that can read a burst",
        "Name the node of an I2C controller, such as /dev/i2c-1.",
    )
