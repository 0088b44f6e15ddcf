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
LONG_LINK_TEST = 4 * LINK_TEST
"""Of the clock that a search settles on."""
SLOWEST_HZ = STEP_HZ = 250_000
"""Where the maker's driver starts, and by how much it raises the clock."""
CEILING_HZ = 5_000_000
"""Where the search ends. The chip gives at most 1 Mbit/s, a byte in 8 µs; at 5 MHz the bus takes 1.6 µs of that."""
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
        speed_hz: int | None = None,
        credit: Fraction = CREDIT,
    ) -> None:
        """Use `bus`, or where that is None the spidev node `device`.

        speed_hz: the clock; where None, opening looks for one that passes the link test with room to spare.
        """
        self._bus: SpiBus = SpidevBus(device, mode=1, speed_hz=speed_hz or SLOWEST_HZ) if bus is None else bus
        self._speed = speed_hz
        self._found: int | None = None
        self._credit = credit
        self._open = False
        self._last = b""
        self._transfers = 0
        self._offset: int | None = None

    @property
    def speed_hz(self) -> int | None:
        """The clock in use, or None before the first opening."""
        return self._found

    def open(self) -> QrngIdentity:
        """Acquire the bus, find its clock, power the noise sources and read the status. Raises as Qrng.open."""
        self.close()
        try:
            self._found = self._search() if self._speed is None else self._speed
            self._connect(self._found, LINK_TEST if self._speed else LONG_LINK_TEST)
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
                out[start:stop] = self._execute(RAW, stop - start)
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

    def _search(self) -> int:
        """Three quarters of the fastest clock, in steps, that passes the link test after all slower ones did.

        At the slowest the test is made as anywhere else, so that a chip which never passes says why.
        """
        fastest = 0
        for speed in range(SLOWEST_HZ, CEILING_HZ + 1, STEP_HZ):
            try:
                self._connect(speed, LINK_TEST)
            except QrngError as error:
                if not fastest or error.reason not in (QrngReason.LINK, QrngReason.WRONG_DEVICE):
                    raise
                break
            fastest = speed
        return max(SLOWEST_HZ, fastest * 3 // 4 // STEP_HZ * STEP_HZ)

    def _connect(self, speed: int, replies: int) -> None:
        """Open the bus at a clock and see that the counter follows over `replies` answers.

        The bus is opened anew, since after a failed test nobody knows what the chip took for a command.
        """
        self._bus.close()
        self._bus.set_speed(speed)
        self._bus.open()
        self._last, self._transfers, self._offset = b"", 0, None
        self._check_counter(replies)

    def _execute(self, command: bytes, count: int = 1) -> bytes:
        """The chip's `count` answers to `command`: the pipeline is one deep, so a change costs one transfer.

        Raw bytes always cost one more: the answer that is left from the read before is not used.
        """
        extra = 0 if command == self._last and command != RAW else 1
        answers = self._bus.each(command * (count + extra))
        self._transfers += count + extra
        self._last = command
        if len(answers) != count + extra:
            raise QrngError(
                QrngReason.SHORT,
                "the bus returned fewer bytes than were clocked",
                "Check the SPI driver of the kernel.",
            )
        return answers[extra:]

    def _check_counter(self, replies: int = 1) -> None:
        answers = self._execute(COUNTER, replies)
        for place, answer in enumerate(answers, self._transfers - replies + 1):
            offset = (answer - place) % 256
            if self._offset is None:
                self._offset = offset
            if offset != self._offset:
                raise QrngError(
                    QrngReason.LINK,
                    "the chip's transfer counter does not follow the transfers",
                    "Check that a MicroRNG is wired to this chip select, and lower the bus clock.",
                )

    def _check_status(self, command: bytes) -> None:
        (status,) = self._execute(command)
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
