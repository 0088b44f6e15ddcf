import errno
import os

from drivers.emulated.faults import Fault, FaultKind, Faults, Noise
from drivers.errors import QrngError, QrngReason
from drivers.qrng.bus_error import bus_error

_HEALTHY, _SLEEPING = 0, 200


class EmulatedMicroRng:
    """A MicroRNG at the level of bytes on the bus, for `MicroRng(bus=EmulatedMicroRng())`. Never a default.

    Obeys what the maker's driver relies on: one command for each transfer, an answer one transfer later, a counter
    of transfers, a status byte, noise sources that can be powered off (`D`) and on (`U`).
    """

    simulated = True

    def __init__(self, *, noise: Noise = os.urandom, faults: tuple[Fault, ...] = ()) -> None:
        """A chip that draws raw bytes from `noise` and breaks as `faults` say."""
        self._faults = Faults(noise, faults)
        self._open = False
        self._speed = 250_000
        self._counter = 0
        self._status = _HEALTHY
        self._answer = b"\x00"

    @property
    def drawn(self) -> int:
        """Raw bytes drawn so far, among them those that the pipeline drops at a change of command."""
        return self._faults.drawn

    def inject(self, fault: Fault) -> None:
        """Add a fault; its `after` counts from now. Raises ValueError for a value that the kind cannot have."""
        self._faults.inject(fault)

    def open(self) -> None:
        """As SpiBus.open."""
        if self._faults.active(FaultKind.UNPLUG):
            raise bus_error(OSError(errno.ENODEV, ""))
        self._open = True

    def set_speed(self, speed_hz: int) -> None:
        """As SpiBus.set_speed. Any clock is taken; whether the chip follows it is another question."""
        self._speed = speed_hz

    def transfer(self, tx: bytes) -> bytes:
        """As SpiBus.transfer. `tx` is one command byte: what the chip does with more is not documented."""
        if len(tx) != 1:
            raise QrngError(QrngReason.CLOSED, "more than one command was sent in a transfer", "Send one.")
        return self.each(tx)

    def each(self, tx: bytes) -> bytes:
        """As SpiBus.each."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the chip is not open", "Open it.")
        parts = []
        while tx:
            ahead = self._faults.healthy_for  # a fault begins at its byte, so a row is cut before that
            size = len(tx) if ahead is None else max(1, ahead - 1)
            parts.append(self._row(tx[:size]))
            tx = tx[size:]
        return b"".join(parts)

    def close(self) -> None:
        """As SpiBus.close."""
        self._open = False

    def _row(self, tx: bytes) -> bytes:
        replies, place = [self._answer], 0
        while place < len(tx):
            command, start = tx[place], place
            while place < len(tx) and tx[place] == command:
                place += 1
            replies.append(self._replies(command, place - start))
        stream = b"".join(replies)
        self._answer = stream[-1:]
        try:
            return self._faults.wire(self._garbled(stream[:-1]), tx)
        except OSError as error:
            raise bus_error(error) from None

    def _replies(self, command: int, count: int) -> bytes:
        """What the chip makes of `count` times the same command."""
        if self._faults.spend(FaultKind.SLIP):
            self._counter -= 1
        first = self._counter + 1
        self._counter += count
        if command == ord("r"):
            drawn = self._faults.draw(count)
            return drawn if self._status == _HEALTHY else bytes(count)
        if command == ord("t"):
            if self._faults.active(FaultKind.WRONG_CHIP):
                return bytes(count)
            return bytes(number & 0xFF for number in range(first, first + count))
        if command == ord("D"):
            self._status = _SLEEPING
        elif command == ord("U"):
            self._status = _HEALTHY
        elif command != ord("s"):
            return bytes(count)
        broken = self._faults.active(FaultKind.STATUS)
        return bytes((self._faults.value(FaultKind.STATUS) if broken else self._status,)) * count

    def _garbled(self, answer: bytes) -> bytes:
        """Answers are read one bit late where the mode is wrong or the clock too fast."""
        too_fast = self._faults.active(FaultKind.SPEED) and self._speed > self._faults.value(FaultKind.SPEED)
        if too_fast or self._faults.active(FaultKind.MODE):
            return bytes(byte >> 1 for byte in answer)
        return answer
