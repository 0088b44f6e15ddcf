import time
from collections.abc import Callable
from fractions import Fraction

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.gpio import GpioLine, PowerLine
from drivers.qrng.i2c import I2cBus, Smbus2Bus

WAKE_SECONDS = 0.003
"""Between a change of the power-down line and the next access."""
AWAKE = 0x10
"""The register that reads 0x00 once the chip is awake."""
PACKET = 0x12
"""The register at which a burst gives one packet."""
PACKET_SIZE = 18
HEADER = 0xA2
NOT_NEW = 0x08
"""The health byte of a packet that was given before."""
BEFORE = 2
"""Header and health byte."""
SAMPLES = PACKET_SIZE - BEFORE
LINK_TEST = 4
"""Packets that are read and dropped at opening."""
CREDIT = Fraction(8 * 499, 1000)
"""Bits of min-entropy credited to a byte: the maker's kernel driver tells the kernel 499 of 1000 bits by default.

The makers' paper (arXiv:2011.14129) claims more than 0.98 for each bit, of which nothing here depends.
"""
_POLL = 0.0002
_WIRING = "Check SDA, SCL, their pull-up resistors, power and ground of the chip."


class Idq250:
    """ID Quantique IDQ250C2 (light-emitting diode and image sensor) on I2C.

    Registers and packets as in the maker's kernel driver (drivers/char/hw_random/s2q000/qrng_hwrng.c in Samsung's
    kernel trees; that its S2Q000 and the IDQ250C2 are the same to software is inferred): the power-down line is
    driven high, 3 ms later register 0x10 reads 0x00, and each burst of 18 bytes at 0x12 is 0xA2, a health byte, and
    16 samples. Health 0x08 marks a packet that was given before; any other that is not 0x00 is a failure.

    No public source states the chip's address, so it must be given. What of a packet is not wanted is dropped.
    """

    def __init__(
        self,
        *,
        bus: I2cBus | None = None,
        device: str = "/dev/i2c-1",
        address: int | None = None,
        power: PowerLine | None = None,
        power_gpio: str | None = None,
        timeout: float = 1.0,
        credit: Fraction = CREDIT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use `bus`, or where that is None the chip at `address` of the node `device`.

        power: the power-down line; where that is None the GPIO line `power_gpio`, and where that is None too the
        line is taken to be wired high. A packet that is not new within `timeout` seconds of `clock` is an error.
        """
        self._bus = bus
        if bus is None and address is not None:
            self._bus = Smbus2Bus(device, address=address)
        self._power = GpioLine(power_gpio) if power is None and power_gpio is not None else power
        self._timeout = timeout
        self._credit = credit
        self._clock = clock
        self._sleep = sleep
        self._open = False
        self._last = bytearray(PACKET_SIZE)

    def open(self) -> QrngIdentity:
        """Wake the chip, read register 0x10 and LINK_TEST packets. Raises as Qrng.open, and NOT_READY."""
        self.close()
        if self._bus is None:
            raise QrngError(
                QrngReason.NOT_FOUND,
                "the I2C address of the IDQ250C2 is not set",
                "Set `address` from the data sheet, or from what `i2cdetect -y 1` shows; no public source states it.",
            )
        try:
            self._bus.open()
            self._wake()
            self._identify(self._bus)
            for _ in range(LINK_TEST):
                _wipe(self._packet(self._bus))
        except QrngError:
            self.close()
            raise
        self._open = True
        return QrngIdentity(
            driver="idq250",
            model="emulated IDQ250C2" if self._bus.simulated else "ID Quantique IDQ250C2",
            sample_bits=8,
            credit=self._credit,
            raw=False,
            simulated=self._bus.simulated,
        )

    def read(self, count: int) -> bytearray:
        """As Qrng.read, and NOT_READY. Every packet carries the chip's health, and each is judged by itself."""
        if self._bus is None or not self._open:
            raise QrngError(QrngReason.CLOSED, "the chip is not open", "Open the source again.")
        out = bytearray(count)
        try:
            with memoryview(out) as view:
                for start in range(0, count, SAMPLES):
                    packet = self._packet(self._bus)
                    stop = min(start + SAMPLES, count)
                    view[start:stop] = memoryview(packet)[BEFORE : BEFORE + stop - start]
                    _wipe(packet)
        except QrngError:
            _wipe(out)
            self.close()
            raise
        return out

    def close(self) -> None:
        """As Qrng.close. The chip is put to sleep where a line is there to do it."""
        self._open = False
        _wipe(self._last)
        if self._power is not None:
            self._power.close()
        if self._bus is not None:
            self._bus.close()

    def _wake(self) -> None:
        """Put the chip to sleep and wake it, so that every opening begins alike."""
        if self._power is not None:
            self._power.open()
            self._sleep(WAKE_SECONDS)
            self._power.set(high=True)
        self._sleep(WAKE_SECONDS)

    def _identify(self, bus: I2cBus) -> None:
        answer = bus.read(AWAKE, 1)
        if len(answer) != 1:
            raise _short()
        if answer[0] != 0:
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                f"register {AWAKE:#04x} reads {answer[0]:#04x}, where an IDQ250C2 that is awake has 0x00",
                "Check that the address is the chip's, and that its power-down pin is high or named in `power_gpio`.",
            )

    def _packet(self, bus: I2cBus) -> bytearray:
        """The next new packet, header and health included; the caller wipes it."""
        deadline = self._clock() + self._timeout
        while True:
            packet = bus.read(PACKET, PACKET_SIZE)
            try:
                if self._is_new(packet):
                    break
            except QrngError:
                _wipe(packet)
                raise
            _wipe(packet)
            if self._clock() >= deadline:
                raise QrngError(
                    QrngReason.NOT_READY,
                    f"the chip gave no new packet within {self._timeout:g} s",
                    "Power the chip off and on; if it stays so, replace it.",
                )
            self._sleep(_POLL)
        self._last[:] = packet
        return packet

    def _is_new(self, packet: bytearray) -> bool:
        if len(packet) != PACKET_SIZE:
            raise _short()
        header, health = packet[0], packet[1]
        for value, meaning in ((0x00, "all zeros"), (0xFF, "all ones")):
            if packet == bytes((value,)) * PACKET_SIZE:
                raise QrngError(QrngReason.IMPLAUSIBLE, f"the bus answers {meaning}", _WIRING)
        if header != HEADER:
            raise QrngError(
                QrngReason.BUS if self._open else QrngReason.WRONG_DEVICE,
                "a packet does not begin as packets of an IDQ250C2 do",
                "Check that the address is the chip's, and lower the clock of the bus.",
            )
        if health == NOT_NEW:
            return False
        if health != 0:
            raise QrngError(
                QrngReason.STATUS,
                f"the chip reports health {health:#04x}",
                "Power the chip off and on; if the health byte stays, replace it.",
            )
        if packet == self._last:
            raise QrngError(
                QrngReason.IMPLAUSIBLE,
                "the chip gave the same packet twice and called it new",
                "Power the chip off and on; if it happens again, replace it.",
            )
        return True


def _wipe(samples: bytearray) -> None:
    samples[:] = bytes(len(samples))


def _short() -> QrngError:
    return QrngError(
        QrngReason.SHORT, "the bus returned fewer bytes than were asked for", "Check the I2C driver of the kernel."
    )
