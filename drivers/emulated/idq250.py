import errno
import os

from drivers.emulated.faults import Fault, FaultKind, Faults, Noise
from drivers.errors import QrngError, QrngReason
from drivers.qrng.i2c import i2c_error

AWAKE, PACKET = 0x10, 0x12
SAMPLES = 16
_HEADER, _NOT_NEW = 0xA2, 0x08
_STRANGER = 0x5A


class EmulatedIdq250:
    """An IDQ250C2 at the level of bytes on I2C, behind the door of drivers.qrng.i2c.I2cBus. Never a default.

    It has two registers (docs/devices/idq250.md); any other reads as zeros. `power` is its power-down pin, which
    is high until somebody takes it. Without power nobody answers at the address.
    """

    simulated = True

    def __init__(self, *, noise: Noise = os.urandom, faults: tuple[Fault, ...] = ()) -> None:
        """A chip that draws its samples from `noise` and breaks as `faults` say."""
        self._faults = Faults(noise, faults)
        self._open = False
        self._polls = 0
        self._samples = bytes(SAMPLES)
        self.power = EmulatedPowerLine()

    @property
    def drawn(self) -> int:
        """Samples drawn so far, among them those that nobody uses."""
        return self._faults.drawn

    def inject(self, fault: Fault) -> None:
        """As Faults.inject."""
        self._faults.inject(fault)

    def open(self) -> None:
        """As I2cBus.open."""
        self._open = True

    def read(self, register: int, count: int) -> bytearray:
        """As I2cBus.read. A burst at PACKET takes the next packet, or the last one again while there is no new one."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the bus is not open", "Open the bus first.")
        try:
            self.power.acknowledge()
            answer = (self._register(register) + bytes(count))[:count]
            return bytearray(self._faults.wire(answer, bytes((register,))))
        except OSError as error:
            raise i2c_error(error, "the address of the emulated chip") from None

    def close(self) -> None:
        """As I2cBus.close."""
        self._open = False

    def _register(self, register: int) -> bytes:
        genuine = self._faults.active(FaultKind.WRONG_CHIP) is None
        if register == AWAKE:
            return b"\x00" if genuine else bytes((_STRANGER,))
        if register != PACKET:
            return b""
        health = _NOT_NEW
        if self._is_ready():
            self._samples = self._faults.draw(SAMPLES)
            # A health byte of the fault is never the one of a good packet: a fault that shows nothing is none.
            health = (self._faults.value(FaultKind.STATUS) or 1) if self._faults.active(FaultKind.STATUS) else 0
        return bytes((_HEADER if genuine else _STRANGER, health)) + self._samples

    def _is_ready(self) -> bool:
        if self._faults.active(FaultKind.NOT_READY):
            return False
        if self._faults.active(FaultKind.SLOW_READY):
            self._polls += 1
            if self._polls <= self._faults.value(FaultKind.SLOW_READY):
                return False
            self._faults.spend(FaultKind.SLOW_READY)
        self._polls = 0
        return True


class EmulatedPowerLine:
    """The power-down pin of the emulated chip, as a drivers.qrng.gpio.PowerLine: low is asleep."""

    def __init__(self) -> None:
        self.high = True

    def acknowledge(self) -> None:
        """What becomes of an address on the bus. Raises OSError(EREMOTEIO) where the chip sleeps."""
        if not self.high:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))

    def open(self) -> None:
        """As PowerLine.open."""
        self.high = False

    def set(self, *, high: bool) -> None:
        """As PowerLine.set."""
        self.high = high

    def close(self) -> None:
        """As PowerLine.close."""
        self.high = False
