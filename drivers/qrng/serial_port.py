import contextlib
import errno
import fcntl
import importlib
import os
import select
import termios
import time
from pathlib import Path
from typing import Any, Final, Protocol

from drivers.errors import QrngError, QrngReason
from drivers.qrng.node import Family, node_error

FTDI: Final = Family(
    module="ftdi_sio",
    sign="bus/usb-serial/drivers/ftdi_sio",
    load="plug the device in; where that does not load the module: sudo modprobe ftdi_sio",
    group="dialout",
)
_GONE = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN, errno.EPIPE)
"""What the kernel says of a serial port that hung up: its adapter was pulled, or lost its power."""
_TAKEN = (errno.EBUSY, errno.EAGAIN)
_PIECE = 4096
_PSEUDO_TERMINALS: Final = range(136, 144)
"""Major numbers behind which there is a program, never hardware (Documentation/admin-guide/devices.txt)."""


class SerialPort(Protocol):
    """A serial line to one device, for this process alone.

    simulated: true where a model of the device answers instead of a device.
    """

    @property
    def simulated(self) -> bool:
        """Whether no hardware stands behind the line."""
        ...

    def open(self) -> None:
        """Acquire the line. Raises QrngError(NOT_INSTALLED, NOT_FOUND, DENIED, WRONG_DEVICE, UNPLUGGED, BUS)."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises QrngError(BUS, UNPLUGGED, CLOSED)."""
        ...

    def read(self, count: int, timeout: float) -> bytearray:
        """`count` bytes, or those that came within `timeout` seconds; the caller wipes them. Raises as `write`."""
        ...

    def close(self) -> None:
        """Release the line. Safe to call twice, and after any error."""
        ...


def serial_error(error: OSError, device: str) -> QrngError:
    """What an error of an open serial line means. device: its node, for people."""
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    if error.errno in _GONE:
        return QrngError(
            QrngReason.UNPLUGGED,
            f"{device} is gone ({name})",
            "Plug the device in again; where it is plugged in, try another cable and another port.",
        )
    return QrngError(
        QrngReason.BUS,
        f"{device} reported {name}",
        "Try another cable and a port without a hub; an error that comes back means a bad adapter.",
    )


class PyserialPort:
    """A serial port of the kernel, opened by the `pyserial` package (imported when the port is opened).

    8 data bits, no parity, 1 stop bit, no flow control. Two locks keep others out, flock and TIOCEXCL (man
    ioctl_tty). What arrives is read into a buffer that can be wiped: `Serial.read` returns bytes that cannot.
    """

    def __init__(
        self,
        device: str = "/dev/ttyUSB0",
        *,
        baud: int = 1_000_000,
        sysfs: Path = Path("/sys"),
        module: Any = None,
    ) -> None:
        """Name the node and the speed in baud. Tests replace `sysfs` and the serial `module`."""
        self._device = device
        self._baud = baud
        self._sysfs = sysfs
        self._module = module
        self._serial: Any = None

    @property
    def simulated(self) -> bool:
        """Whether the node is a pseudo-terminal."""
        try:
            return os.major(Path(self._device).stat().st_rdev) in _PSEUDO_TERMINALS
        except OSError:
            return False

    def open(self) -> None:
        """Open the port, take it for this process alone, and drop what had arrived. Raises as SerialPort.open."""
        self.close()
        package = self._load()
        try:
            # The lock is asked for before the settings are touched, so that another program's line stays as it is.
            self._serial = package.Serial(self._device, self._baud, exclusive=True, timeout=0, write_timeout=1)
            fcntl.ioctl(self._serial.fileno(), termios.TIOCEXCL)
        except OSError as error:  # pyserial's own error is one
            self.close()
            raise self._refused(error) from None

    def write(self, data: bytes) -> None:
        """As SerialPort.write."""
        serial = self._opened()
        try:
            serial.write(data)
        except (OSError, termios.error) as error:
            raise self._broken(error) from None

    def read(self, count: int, timeout: float) -> bytearray:
        """As SerialPort.read."""
        descriptor = self._opened().fileno()
        out, filled, deadline = bytearray(count), 0, time.monotonic() + timeout
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        try:
            with memoryview(out) as view:
                while filled < count and poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    filled += _arrived(descriptor, view[filled : filled + _PIECE])
        except OSError as error:
            out[:] = bytes(count)
            raise self._broken(error) from None
        del out[filled:]
        return out

    def close(self) -> None:
        """As SerialPort.close."""
        serial, self._serial = self._serial, None
        if serial is not None:
            with contextlib.suppress(OSError, termios.error):  # a port that is gone cannot be closed properly
                serial.close()

    def _opened(self) -> Any:
        if self._serial is None:
            raise QrngError(QrngReason.CLOSED, "the serial port is not open", "Open the port first.")
        return self._serial

    def _broken(self, error: Exception) -> QrngError:
        """What an error of a transfer means; pyserial and termios keep the number to themselves or in the arguments."""
        number = getattr(error, "errno", None)
        if isinstance(error, termios.error):
            number = error.args[0]
        if number is None and not Path(self._device).exists():
            number = errno.EIO
        return serial_error(OSError(number or 0, ""), self._device)

    def _refused(self, error: OSError) -> QrngError:
        if error.errno == errno.ENOENT:
            return node_error(FileNotFoundError(error.errno, ""), self._device, FTDI, self._sysfs)
        if error.errno in (errno.EACCES, errno.EPERM):
            return node_error(PermissionError(error.errno, ""), self._device, FTDI, self._sysfs)
        if error.errno in _TAKEN:
            return QrngError(
                QrngReason.DENIED,
                f"{self._device} is in use by another program",
                "Stop the other program; ModemManager is one that opens serial ports which it was not given.",
            )
        if error.errno is None:  # what pyserial says where the settings of a line are refused
            return QrngError(
                QrngReason.WRONG_DEVICE,
                f"{self._device} is no serial port that runs at {self._baud} baud",
                "Name the node of the device's USB adapter, such as /dev/ttyUSB0.",
            )
        return serial_error(error, self._device)

    def _load(self) -> Any:
        if self._module is not None:
            return self._module
        try:
            return importlib.import_module("serial")
        except ImportError:
            raise QrngError(
                QrngReason.NOT_INSTALLED,
                "the Python package pyserial is not installed",
                "Install it: sudo apt install python3-serial",
            ) from None


def _arrived(descriptor: int, target: memoryview) -> int:
    """Put what has arrived into `target`; how many bytes. Raises OSError(EIO) where the line hung up."""
    size = os.readv(descriptor, [target])
    if size == 0:  # readable, and nothing to read
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return size
