import errno
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np

from drivers.errors import QrngError, QrngReason
from drivers.qrng.spi import bus_error

Noise = Callable[[int], bytes]
_BLOCK = 4096
_HEALTHY, _SLEEPING = 0, 200


class FaultKind(StrEnum):
    """The ways in which the emulated chip can break. Values are the names used in configuration.

    Of the wire: STUCK_LOW and STUCK_HIGH (MISO held), ECHO (MISO tied to MOSI), EIO (one transfer fails),
    UNPLUG (every transfer fails with ENODEV). Of the chip: STATUS (status byte `value`, default 1), WRONG_CHIP (the
    counter does not count), SLIP (the counter misses one transfer). Of the noise: STUCK (byte `value`, default 0xa5),
    DEAD (repeats the last good byte), REPEAT (the next `value` bytes for ever, default 64), BIAS (ones have
    probability `value`, default 0.6), CORRELATED (a bit equals the one before with probability `value`, default 0.9).
    """

    STUCK_LOW = "stuck-00"
    STUCK_HIGH = "stuck-ff"
    ECHO = "echo"
    EIO = "eio"
    UNPLUG = "unplug"
    STATUS = "status"
    WRONG_CHIP = "wrong-chip"
    SLIP = "slip"
    STUCK = "stuck"
    DEAD = "dead"
    REPEAT = "repeat"
    BIAS = "bias"
    CORRELATED = "correlated"


DEFAULT_VALUES = {
    FaultKind.STATUS: Fraction(1),
    FaultKind.STUCK: Fraction(0xA5),
    FaultKind.REPEAT: Fraction(64),
    FaultKind.BIAS: Fraction(6, 10),
    FaultKind.CORRELATED: Fraction(9, 10),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that begins after the chip has drawn `after` more raw bytes, and lasts `length` bytes or for ever.

    `value` is what FaultKind says of it, or its default.
    """

    kind: FaultKind
    after: int = 0
    value: Fraction | None = None
    length: int | None = None


_FAULT = re.compile(r"(?P<kind>[a-z-]+(?:00)?)(?:=(?P<value>[0-9a-fx.]+))?(?:@(?P<after>\d+))?(?:\+(?P<length>\d+))?")


def parse_fault(text: str) -> Fault:
    """Read KIND[=VALUE][@AFTER][+LENGTH], such as `stuck@4096`, `bias=0.6`, `stuck=0x00@512+8`.

    Raises ValueError that lists the kinds.
    """
    match = _FAULT.fullmatch(text)
    try:
        fault = None if match is None else _fault_of(match)
    except ValueError:
        fault = None
    if fault is None:
        kinds = ", ".join(FaultKind)
        raise ValueError(f"{text!r} is no fault: write KIND[=VALUE][@AFTER][+LENGTH] with KIND one of {kinds}")
    return fault


def _fault_of(match: re.Match[str]) -> Fault:
    value = match["value"]
    fault = Fault(
        kind=FaultKind(match["kind"]),
        after=int(match["after"] or 0),
        value=None if value is None else Fraction(int(value, 16) if value.startswith("0x") else value),
        length=None if match["length"] is None else int(match["length"]),
    )
    _check(fault)
    return fault


def _check(fault: Fault) -> None:
    value = fault.value
    if value is None:
        return
    probability = fault.kind in (FaultKind.BIAS, FaultKind.CORRELATED)
    byte = fault.kind in (FaultKind.STATUS, FaultKind.STUCK)
    if (
        fault.kind not in DEFAULT_VALUES
        or (probability and not 0 <= value <= 1)
        or (not probability and value.denominator != 1)
        or (byte and not 0 <= value <= 255)
        or (fault.kind is FaultKind.REPEAT and value < 1)
    ):
        raise ValueError(f"{fault.kind.value} cannot have the value {value}")


def seeded(seed: int) -> Noise:
    """Noise that is the same for the same seed, for tests and demonstrations: SHAKE-256 of seed and block number."""
    block = 0

    def noise(count: int) -> bytes:
        nonlocal block
        block += 1
        return hashlib.shake_256(f"{seed}/{block}".encode()).digest(count)

    return noise


class EmulatedMicroRng:
    """A MicroRNG at the level of bytes on the bus, for `MicroRng(bus=EmulatedMicroRng())`. Never a default.

    Obeys what the maker's driver relies on: one command for each transfer, an answer one transfer later, a counter
    of transfers, a status byte, noise sources that can be powered off (`D`) and on (`U`).
    """

    simulated = True

    def __init__(self, *, noise: Noise = os.urandom, faults: tuple[Fault, ...] = ()) -> None:
        """A chip that draws raw bytes from `noise` and breaks as `faults` say."""
        self._noise = noise
        self._open = False
        self._counter = 0
        self._status = _HEALTHY
        self._answer = b"\x00"
        self._faults: list[tuple[int, int | None, Fault]] = []
        self._active: tuple[Fault, ...] = ()
        self._drawn = 0
        self._block = b""
        self._next = 0
        self._last_raw = b"\x00"
        self._pattern = b""
        self._advance()
        for fault in faults:
            self.inject(fault)

    @property
    def drawn(self) -> int:
        """Raw bytes drawn so far, among them those that the pipeline drops at a change of command."""
        return self._drawn

    def inject(self, fault: Fault) -> None:
        """Add a fault; its `after` counts from now. Raises ValueError for a value that the kind cannot have."""
        _check(fault)
        start = self._drawn + fault.after
        self._faults.append((start, None if fault.length is None else start + fault.length, fault))
        self._advance()

    def open(self) -> None:
        """As SpiBus.open."""
        if self._find(FaultKind.UNPLUG):
            raise bus_error(OSError(errno.ENODEV, ""))
        self._open = True

    def transfer(self, tx: bytes) -> bytes:
        """As SpiBus.transfer. `tx` is one command byte."""
        if not self._open or len(tx) != 1:
            raise QrngError(QrngReason.CLOSED, "the chip is not open, or more than one command was sent", "Open it.")
        if self._active:
            self._fail_transfer()
        answer = self._answer
        self._counter = (self._counter + 1) & 0xFF
        if tx == b"r":
            self._answer = self._draw()
        else:
            self._answer = self._obey(tx)
        return self._on_the_wire(tx, answer) if self._active else answer

    def close(self) -> None:
        """As SpiBus.close."""
        self._open = False

    def _draw(self) -> bytes:
        raw = self._block[self._next : self._next + 1]
        self._last_raw = raw
        self._next += 1
        self._drawn += 1
        if self._next == len(self._block):
            self._advance()
        return raw if self._status == _HEALTHY else b"\x00"

    def _obey(self, command: bytes) -> bytes:
        if command == b"t":
            return b"\x00" if self._find(FaultKind.WRONG_CHIP) else bytes((self._counter,))
        if command == b"D":
            self._status = _SLEEPING
        elif command == b"U":
            self._status = _HEALTHY
        elif command != b"s":
            return b"\x00"
        fault = self._find(FaultKind.STATUS)
        return bytes((int(_value(fault)),)) if fault else bytes((self._status,))

    def _advance(self) -> None:
        """Draw the next block of noise, up to the moment at which a fault begins or ends."""
        here = self._drawn
        begun = tuple(f for start, end, f in self._faults if start <= here and (end is None or here < end))
        if any(fault.kind is FaultKind.SLIP and fault not in self._active for fault in begun):
            self._counter = (self._counter - 1) & 0xFF
        self._active = begun
        edges = [edge for start, end, _ in self._faults for edge in (start, end) if edge is not None and edge > here]
        size = min([_BLOCK, *(edge - here for edge in edges)])
        block = self._noise(size)
        for fault in begun:
            block = self._spoil(fault, block)
        self._block, self._next = block, 0

    def _spoil(self, fault: Fault, block: bytes) -> bytes:
        size = len(block)
        value = _value(fault)
        if fault.kind is FaultKind.STUCK:
            return bytes((int(value),)) * size
        if fault.kind is FaultKind.DEAD:
            return self._last_raw * size
        if fault.kind is FaultKind.REPEAT:
            self._pattern = self._pattern or self._noise(int(value))
            period = len(self._pattern)
            shift = self._drawn % period
            return (self._pattern * (size // period + 2))[shift : shift + size]
        if fault.kind in (FaultKind.BIAS, FaultKind.CORRELATED):
            draws = np.frombuffer(self._noise(16 * size), np.uint16)
            happens = draws < int(value * 65536)
            if fault.kind is FaultKind.BIAS:
                return np.packbits(happens).tobytes()
            changes = np.where(happens, 0, 1)
            changes[0] ^= self._last_raw[0] & 1
            return np.packbits(np.cumsum(changes) & 1).tobytes()
        return block

    def _fail_transfer(self) -> None:
        if self._find(FaultKind.UNPLUG):
            raise bus_error(OSError(errno.ENODEV, ""))
        fault = self._find(FaultKind.EIO)
        if fault:
            self._faults = [entry for entry in self._faults if entry[2] is not fault]
            self._active = tuple(other for other in self._active if other is not fault)
            raise bus_error(OSError(errno.EIO, ""))

    def _on_the_wire(self, tx: bytes, answer: bytes) -> bytes:
        if self._find(FaultKind.STUCK_LOW):
            return b"\x00"
        if self._find(FaultKind.STUCK_HIGH):
            return b"\xff"
        return tx if self._find(FaultKind.ECHO) else answer

    def _find(self, kind: FaultKind) -> Fault | None:
        return next((fault for fault in self._active if fault.kind is kind), None)


def _value(fault: Fault) -> Fraction:
    return DEFAULT_VALUES.get(fault.kind, Fraction(0)) if fault.value is None else fault.value
