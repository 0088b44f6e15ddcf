import os
from collections.abc import Collection
from itertools import groupby

from drivers.emulated.faults import Fault, FaultKind, Faults, Noise
from drivers.errors import QrngError, QrngReason
from drivers.qrng.bus_error import bus_error
from drivers.qrng.profile.schema import Profile


class EmulatedChip:
    """The chip that a profile describes, at the level of bytes on the bus. Never a default.

    It shows that a profile agrees with itself and that every fault is found; it cannot show that the profile agrees
    with the chip. Bits that a profile does not name are zero, and so are answers to what it does not mention.
    """

    simulated = True

    def __init__(self, profile: Profile, *, noise: Noise = os.urandom, faults: tuple[Fault, ...] = ()) -> None:
        """A chip that draws its samples from `noise` and breaks as `faults` say."""
        self._profile = profile
        self._faults = Faults(noise, faults)
        self._speed = profile.bus.speed_hz
        self._each = profile.bus.cs_change_per_byte
        self._pipeline = [b"\x00"] * profile.read.pipeline_delay
        self._open = False
        self._count = 0
        self._polls = 0
        self._last_bit = 0
        self._payload = bytes(profile.read.size)

    @property
    def drawn(self) -> int:
        """Samples drawn so far, among them those that nobody reads."""
        return self._faults.drawn

    def inject(self, fault: Fault) -> None:
        """As Faults.inject."""
        self._faults.inject(fault)

    def open(self) -> None:
        """As SpiBus.open."""
        self._open = True
        try:
            self._receive(b"", b"")
        except QrngError:
            self._open = False
            raise

    def set_speed(self, hz: int) -> None:
        """As SpiBus.set_speed."""
        self._speed = hz

    def transfer(self, tx: bytes) -> bytes:
        """As SpiBus.transfer. A chip with cs_change_per_byte takes one byte."""
        if self._each:
            if len(tx) != 1:
                raise QrngError(QrngReason.BUS, "this chip takes one byte in a transfer", "Use each().")
            return self.each(tx)
        self._count_transfers(1)
        self._pipeline.append(self._frame(tx))
        answer = self._pipeline.pop(0)
        return self._receive((answer + bytes(len(tx)))[: len(tx)], tx)

    def each(self, tx: bytes) -> bytes:
        """As SpiBus.each."""
        if not self._each:
            return b"".join(self.transfer(tx[at : at + 1]) for at in range(len(tx)))
        for command, row in groupby(tx):
            self._pipeline.append(self._row(bytes((command,)), len(list(row))))
        answers = b"".join(self._pipeline)
        self._pipeline = [answers[len(tx) :]]
        # Where every byte is a transfer, the chip misses the one that is dropped and counts a doubled one twice.
        self._count += bool(self._faults.active(FaultKind.DUPLICATE)) - bool(self._faults.active(FaultKind.DROP))
        return self._receive(answers[: len(tx)], tx)

    def close(self) -> None:
        """As SpiBus.close."""
        self._open = False

    def _count_transfers(self, transfers: int) -> None:
        """Let the chip's counter count, and miss one for a SLIP."""
        test = self._profile.selftest
        if test and test.counts == "transfers":
            self._count += transfers
        if self._faults.spend(FaultKind.SLIP):
            self._count -= 1

    def _row(self, command: bytes, size: int) -> bytes:
        """The answers of a chip that takes one byte in a transfer to `size` times `command`."""
        read, test = self._profile.read, self._profile.selftest
        self._count_transfers(size)
        if test and command == test.cmd:
            if test.kind == "counter":
                self._count += size if test.counts == "answers" else 0
                counted = range(self._count - size + 1, self._count + 1)
                return bytes(number & 0xFF for number in counted) if self._genuine else bytes(size)
            return (self._test_answer() * (size // test.length + 1))[:size]
        if command[0] == read.dummy:
            return self._faults.draw(size)
        return self._frame(command) * size

    def _frame(self, tx: bytes) -> bytes:
        """The answer to one transfer: everything that the profile says of it, over zeros."""
        answer = bytearray(len(tx))
        read = self._profile.read
        burst = len(tx) - len(read.tx_prefix)
        if 0 < burst <= read.burst and (read.partial or burst == read.burst) and tx == read.frame(burst):
            answer[len(read.tx_prefix) :] = self._packet(burst)
        self._answer_test(tx, answer)
        for question in self._profile.identify:
            if tx == question.tx:
                _put(answer, question.expect, question.mask)
                if not self._genuine:
                    _flip(answer, question.mask)
        for step in (*self._profile.start, *self._profile.stop):
            if tx == step.tx and step.expect:
                _put(answer, step.expect, step.mask)
        status, ready = self._profile.status, self._profile.ready
        if status and tx == status.tx:
            answer[status.rx_index] = self._health({status.ok}, status.mask)
        if ready and ready.ok is not None and tx == ready.tx:
            answer[ready.rx_index] = ready.ok if self._is_ready() else ready.ok ^ ready.mask
        return bytes(answer)

    def _packet(self, burst: int) -> bytes:
        read, ready = self._profile.read, self._profile.ready
        duplicate = ready.duplicate if ready else None
        new = duplicate is None or (ready is not None and bool(ready.tx)) or self._is_ready()
        if new:
            self._payload = self._faults.draw(read.size if burst == read.burst else burst)
        packet = bytearray(burst)
        packet[read.payload[0] : read.payload[0] + len(self._payload)] = self._payload
        if read.header:
            packet[read.header.index] = read.header.value if self._genuine else read.header.value ^ 0xFF
        if read.health:
            healthy = {read.health.ok} if duplicate is None else {read.health.ok, duplicate}
            packet[read.health.index] = self._health(healthy, 0xFF, read.health.ok) if new else duplicate or 0
        return bytes(packet)

    def _answer_test(self, tx: bytes, answer: bytearray) -> None:
        test = self._profile.selftest
        if test is None:
            return
        if test.kind == "counter" and tx == test.cmd:
            self._count += test.counts == "answers"
            answer[-1] = self._count & 0xFF if self._genuine else 0
        elif test.kind != "counter" and tx == test.cmd + bytes((self._profile.read.dummy,)) * test.length:
            answer[-test.length :] = self._test_answer()

    def _test_answer(self) -> bytes:
        test = self._profile.selftest
        if test is None or not self._genuine:
            return bytes(test.length if test else 0)
        return (test.expect * (test.length // len(test.expect) + 1))[: test.length]

    @property
    def _genuine(self) -> bool:
        return self._faults.active(FaultKind.WRONG_CHIP) is None

    def _health(self, known: Collection[int], mask: int, good: int | None = None) -> int:
        """The status byte: good, or the fault's value, or where that would be good or known the next that is not."""
        if self._faults.active(FaultKind.STATUS) is None:
            return min(known) if good is None else good
        value = self._faults.value(FaultKind.STATUS)
        while value & mask in known:
            value = (value + 1) & 0xFF
        return value

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

    def _receive(self, answer: bytes, sent: bytes) -> bytes:
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the chip is not open", "Open it first.")
        if self._sampled_late() and answer:
            late = (self._last_bit << 8 * len(answer) | int.from_bytes(answer, "big")) >> 1
            self._last_bit = answer[-1] & 1
            answer = late.to_bytes(len(answer), "big")
        try:
            return self._faults.wire(answer, sent)
        except OSError as error:
            raise bus_error(error) from None

    def _sampled_late(self) -> bool:
        """Whether mode or clock do not suit: the host then takes each bit where the one before it was."""
        if self._faults.active(FaultKind.MODE):
            return True
        return bool(self._faults.active(FaultKind.SPEED)) and self._speed > self._faults.value(FaultKind.SPEED)


def _put(answer: bytearray, expect: bytes, mask: bytes) -> None:
    for place, (value, bits) in enumerate(zip(expect, mask or b"\xff" * len(expect), strict=True)):
        answer[place] = answer[place] & ~bits | value & bits


def _flip(answer: bytearray, mask: bytes) -> None:
    for place, bits in enumerate(mask or b"\xff" * len(answer)):
        answer[place] ^= bits
