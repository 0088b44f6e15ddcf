"""The tables of a profile: what it can say about a chip on an SPI bus.

Bytes are hex in quotes, one byte or many; numbers without quotes count something.
"""

from fractions import Fraction
from typing import Annotated, Literal

from msgspec import Meta, Struct


class Hex(bytes):
    """Bytes, written in hex."""

    __slots__ = ()


class Octet(int):
    """One byte, written in hex."""


Index = Annotated[int, Meta(ge=0, le=4095)]
Delay = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Microseconds."""
_ALL = Octet(0xFF)
_SHORTEST_COUNT = 16
"""Random bytes count this far less often than once in 2^100."""


class Bus(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the bus is driven.

    mode: SPI mode 0 to 3. speed_hz: clock, 1 kHz to 60 MHz. bits: of a word. cs_change_per_byte: every byte is a
    transfer of its own, with chip select released after it. max_transfer: bytes in one transfer at most (the kernel's
    spidev.bufsiz is 4096 unless it was raised).
    """

    mode: Annotated[int, Meta(ge=0, le=3)]
    speed_hz: Annotated[int, Meta(ge=1_000, le=60_000_000)]
    bits: Literal[8] = 8
    cs_change_per_byte: bool = False
    max_transfer: Annotated[int, Meta(ge=1, le=4096)] = 4096


class Identify(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something only this chip answers. The answer to `tx`, byte for byte, equals `expect` where `mask` has ones.

    again: it may be asked while samples are read, and then is, after every 256 samples and after the last of a read.
    """

    tx: Hex
    expect: Hex
    mask: Hex = Hex()
    again: bool = False

    def __post_init__(self) -> None:
        """Refuse lengths that do not match and a mask that looks at nothing."""
        _check_answer(self.tx, self.expect, self.mask)

    def accepts(self, answer: bytes) -> bool:
        """Whether an answer as long as `tx` is the one expected."""
        return matches(answer, self.expect, self.mask)


class Step(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something sent to start or stop the chip, and what it must answer, if anything. Then `delay_us` passes."""

    tx: Hex
    delay_us: Delay = 0
    expect: Hex = Hex()
    mask: Hex = Hex()

    def __post_init__(self) -> None:
        """As Identify, where an answer is expected."""
        _check_tx(self.tx)
        if self.expect or self.mask:
            _check_answer(self.tx, self.expect, self.mask)

    def accepts(self, answer: bytes) -> bool:
        """As Identify.accepts; any answer where none is expected."""
        return not self.expect or matches(answer, self.expect, self.mask)


class SelfTest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A test of the link that the chip offers: `length` answers to `cmd`.

    counter: the last byte of the answer counts up by one, modulo 256, for each of `counts` (every transfer on the bus,
    or every answer to `cmd`); it is asked `length` times in a row at opening, and again after every `every_bytes`
    samples where that is given. pattern: `length` bytes that repeat `expect`. kat (known answer): `length` bytes that
    are `expect`.
    """

    kind: Literal["counter", "pattern", "kat"]
    cmd: Hex
    length: Annotated[int, Meta(ge=1, le=4096)]
    expect: Hex = Hex()
    counts: Literal["transfers", "answers"] = "transfers"
    every_bytes: Annotated[int, Meta(ge=1, le=65536)] | None = None

    def __post_init__(self) -> None:
        """Refuse a test that a dead or tied line would pass."""
        _check_tx(self.cmd, "cmd")
        if self.kind == "counter":
            if self.length < _SHORTEST_COUNT:
                raise ValueError(f"length of a counter test is at least {_SHORTEST_COUNT}")
            if self.expect:
                raise ValueError("expect has no meaning for a counter")
            return
        if self.every_bytes is not None:
            raise ValueError("every_bytes has a meaning for a counter only")
        if len(set(self.expect)) < 2:
            raise ValueError("expect needs at least two different bytes, for a dead line answers one byte for ever")
        if self.kind == "kat" and len(self.expect) != self.length:
            raise ValueError(f"expect has {len(self.expect)} bytes, but length is {self.length}")
        if len(self.expect) > self.length:
            raise ValueError("expect is longer than length")


class Status(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Byte `rx_index` of the answer to `tx` is the chip's health: good where it equals `ok` in the bits of `mask`.

    It is read at opening, after every `every_bytes` samples and after the last sample of a read.
    """

    tx: Hex
    rx_index: Index
    ok: Octet
    mask: Octet = _ALL
    every_bytes: Annotated[int, Meta(ge=1, le=65536)] = 256

    def __post_init__(self) -> None:
        """Refuse an index outside the answer and a value outside the mask."""
        _check_tx(self.tx)
        _check_byte(self.tx, self.rx_index, self.ok, self.mask)


class Ready(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the chip says that new samples can be read, and for how long it may go on saying that they cannot.

    With `tx`: byte `rx_index` of its answer equals `ok` in the bits of `mask`. With `duplicate`: the health byte of a
    packet has this value when the packet is not new, and the packet is then dropped and read again. Either, or both.
    """

    tx: Hex = Hex()
    rx_index: Index = 0
    ok: Octet | None = None
    mask: Octet = _ALL
    duplicate: Octet | None = None
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] = 100

    def __post_init__(self) -> None:
        """Refuse a question without an answer, and nothing at all."""
        if self.tx:
            if self.ok is None:
                raise ValueError("ok is missing: the value that says that samples can be read")
            _check_byte(self.tx, self.rx_index, self.ok, self.mask)
        elif self.ok is not None:
            raise ValueError("tx is missing: the question that ok answers")
        elif self.duplicate is None:
            raise ValueError("give tx and ok, or duplicate, or all three")


class Header(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Byte `index` of every burst is `value`."""

    index: Index
    value: Octet


class Health(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Byte `index` of every burst is `ok` when the chip is healthy."""

    index: Index
    ok: Octet


class Read(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How samples are read: `tx_prefix`, then `burst` times `dummy`; the burst is what is answered to those.

    pipeline_delay: transfers after which the chip answers, for everything that is sent (0: in the same transfer).
    header, health and payload count from the first byte of the burst; payload is [from, to), and only it is samples.
    partial: the last burst of a read may be shorter. pause_us: waited after each burst.
    """

    tx_prefix: Hex = Hex()
    dummy: Octet = Octet(0)
    burst: Annotated[int, Meta(ge=1, le=4096)]
    pipeline_delay: Annotated[int, Meta(ge=0, le=4)] = 0
    header: Header | None = None
    health: Health | None = None
    payload: tuple[Index, Annotated[int, Meta(ge=1, le=4096)]]
    partial: bool = False
    pause_us: Delay = 0

    def __post_init__(self) -> None:
        """Refuse a payload, header or health byte outside the burst, or one inside another."""
        first, end = self.payload
        if not first < end <= self.burst:
            raise ValueError(f"payload [{first}, {end}] is not inside a burst of {self.burst} bytes")
        special = [(name, part.index) for name, part in (("header", self.header), ("health", self.health)) if part]
        for name, index in special:
            if index >= self.burst:
                raise ValueError(f"{name}.index {index} is not inside a burst of {self.burst} bytes")
            if first <= index < end:
                raise ValueError(f"{name}.index {index} is inside the payload [{first}, {end}]")
        if len({index for _, index in special}) < len(special):
            raise ValueError("header and health are the same byte")
        if self.partial and (first, end) != (0, self.burst):
            raise ValueError("partial needs a burst that is all payload")

    @property
    def size(self) -> int:
        """Samples in a burst."""
        return self.payload[1] - self.payload[0]

    def frame(self, burst: int) -> bytes:
        """What is sent to read `burst` bytes."""
        return self.tx_prefix + bytes((self.dummy,)) * burst


class Sample(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a sample is worth.

    bits: of one sample. raw: no conditioning in the chip before it is read. h_min_claim: min-entropy of one bit, from
    0.01 to 0.9. claimed_by: who says so, and where.
    """

    bits: Literal[8] = 8
    raw: bool
    h_min_claim: Annotated[float, Meta(ge=0.01, le=0.9)]
    claimed_by: Annotated[str, Meta(min_length=3, max_length=300)]

    @property
    def credit(self) -> Fraction:
        """Bits of min-entropy in a sample, exactly as written in decimal."""
        return Fraction(repr(self.h_min_claim)) * self.bits


def matches(answer: bytes, expect: bytes, mask: bytes) -> bool:
    """Whether `answer`, as long as `expect`, equals it in the bits of `mask` (all bits where that is empty)."""
    return all((a ^ e) & m == 0 for a, e, m in zip(answer, expect, mask or b"\xff" * len(expect), strict=True))


def _check_tx(tx: bytes, name: str = "tx") -> None:
    if not tx:
        raise ValueError(f"{name} is empty")


def _check_answer(tx: bytes, expect: bytes, mask: bytes) -> None:
    _check_tx(tx)
    if len(expect) != len(tx):
        raise ValueError(
            f"expect has {len(expect)} bytes, but tx has {len(tx)}, and every byte sent is answered by one"
        )
    if mask and len(mask) != len(expect):
        raise ValueError(f"mask has {len(mask)} bytes, but expect has {len(expect)}")
    if mask and not any(mask):
        raise ValueError("mask is all zeros, so nothing would be compared")
    if mask and any(e & ~m for e, m in zip(expect, mask, strict=True)):
        raise ValueError("expect has ones where mask has zeros")


def _check_byte(tx: bytes, index: int, value: int, mask: int) -> None:
    if index >= len(tx):
        raise ValueError(f"rx_index {index} is not inside the answer, which has {len(tx)} bytes as tx does")
    if not mask:
        raise ValueError("mask is zero, so nothing would be compared")
    if value & ~mask:
        raise ValueError("ok has ones where mask has zeros")
