import os
import select
import stat
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.spi import bus_error

HWRNG = os.makedev(10, 183)
"""Linux Documentation/admin-guide/devices.txt: the hardware random number generator, a misc device."""
MEMORY_MAJOR = 1
"""Same list: null, zero, full, random, urandom. None of them is a hardware source."""
CREDIT = Fraction(4)
"""Bits of min-entropy credited to a byte. The kernel says nothing that can be relied on, so half of the bits."""
_PAUSE = 0.002


class CharacterDevice:
    """A hardware source that the kernel serves as a character device: /dev/hwrng, or a vendor's /dev/qrandom0.

    What stands behind a name is not known from the name (a /dev/qrandom0 may be fed by a program), so the model is
    what the kernel says, and nothing here calls a device quantum. The kernel may already have conditioned the bytes;
    health tests then say little, and the credit is low for that reason.
    """

    def __init__(
        self,
        *,
        path: str = "/dev/hwrng",
        timeout: float = 10.0,
        credit: Fraction = CREDIT,
        sysfs: Path = Path("/sys"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read from `path`; a read longer than `timeout` seconds fails. Tests replace `sysfs` and `clock`."""
        self._path = path
        self._timeout = timeout
        self._credit = credit
        self._sysfs = sysfs
        self._clock = clock
        self._descriptor: int | None = None
        self._device = 0
        self._model = ""

    def open(self) -> QrngIdentity:
        """Open the node and see that it is a hardware character device. Raises as Qrng.open."""
        self.close()
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            status = os.fstat(self._descriptor)
        except OSError as error:
            self.close()
            raise bus_error(error, str(self._path)) from None
        self._device = status.st_rdev
        try:
            self._refuse_impostors(status.st_mode)
        except QrngError:
            self.close()
            raise
        self._model = self._kernel_model()
        return QrngIdentity(
            driver="character", model=self._model, sample_bits=8, credit=self._credit, raw=False, simulated=False
        )

    def read(self, count: int) -> bytearray:
        """As Qrng.read. SHORT when the bytes do not come before the timeout or the device ends."""
        if self._descriptor is None:
            raise QrngError(QrngReason.CLOSED, "the device is not open", "Open the source again.")
        out = bytearray(count)
        try:
            with memoryview(out) as view:
                self._fill(self._descriptor, view)
            self._refuse_change()
        except QrngError:
            out[:] = bytes(count)
            self.close()
            raise
        return out

    def close(self) -> None:
        """As Qrng.close."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _fill(self, descriptor: int, view: memoryview) -> None:
        deadline = self._clock() + self._timeout
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        filled = 0
        while filled < len(view):
            left = deadline - self._clock()
            if left <= 0:
                raise _short(f"{filled} of {len(view)} bytes came within {self._timeout:g} s")
            poll.poll(left * 1000)
            try:
                got = os.readv(descriptor, [view[filled:]])
            except BlockingIOError:
                time.sleep(_PAUSE)  # hwrng has no poll of its own and always looks ready
                continue
            except OSError as error:
                raise bus_error(error, str(self._path)) from None
            if got == 0:
                raise _short("the device ended")
            filled += got

    def _refuse_impostors(self, mode: int) -> None:
        if not stat.S_ISCHR(mode):
            detail = f"{self._path} is not a character device"
        elif os.major(self._device) == MEMORY_MAJOR:
            detail = f"{self._path} is a software device of the kernel"
        elif self._device == HWRNG and self._kernel_model() == "none":
            detail = "the kernel has no hardware generator behind /dev/hwrng"
        else:
            return
        raise QrngError(
            QrngReason.WRONG_DEVICE,
            detail,
            "Name the node of a hardware source; to develop without one, ask for the software source by name.",
        )

    def _refuse_change(self) -> None:
        if self._kernel_model() != self._model:
            raise QrngError(
                QrngReason.STATUS,
                "the kernel changed the source behind this device",
                "Pin the source in /sys/class/misc/hw_random/rng_current and restart.",
            )

    def _kernel_model(self) -> str:
        """The name that the kernel gives to what serves this node, at most 64 characters."""
        if self._device == HWRNG:
            try:
                name = (self._sysfs / "class/misc/hw_random/rng_current").read_text(encoding="utf-8").strip()
            except OSError:
                name = ""
            return (name or "none")[:64]
        numbers = f"{os.major(self._device)}:{os.minor(self._device)}"
        try:
            return (self._sysfs / "dev/char" / numbers / "device/driver").readlink().name[:64]
        except OSError:
            return f"character device {numbers}"


def _short(detail: str) -> QrngError:
    return QrngError(QrngReason.SHORT, detail, "Check that the device works: read a few bytes from it with dd.")
