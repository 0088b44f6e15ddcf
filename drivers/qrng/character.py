import os
import select
import stat
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.bus_error import bus_error
from drivers.qrng.node import Family, node_error

HWRNG = os.makedev(10, 183)
"""Linux Documentation/admin-guide/devices.txt: the hardware random number generator, a misc device."""
MEMORY_MAJOR = 1
"""Same list: null, zero, full, random, urandom. None of them is a hardware source."""
NOTHING = "none"
"""What the kernel writes in rng_current where no generator is there (drivers/char/hw_random/core.c)."""
CREDIT = Fraction(4)
"""Bits of min-entropy credited to a byte. The kernel says nothing that can be relied on, so half of the bits."""
RNG_CORE = Family(
    module="rng-core",
    sign="class/misc/hw_random",
    load="load the module of this board's generator: sudo modprobe iproc-rng200 on a Raspberry Pi 4 or 5, bcm2835-rng "
    "on one before it",
)
_BLOCK = 256
_SHORTEST_JUDGED = 16
_PAUSE = 0.002
_LONGEST_MODEL = 64


class CharacterNode(Protocol):
    """A character device that gives random bytes, and what the kernel says of it.

    simulated: true where no kernel stands behind it.
    """

    @property
    def simulated(self) -> bool:
        """Whether no hardware stands behind the node."""
        ...

    def open(self) -> None:
        """Open the node. Raises QrngError(NOT_FOUND, DENIED, WRONG_DEVICE, BUS, UNPLUGGED)."""
        ...

    def kernel_word(self) -> str:
        """What the kernel calls the source that serves this node now; NOTHING where there is none."""
        ...

    def read_into(self, view: memoryview, seconds: float) -> int | None:
        """Fill the beginning of `view` and return how many bytes; 0 at the end, None if none came within `seconds`.

        Raises QrngError(BUS, UNPLUGGED).
        """
        ...

    def close(self) -> None:
        """Close the node. Safe to call twice, and after any error."""
        ...


class CharacterDevice:
    """A hardware source that the kernel serves as a character device: /dev/hwrng, or a vendor's /dev/qrandom0.

    What stands behind a node is not known from its name (a /dev/qrandom0 may be fed by a program), so an observation
    has the kernel's word for it, beside the operator's, and nothing here calls a device quantum. The kernel may
    have conditioned the bytes; health tests then say little, and the credit is low for that reason.
    """

    def __init__(
        self,
        *,
        path: str = "/dev/hwrng",
        name: str | None = None,
        kernel: str | None = None,
        channel: CharacterNode | None = None,
        timeout: float = 10.0,
        credit: Fraction = CREDIT,
        sysfs: Path = Path("/sys"),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Read from `channel`, or where that is None from the node `path`.

        name: what the operator says that the device is. kernel: what the kernel must call it, such as a name of
        rng_available; where None, whatever it says at opening. A read whose bytes do not come within `timeout`
        seconds of `clock` fails.
        """
        self._node: CharacterNode = KernelNode(path, sysfs=sysfs) if channel is None else channel
        self._name = name
        self._pinned = kernel
        self._timeout = timeout
        self._credit = credit
        self._clock = clock
        self._sleep = sleep
        self._open = False
        self._word = ""

    def open(self) -> QrngIdentity:
        """Open the node and see that it is what it should be. Raises as Qrng.open."""
        self.close()
        self._node.open()
        try:
            self._word = self._node.kernel_word()
            self._refuse_impostors()
        except QrngError:
            self.close()
            raise
        self._open = True
        return QrngIdentity(
            driver="character",
            model=f"{self._name} (kernel: {self._word})"[:_LONGEST_MODEL] if self._name else self._word,
            sample_bits=8,
            credit=self._credit,
            raw=False,
            simulated=self._node.simulated,
        )

    def read(self, count: int) -> bytearray:
        """As Qrng.read. SHORT when the bytes do not come before the timeout or the device ends."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the device is not open", "Open the source again.")
        out = bytearray(count)
        try:
            self._refuse_change()
            with memoryview(out) as view:
                self._fill(view)
        except QrngError:
            out[:] = bytes(count)
            self.close()
            raise
        return out

    def close(self) -> None:
        """As Qrng.close."""
        self._open = False
        self._node.close()

    def _fill(self, view: memoryview) -> None:
        deadline = self._clock() + self._timeout
        filled = judged = 0
        while filled < len(view):
            left = deadline - self._clock()
            if left <= 0:
                raise _short(f"{filled} of {len(view)} bytes came within {self._timeout:g} s")
            got = self._node.read_into(view[filled:], left)
            if got == 0:
                raise _short("the device ended")
            if got is None:
                self._sleep(_PAUSE)  # hwrng has no poll of its own and always looks ready
                continue
            filled += got
            if filled - judged >= _BLOCK or filled == len(view):
                _judge(view[judged:filled])
                self._refuse_change()
                judged = filled

    def _refuse_impostors(self) -> None:
        if self._word == NOTHING:
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                "the kernel has no hardware generator behind this node",
                f"{RNG_CORE.load[:1].upper()}{RNG_CORE.load[1:]}.",
            )
        if self._pinned is not None and self._word != self._pinned:
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                f"the kernel calls the source behind this node {self._word}, and {self._pinned} is asked for",
                "Write the name of the wanted source in /sys/class/misc/hw_random/rng_current, or correct `kernel`.",
            )

    def _refuse_change(self) -> None:
        if self._node.kernel_word() != self._word:
            raise QrngError(
                QrngReason.STATUS,
                "the kernel changed the source behind this device",
                "Pin the source in /sys/class/misc/hw_random/rng_current and restart.",
            )


class KernelNode:
    """A character device of the kernel, opened without blocking."""

    simulated = False

    def __init__(self, path: str, *, sysfs: Path = Path("/sys")) -> None:
        """Name the node. Tests replace `sysfs`."""
        self._path = path
        self._sysfs = sysfs
        self._descriptor: int | None = None
        self._device = 0

    def open(self) -> None:
        """As CharacterNode.open. Refuses what is no character device, and the kernel's own software devices."""
        self.close()
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            status = os.fstat(self._descriptor)
        except OSError as error:
            self.close()
            family = RNG_CORE if self._path == "/dev/hwrng" else None
            raise node_error(error, self._path, family, self._sysfs) from None
        self._device = status.st_rdev
        character = stat.S_ISCHR(status.st_mode)
        if not character or os.major(self._device) == MEMORY_MAJOR:
            self.close()
            what = "a software device of the kernel" if character else "not a character device"
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                f"{self._path} is {what}",
                "Name the node of a hardware source; to develop without one, ask for the software source by name.",
            )

    def kernel_word(self) -> str:
        """As CharacterNode.kernel_word: rng_current, or the bound driver, or the device's numbers."""
        if self._device == HWRNG:
            return rng_current(self._sysfs)[:_LONGEST_MODEL]
        numbers = f"{os.major(self._device)}:{os.minor(self._device)}"
        try:
            return (self._sysfs / "dev/char" / numbers / "device/driver").readlink().name[:_LONGEST_MODEL]
        except OSError:
            return f"character device {numbers}"

    def read_into(self, view: memoryview, seconds: float) -> int | None:
        """As CharacterNode.read_into."""
        if self._descriptor is None:
            raise QrngError(QrngReason.CLOSED, "the device is not open", "Open it first.")
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.poll(seconds * 1000)
        try:
            return os.readv(self._descriptor, [view])
        except BlockingIOError:
            return None
        except OSError as error:
            raise bus_error(error, self._path) from None

    def close(self) -> None:
        """As CharacterNode.close."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def rng_current(sysfs: Path = Path("/sys")) -> str:
    """The generator that the kernel serves as /dev/hwrng now, or NOTHING."""
    try:
        return (sysfs / "class/misc/hw_random/rng_current").read_text(encoding="utf-8").strip() or NOTHING
    except OSError:
        return NOTHING


def _judge(block: memoryview) -> None:
    """Refuse a block of one value that a dead device gives; in noise it is rarer than 2^-120."""
    for value, meaning in ((0x00, "zeros"), (0xFF, "ones")):
        if len(block) >= _SHORTEST_JUDGED and block == bytes((value,)) * len(block):
            raise QrngError(
                QrngReason.IMPLAUSIBLE,
                f"the device gives nothing but {meaning}",
                "Check the device and its power; read a few bytes from it with dd.",
            )


def _short(detail: str) -> QrngError:
    return QrngError(QrngReason.SHORT, detail, "Check that the device works: read a few bytes from it with dd.")
