"""The ways in which every emulated entropy source can break, and how to ask for them."""

import errno
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Final

import numpy as np

Noise = Callable[[int], bytes]


class FaultKind(StrEnum):
    """What can break. Values are the names used in configuration and on the command line.

    Of the wire: STUCK_LOW and STUCK_HIGH (the line held), ECHO (the answer is what was sent), BIT_SLIP (answers come
    one bit late), DROP and DUPLICATE (one byte, once), EIO, EMSGSIZE and ETIMEDOUT (one call fails), SHORT (one
    answer lacks its last byte), UNPLUG (every call fails with ENODEV).
    Of the chip: STATUS (`value`, default 1), WRONG_CHIP, SLIP (its counter misses one), NOT_READY (for ever),
    SLOW_READY (for `value` polls, default 3), MODE (does not take effect), SPEED (no clock above `value` Hz works,
    default 1 MHz).
    Of the noise: STUCK (byte `value`, default 0xa5), DEAD (the last good byte), REPEAT (the next `value` bytes for
    ever, default 64), STARTUP_ONCE (64 bytes over again, for `value` bytes, default 512), BIAS (ones have probability
    `value`, default 0.6), CORRELATED (a bit equals the one before with probability `value`, default 0.9), LFSR (a
    shift register of 16 bits).
    """

    STUCK_LOW = "stuck-00"
    STUCK_HIGH = "stuck-ff"
    ECHO = "echo"
    BIT_SLIP = "bit-slip"
    DROP = "drop"
    DUPLICATE = "duplicate"
    EIO = "eio"
    EMSGSIZE = "emsgsize"
    ETIMEDOUT = "etimedout"
    SHORT = "short"
    UNPLUG = "unplug"

    STATUS = "status"
    WRONG_CHIP = "wrong-chip"
    SLIP = "slip"
    NOT_READY = "not-ready"
    SLOW_READY = "slow-ready"
    MODE = "mode"
    SPEED = "speed"

    STUCK = "stuck"
    DEAD = "dead"
    REPEAT = "repeat"
    STARTUP_ONCE = "startup-once"
    BIAS = "bias"
    CORRELATED = "correlated"
    LFSR = "lfsr"


DEFAULT_VALUES: Final = {
    FaultKind.STATUS: Fraction(1),
    FaultKind.SLOW_READY: Fraction(3),
    FaultKind.SPEED: Fraction(1_000_000),
    FaultKind.STUCK: Fraction(0xA5),
    FaultKind.REPEAT: Fraction(64),
    FaultKind.STARTUP_ONCE: Fraction(512),
    FaultKind.BIAS: Fraction(6, 10),
    FaultKind.CORRELATED: Fraction(9, 10),
}
"""The kinds that have a value. The others refuse one."""
_PROBABILITIES = (FaultKind.BIAS, FaultKind.CORRELATED)
_BYTES = (FaultKind.STATUS, FaultKind.STUCK)
_ERRORS = {
    FaultKind.EIO: errno.EIO,
    FaultKind.EMSGSIZE: errno.EMSGSIZE,
    FaultKind.ETIMEDOUT: errno.ETIMEDOUT,
}
_PERIOD = 64
_SEEDED_BLOCK = 4096
_LFSR_BITS = 2**16 - 1


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that begins after the device has drawn `after` more bytes of noise, and lasts `length` or for ever.

    `value` is what FaultKind says of it, or its default.
    """

    kind: FaultKind
    after: int = 0
    value: Fraction | None = None
    length: int | None = None


_FAULT = re.compile(
    r"(?P<kind>[a-z]+(?:-[a-z0-9]+)*)(?:=(?P<value>0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)?))?"
    r"(?:@(?P<after>\d+))?(?:\+(?P<length>\d+))?"
)


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
    probability = fault.kind in _PROBABILITIES
    if (
        fault.kind not in DEFAULT_VALUES
        or (probability and not 0 <= value <= 1)
        or (not probability and (value.denominator != 1 or value < 0))
        or (fault.kind in _BYTES and value > 255)
        or (fault.kind is FaultKind.REPEAT and value < 1)
    ):
        raise ValueError(f"{fault.kind.value} cannot have the value {value}")


def seeded(seed: int) -> Noise:
    """Noise that is the same for the same seed, however it is drawn, for tests and demonstrations.

    SHAKE-256 of the seed and the number of each block.
    """
    number, held = 0, b""

    def noise(count: int) -> bytes:
        nonlocal number, held
        blocks = max(0, -(-(count - len(held)) // _SEEDED_BLOCK))
        parts = (f"{seed}/{number + place}".encode() for place in range(1, blocks + 1))
        stream = held + b"".join(hashlib.shake_256(part).digest(_SEEDED_BLOCK) for part in parts)
        number, held = number + blocks, stream[count:]
        return stream[:count]

    return noise


class Faults:
    """The noise of one emulated device and everything that is wrong with it, on the clock of noise bytes drawn.

    An emulator draws its samples here, asks here whether its chip is broken, and passes every answer through `wire`.
    """

    def __init__(self, noise: Noise = os.urandom, faults: tuple[Fault, ...] = (), *, stream: bool = False) -> None:
        """Draw from `noise`. stream: of a serial line, where a lost byte makes an answer shorter, not later."""
        self._noise = noise
        self._stream = stream
        self._drawn = 0
        self._scheduled: list[tuple[int, int | None, Fault]] = []
        self._active: dict[FaultKind, Fault] = {}
        self._edge: int | None = None
        self._last_noise = 0
        self._last_wire = 0
        self._pattern = b""
        self._register: bytes | None = None
        for fault in faults:
            self.inject(fault)

    @property
    def drawn(self) -> int:
        """Bytes of noise drawn so far."""
        return self._drawn

    @property
    def healthy_for(self) -> int | None:
        """Bytes of noise until something begins or ends; None where nothing ever does, 0 while a fault is active."""
        if self._active:
            return 0
        return None if self._edge is None else self._edge - self._drawn

    def inject(self, fault: Fault) -> None:
        """Add a fault; its `after` counts from now. Raises ValueError for a value that the kind cannot have."""
        _check(fault)
        if fault.kind is FaultKind.STARTUP_ONCE and fault.length is None:
            fault = replace(fault, length=int(_value(fault)))
        start = self._drawn + fault.after
        self._scheduled.append((start, None if fault.length is None else start + fault.length, fault))
        self._look()

    def active(self, kind: FaultKind) -> Fault | None:
        """The fault of this kind that is active now, or None."""
        return self._active.get(kind)

    def value(self, kind: FaultKind) -> int:
        """The value of the active fault of this kind, or the kind's default."""
        return int(_value(self._active.get(kind, Fault(kind))))

    def spend(self, kind: FaultKind) -> Fault | None:
        """The active fault of this kind, which ends with this call: for what happens once."""
        fault = self._active.pop(kind, None)
        if fault is not None:
            self._scheduled = [entry for entry in self._scheduled if entry[2] is not fault]
            self._look()
        return fault

    def draw(self, count: int) -> bytes:
        """`count` bytes of noise, spoiled by whatever is active at each of them."""
        parts = []
        while count:
            size = count if self._edge is None else min(count, self._edge - self._drawn)
            part = self._spoil(self._noise(size))
            parts.append(part)
            self._last_noise = part[-1]
            self._drawn += size
            count -= size
            if self._drawn == self._edge:
                self._look()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def wire(self, answer: bytes, sent: bytes = b"") -> bytes:
        """What the host receives of `answer` to `sent`.

        Raises OSError with the number of a call that fails.
        """
        if not self._active:
            if answer:
                self._last_wire = answer[-1]
            return answer
        self._fail()
        before = self._last_wire
        if answer:
            self._last_wire = answer[-1]
        return self._garble(answer, sent, before)

    def _fail(self) -> None:
        if FaultKind.UNPLUG in self._active:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        for kind, number in _ERRORS.items():
            if self.spend(kind):
                raise OSError(number, os.strerror(number))

    def _garble(self, answer: bytes, sent: bytes, before: int) -> bytes:
        size = len(answer)
        if FaultKind.STUCK_LOW in self._active:
            return bytes(size)
        if FaultKind.STUCK_HIGH in self._active:
            return b"\xff" * size
        if FaultKind.ECHO in self._active:
            return sent if self._stream else (sent + bytes(size))[:size]
        if FaultKind.BIT_SLIP in self._active and size:
            late = ((before << 8 * size) | int.from_bytes(answer, "big")) >> 1
            answer = (late & ((1 << 8 * size) - 1)).to_bytes(size, "big")
        if size and self.spend(FaultKind.DROP):
            answer = answer[1:] if self._stream else answer[1:] + b"\xff"
        if size and self.spend(FaultKind.DUPLICATE):
            answer = answer[:1] + answer if self._stream else bytes((before,)) + answer[:-1]
        if size and self.spend(FaultKind.SHORT):
            answer = answer[:-1]
        return answer

    def _look(self) -> None:
        """See what is active from here on, and where that changes next."""
        here = self._drawn
        self._active = {f.kind: f for start, end, f in self._scheduled if start <= here and (end is None or here < end)}
        edges = [edge for start, end, _ in self._scheduled for edge in (start, end) if edge is not None and edge > here]
        self._edge = min(edges, default=None)

    def _spoil(self, block: bytes) -> bytes:
        size = len(block)
        for kind, fault in self._active.items():
            if kind is FaultKind.STUCK:
                block = bytes((int(_value(fault)),)) * size
            elif kind is FaultKind.DEAD:
                block = bytes((self._last_noise,)) * size
            elif kind in (FaultKind.REPEAT, FaultKind.STARTUP_ONCE):
                block = self._repeat(size, int(_value(fault)) if kind is FaultKind.REPEAT else _PERIOD)
            elif kind in _PROBABILITIES:
                block = self._predictable(size, kind, _value(fault))
            elif kind is FaultKind.LFSR:
                block = self._shift_register(size)
        return block

    def _repeat(self, size: int, period: int) -> bytes:
        if len(self._pattern) != period:
            self._pattern = self._noise(period)
        shift = self._drawn % period
        return (self._pattern * (size // period + 2))[shift : shift + size]

    def _predictable(self, size: int, kind: FaultKind, probability: Fraction) -> bytes:
        draws = np.frombuffer(self._noise(16 * size), np.uint16)
        happens = draws < int(probability * 65536)
        if kind is FaultKind.BIAS:
            return np.packbits(happens).tobytes()
        changes = np.where(happens, 0, 1)
        changes[0] ^= self._last_noise & 1
        return np.packbits(np.cumsum(changes) & 1).tobytes()

    def _shift_register(self, size: int) -> bytes:
        """Fibonacci register of x^16 + x^14 + x^13 + x^11 + 1, whose period is 2^16 - 1 bits and as many bytes."""
        if self._register is None:
            state, bits = 1, bytearray(_LFSR_BITS)
            for place in range(_LFSR_BITS):
                bits[place] = state & 1
                state = state >> 1 | ((state ^ state >> 2 ^ state >> 3 ^ state >> 5) & 1) << 15
            self._register = np.packbits(np.tile(np.frombuffer(bits, np.uint8), 8)).tobytes()
        shift = self._drawn % _LFSR_BITS
        return (self._register * (size // _LFSR_BITS + 2))[shift : shift + size]


def _value(fault: Fault) -> Fraction:
    return DEFAULT_VALUES.get(fault.kind, Fraction(0)) if fault.value is None else fault.value
