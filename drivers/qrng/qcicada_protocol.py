"""What a QCicada and its host say to each other on the serial line: values and bytes, no line.

Source: github.com/amenti-labs/qcicada (MIT), python/src/qcicada/protocol.py, types.py and crypto.py, with src/device.rs
for the order of things. All numbers are little-endian. A command is one byte and its parameters, an answer one byte
and a payload of fixed length. Nothing on the line is guarded by a checksum.
"""

import struct
from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag
from typing import Any, Final

LARGEST = 65535
"""Bytes that one command can ask for."""
KEY_SIZE = SIGNATURE_SIZE = 64
"""x and y of a point of P-256, or r and s of a signature: twice 32 bytes, big-endian."""


class Command(IntEnum):
    """The first byte of what the host sends."""

    STATUS = 0x01
    START = 0x04
    STOP = 0x05
    GET_CONFIG = 0x07
    SET_CONFIG = 0x08
    STATISTICS = 0x09
    RESET = 0x0A
    INFO = 0x0B
    SIGNED_READ = 0x51
    PUBLIC_KEY = 0xF7
    CERTIFICATE = 0xF9


class Answer(IntEnum):
    """The first byte of what the device sends."""

    ACK = 0x11
    NACK = 0x12
    CONFIG = 0x17
    STATISTICS = 0x19
    INFO = 0x1B
    PUBLIC_KEY = 0xF9
    CERTIFICATE = 0xFB


class Mode(IntEnum):
    """How samples are put out after a START."""

    CONTINUOUS = 0
    ONE_SHOT = 1


class Postprocess(IntEnum):
    """What the device does to its samples: a hash, nothing but its own tests, or nothing at all."""

    SHA256 = 0
    RAW_NOISE = 1
    RAW_SAMPLES = 2


class Flag(IntFlag):
    """The status byte. A device that is well has INITIALISED and nothing else."""

    INITIALISED = 0x01
    STARTUP_TEST = 0x02
    VOLTAGE_LOW = 0x04
    VOLTAGE_HIGH = 0x08
    VOLTAGE_UNDEFINED = 0x10
    BIT_COUNT = 0x20
    REPETITION_COUNT = 0x40
    ADAPTIVE_PROPORTION = 0x80


PARAMETERS: Final = {
    **dict.fromkeys(Command, 0),
    Command.START: 3,
    Command.SET_CONFIG: 12,
    Command.SIGNED_READ: 2,
}
"""Bytes that follow each command."""
ANSWERS: Final = {
    **dict.fromkeys(Command, Answer.ACK),
    Command.GET_CONFIG: Answer.CONFIG,
    Command.STATISTICS: Answer.STATISTICS,
    Command.INFO: Answer.INFO,
    Command.PUBLIC_KEY: Answer.PUBLIC_KEY,
    Command.CERTIFICATE: Answer.CERTIFICATE,
}
"""The answer that is not a refusal. Samples follow the ACK of a START or a SIGNED_READ."""
PAYLOADS: Final = {
    Answer.ACK: 5,
    Answer.NACK: 0,
    Answer.CONFIG: 12,
    Answer.STATISTICS: 30,
    Answer.INFO: 56,
    Answer.PUBLIC_KEY: KEY_SIZE,
    Answer.CERTIFICATE: SIGNATURE_SIZE,
}
"""Bytes that follow each answer."""

_STATUS = struct.Struct("<BI")
_CONFIG = struct.Struct("<BfBBBHH")
_STATISTICS = struct.Struct("<QIIIIHf")
_INFO = struct.Struct("<II24s24s")
_SWITCHES = (
    "startup_test",
    "auto_calibration",
    "repetition_count",
    "adaptive_proportion",
    "bit_count",
    "generate_on_error",
)


@dataclass(frozen=True, slots=True)
class Status:
    """flags: the status byte. ready: bytes of samples that wait in the device."""

    flags: Flag
    ready: int

    def encode(self) -> bytes:
        """The payload of an ACK."""
        return _STATUS.pack(self.flags, self.ready)

    @classmethod
    def decode(cls, payload: bytes) -> "Status":
        """Read the payload of an ACK. Raises ValueError."""
        flags, ready = _unpack(_STATUS, payload)
        return cls(Flag(flags), ready)


@dataclass(frozen=True, slots=True)
class Config:
    """How the device works, as it is read and written. The names are those of the protocol's source.

    postprocess: a value of Postprocess, or one that is not known. initial_level: of the light source.
    generate_on_error: samples come even while a health test of the device fails. least_bits: bits taken of each
    sample. hash_input: bytes that go into one SHA-256. block: bytes of a block of output. spare: the two bits of the
    switches of which nothing is known; they are written back as they were read.
    """

    postprocess: int
    initial_level: float
    startup_test: bool
    auto_calibration: bool
    repetition_count: bool
    adaptive_proportion: bool
    bit_count: bool
    generate_on_error: bool
    least_bits: int
    hash_input: int
    block: int
    calibration_target: int
    spare: int = 0

    @property
    def is_raw(self) -> bool:
        """Whether samples come before any hash of the device."""
        return self.postprocess in (Postprocess.RAW_NOISE, Postprocess.RAW_SAMPLES)

    def encode(self) -> bytes:
        """The payload of a CONFIG, and the parameters of SET_CONFIG."""
        switches = sum(getattr(self, name) << place for place, name in enumerate(_SWITCHES))
        return _CONFIG.pack(
            self.postprocess,
            self.initial_level,
            switches | self.spare << len(_SWITCHES),
            self.least_bits,
            self.hash_input,
            self.block,
            self.calibration_target,
        )

    @classmethod
    def decode(cls, payload: bytes) -> "Config":
        """Read the payload of a CONFIG. Raises ValueError."""
        postprocess, level, switches, least_bits, hash_input, block, target = _unpack(_CONFIG, payload)
        return cls(
            postprocess=postprocess,
            initial_level=level,
            least_bits=least_bits,
            hash_input=hash_input,
            block=block,
            calibration_target=target,
            spare=switches >> len(_SWITCHES),
            **{name: bool(switches >> place & 1) for place, name in enumerate(_SWITCHES)},
        )


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since the last reset of the device.

    speed: bits per second that the device says it makes. sensor_average and light_level are of its optics.
    """

    generated: int
    repetition_count: int
    adaptive_proportion: int
    bit_count: int
    speed: int
    sensor_average: int
    light_level: float

    def encode(self) -> bytes:
        """The payload of a STATISTICS."""
        return _STATISTICS.pack(*(getattr(self, field.name) for field in fields(self)))

    @classmethod
    def decode(cls, payload: bytes) -> "Statistics":
        """Read the payload of a STATISTICS. Raises ValueError."""
        return cls(*_unpack(_STATISTICS, payload))


@dataclass(frozen=True, slots=True)
class Info:
    """What the device is. The two versions hold a major number in their high and a minor in their low 16 bits."""

    core: int
    firmware: int
    serial: str
    hardware: str

    @property
    def firmware_version(self) -> str:
        """The firmware as people write it, such as 5.14."""
        return f"{self.firmware >> 16}.{self.firmware & 0xFFFF}"

    def encode(self) -> bytes:
        """The payload of an INFO."""
        return _INFO.pack(self.core, self.firmware, self.serial.encode("ascii"), self.hardware.encode("ascii"))

    @classmethod
    def decode(cls, payload: bytes) -> "Info":
        """Read the payload of an INFO. Raises ValueError, also where a text is not printable ASCII."""
        core, firmware, serial, hardware = _unpack(_INFO, payload)
        return cls(core, firmware, _text(serial), _text(hardware))


def start(mode: Mode, count: int) -> bytes:
    """The command after which `count` bytes of samples follow an ACK; CONTINUOUS never ends and has a count of 0."""
    return struct.pack("<BBH", Command.START, mode, count)


def signed_read(count: int) -> bytes:
    """The command after which `count` bytes of samples and a signature of them follow an ACK (firmware 5.13)."""
    return struct.pack("<BH", Command.SIGNED_READ, count)


def set_config(config: Config) -> bytes:
    """The command that makes `config` the device's."""
    return bytes((Command.SET_CONFIG,)) + config.encode()


def answer(code: Answer, payload: bytes = b"") -> bytes:
    """The whole of an answer. Raises ValueError for a payload of another length than that answer has."""
    if len(payload) != PAYLOADS[code]:
        raise ValueError(f"{code.name} has {PAYLOADS[code]} bytes of payload, not {len(payload)}")
    return bytes((code,)) + payload


def certified(info: Info, public_key: bytes) -> bytes:
    """What the certificate of a device signs: hardware version, serial number and public key (x and y).

    Raises ValueError where the two texts of `info` do not have the form that crypto.py of the source reads, such as
    CICADA-QRNG-1.1 and QC0000000217.
    """
    major, minor = info.hardware.rpartition("-")[2].split(".")[:2]
    try:
        return struct.pack("<HBBI", 0, int(major), int(minor), int(info.serial.removeprefix("QC"))) + public_key
    except struct.error as error:
        raise ValueError(str(error)) from None


def _unpack(layout: struct.Struct, payload: bytes) -> tuple[Any, ...]:
    if len(payload) != layout.size:
        raise ValueError(f"a payload of {layout.size} bytes was expected, not {len(payload)}")
    return layout.unpack(payload)


def _text(field: bytes) -> str:
    text = field.partition(b"\0")[0].decode("ascii")
    if not text.isprintable():
        raise ValueError("a text of the device is not printable")
    return text
