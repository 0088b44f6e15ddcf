from fractions import Fraction

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.spi import SpiBus, SpidevBus

RAW, STATUS, COUNTER, NOISE_ON = b"r", b"s", b"t", b"U"
BLOCK = 256
"""Raw bytes between two looks at the chip's status and transfer counter."""
FLOATING = 0xFF
"""What an undriven line reads as."""
LINK_TEST = 257
"""Counter replies of the link test: one more than the counter has values, so that every wrap is seen."""
CREDIT = Fraction(4)
"""Bits of min-entropy credited to a raw byte.

The maker publishes no min-entropy figure for raw bytes, but its own corrector spends two raw bytes on each byte it
calls corrected. Half of the bits is therefore what the maker itself relies on, and it is well below the cap of 0.9.
"""
_SHORTEST_JUDGED = 16


class MicroRng:
    """TectroLabs MicroRNG (two Zener avalanche sources) on SPI: raw noise, never the chip's own correction.

    Protocol as in the maker's reference driver (github.com/tectrolabs/microrng, mcrng/MicroRngSPI.cpp): SPI mode 1,
    one command byte for each transfer, answered in the next transfer. `t` answers a counter of transfers modulo
    256, `s` a status that is 0 when healthy, `r` a raw byte, `U` powers the noise sources on and answers as `s`.
    """

    def __init__(
        self,
        *,
        bus: SpiBus | None = None,
        device: str = "/dev/spidev0.0",
        speed_hz: int = 250_000,
        credit: Fraction = CREDIT,
    ) -> None:
        """Use `bus`, or where that is None the spidev node `device` with a clock of `speed_hz` Hz."""
        self._bus: SpiBus = SpidevBus(device, mode=1, speed_hz=speed_hz) if bus is None else bus
        self._credit = credit
        self._open = False
        self._last = b""
        self._transfers = 0
        self._offset: int | None = None

    def open(self) -> QrngIdentity:
        """Acquire the bus, test the link, power the noise sources and read the status. Raises as Qrng.open."""
        self.close()
        self._bus.open()
        self._last, self._transfers, self._offset = b"", 0, None
        try:
            for _ in range(LINK_TEST):
                self._check_counter()
            self._check_status(NOISE_ON)
            self._check_status(STATUS)
            self._check_counter()
        except QrngError:
            self.close()
            raise
        self._open = True
        return QrngIdentity(
            driver="microrng",
            model="emulated MicroRNG" if self._bus.simulated else "TectroLabs MicroRNG",
            sample_bits=8,
            credit=self._credit,
            raw=True,
            simulated=self._bus.simulated,
        )

    def read(self, count: int) -> bytearray:
        """As Qrng.read. Status and counter are checked after every BLOCK bytes and after the last."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the chip is not open", "Open the source again.")
        out = bytearray(count)
        try:
            for start in range(0, count, BLOCK):
                stop = min(start + BLOCK, count)
                self._draw(out, start, stop)
                _check_plausible(memoryview(out)[start:stop])
                self._check_status(STATUS)
                self._check_counter()
        except QrngError:
            out[:] = bytes(count)
            self.close()
            raise
        return out

    def close(self) -> None:
        """As Qrng.close."""
        self._open = False
        self._bus.close()

    def _draw(self, out: bytearray, start: int, stop: int) -> None:
        """Fill out[start:stop] with raw bytes. This loop is the throughput of the driver."""
        transfer = self._bus.transfer
        transfer(RAW)  # answers the command before, not this one
        try:
            for index in range(start, stop):
                (out[index],) = transfer(RAW)
        except ValueError:
            raise _short() from None
        self._last = RAW
        self._transfers += stop - start + 1

    def _execute(self, command: bytes) -> int:
        """The chip's answer to `command`: the pipeline is one deep, so a change of command costs one transfer."""
        for _ in range(1 if command == self._last else 2):
            reply = self._bus.transfer(command)
            self._transfers += 1
        self._last = command
        if len(reply) != 1:
            raise _short()
        return reply[0]

    def _check_counter(self) -> None:
        offset = (self._execute(COUNTER) - self._transfers) % 256
        if self._offset is None:
            self._offset = offset
        if offset != self._offset:
            raise QrngError(
                QrngReason.LINK,
                "the chip's transfer counter does not follow the transfers",
                "Check that a MicroRNG is wired to this chip select, and lower the bus clock.",
            )

    def _check_status(self, command: bytes) -> None:
        status = self._execute(command)
        if status == FLOATING:
            raise QrngError(
                QrngReason.IMPLAUSIBLE,
                "the bus answers all ones, as it does where nothing drives it",
                "Check the wiring of MISO and MOSI, and the chip's power and ground.",
            )
        if status != 0:
            raise QrngError(
                QrngReason.STATUS,
                f"the chip reports status {status:#04x}",
                "Power the chip off and on; if the status stays, replace it.",
            )


def _check_plausible(block: memoryview) -> None:
    """Refuse a block that is one value which a broken wire would give: a line held low or high, or our own command."""
    if len(block) < _SHORTEST_JUDGED:
        return
    for value, meaning in ((0x00, "all zeros"), (0xFF, "all ones"), (RAW[0], "an echo of the command")):
        if block == bytes((value,)) * len(block):
            raise QrngError(
                QrngReason.IMPLAUSIBLE,
                f"the bus answers {meaning}",
                "Check MISO, MOSI, power and ground of the chip.",
            )


def _short() -> QrngError:
    return QrngError(
        QrngReason.SHORT, "the bus returned fewer bytes than were clocked", "Check the SPI driver of the kernel."
    )
