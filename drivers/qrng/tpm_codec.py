"""TPM 2.0 commands and responses as bytes: TCG TPM 2.0 Library, Part 2 (structures) and Part 3 (commands)."""

import struct
from dataclasses import dataclass

from drivers.errors import QrngError, QrngReason

SELF_TEST, GET_CAPABILITY, GET_RANDOM, GET_TEST_RESULT = 0x143, 0x17A, 0x17B, 0x17C
"""Command codes (Part 2, 6.5.2)."""
LARGEST = 64
"""Bytes asked for at once. A TPM gives at most as many as its largest digest has (Part 3, GetRandom): 32 to 64."""

INITIALIZE, FAILURE, NEEDS_TEST = 0x100, 0x101, 0x153
YIELDED, TESTING, RETRY = 0x908, 0x90A, 0x922
BUSY = frozenset({YIELDED, TESTING, RETRY})
"""Warnings after which a command is sent again (Part 2, 6.6)."""
_NAMES = {
    INITIALIZE: "TPM_RC_INITIALIZE, it was not started up",
    FAILURE: "TPM_RC_FAILURE, it is in failure mode",
    0x103: "TPM_RC_SEQUENCE",
    0x120: "TPM_RC_DISABLED",
    0x12D: "TPM_RC_UPGRADE, it waits for a firmware",
    0x130: "TPM_RC_REBOOT, it must be reset",
    0x142: "TPM_RC_COMMAND_SIZE",
    0x143: "TPM_RC_COMMAND_CODE, it does not have this command",
    NEEDS_TEST: "TPM_RC_NEEDS_TEST",
    YIELDED: "TPM_RC_YIELDED",
    0x909: "TPM_RC_CANCELED",
    TESTING: "TPM_RC_TESTING",
    0x921: "TPM_RC_LOCKOUT",
    RETRY: "TPM_RC_RETRY",
}
_PARAMETER_NAMES = {0x04: "TPM_RC_VALUE", 0x15: "TPM_RC_SIZE", 0x1A: "TPM_RC_INSUFFICIENT"}
_NO_SESSIONS = 0x8001
_TPM12_TAG = 0x00C4
_HEADER = struct.Struct(">HII")
_PROPERTIES = 6
"""TPM_CAP_TPM_PROPERTIES (Part 2, 6.12)."""
_FIRST, _MANY = 0x100, 16
_MANUFACTURER, _VENDOR, _FIRMWARE = 0x105, range(0x106, 0x10A), (0x10B, 0x10C)
"""TPM_PT_MANUFACTURER, TPM_PT_VENDOR_STRING_1 to _4, TPM_PT_FIRMWARE_VERSION_1 and _2 (Part 2, 6.13)."""


@dataclass(frozen=True, slots=True)
class TpmVersion:
    """What a TPM says that it is. manufacturer: of the TCG's vendor list. firmware: two numbers of the maker."""

    manufacturer: str
    vendor: str
    firmware: tuple[int, int]

    @property
    def is_software(self) -> bool:
        """Whether this is known to be a program: libtpms, behind swtpm and virtual machines, or Microsoft's."""
        return self.manufacturer == "MSFT" or (self.manufacturer == "IBM" and self.vendor.startswith("SW"))

    def __str__(self) -> str:
        first, second = self.firmware
        return f"TPM 2.0 {self.manufacturer} {self.vendor} firmware {first:x}.{second:x}"[:64]


def command(code: int, parameters: bytes = b"") -> bytes:
    """A command without sessions."""
    return _HEADER.pack(_NO_SESSIONS, _HEADER.size + len(parameters), code) + parameters


def get_random(count: int) -> bytes:
    """GetRandom: up to 65535 bytes may be asked for, and fewer may come."""
    return command(GET_RANDOM, count.to_bytes(2, "big"))


def self_test() -> bytes:
    """SelfTest with fullTest = YES: everything is tested again, the generator too."""
    return command(SELF_TEST, b"\x01")


def get_version() -> bytes:
    """GetCapability of the fixed properties that say who made the TPM."""
    return command(GET_CAPABILITY, struct.pack(">III", _PROPERTIES, _FIRST, _MANY))


def parse(response: bytearray) -> tuple[int, memoryview]:
    """Response code and parameters of a response. Raises QrngError(SHORT, BUS, WRONG_DEVICE)."""
    if len(response) < _HEADER.size:
        raise _malformed(QrngReason.SHORT, "a response is shorter than its header")
    tag, size, code = _HEADER.unpack_from(response)
    if tag == _TPM12_TAG:
        raise QrngError(
            QrngReason.WRONG_DEVICE,
            "the device answers as a TPM 1.2 does",
            "Connect a TPM 2.0; version 1.2 is not supported.",
        )
    if tag != _NO_SESSIONS:
        raise _malformed(QrngReason.BUS, "a response has no tag of a TPM 2.0")
    if size != len(response):
        reason = QrngReason.SHORT if len(response) < size else QrngReason.BUS
        raise _malformed(reason, f"a response has {len(response)} bytes and says {size}")
    return code & 0xFFF, memoryview(response)[_HEADER.size :]  # above bit 11, software in between names itself


def random_of(parameters: memoryview, asked: int) -> memoryview:
    """The bytes of a response to GetRandom, at most `asked` of them. Raises QrngError(BUS)."""
    size = int.from_bytes(parameters[:2], "big")
    if len(parameters) != 2 + size or size > asked:
        raise _malformed(QrngReason.BUS, "a response to GetRandom has not the size that it says")
    return parameters[2:]


def test_result_of(parameters: memoryview) -> int:
    """The response code in a response to GetTestResult. Raises QrngError(BUS)."""
    if len(parameters) != 2 + int.from_bytes(parameters[:2], "big") + 4:
        raise _malformed(QrngReason.BUS, "a response to GetTestResult has not the size that it says")
    return int.from_bytes(parameters[-4:], "big") & 0xFFF


def version_of(parameters: memoryview) -> TpmVersion:
    """What a response to `get_version` says. Raises QrngError(BUS)."""
    if len(parameters) < 9:
        raise _malformed(QrngReason.BUS, "a response to GetCapability is cut off")
    _, capability, count = struct.unpack_from(">BII", parameters)
    if capability != _PROPERTIES or len(parameters) != 9 + 8 * count:
        raise _malformed(QrngReason.BUS, "a response to GetCapability is of something else")
    properties = dict(struct.iter_unpack(">II", parameters[9:]))
    first, second = (properties.get(number, 0) for number in _FIRMWARE)
    return TpmVersion(
        manufacturer=_text(properties, (_MANUFACTURER,)) or "?",
        vendor=_text(properties, _VENDOR) or "?",
        firmware=(first, second),
    )


def refusal(code: int) -> QrngError:
    """The error for a response code that is neither success nor one of BUSY."""
    if code & 0x80:  # format one: bits 0 to 5 say what is wrong, bits 8 to 11 with which parameter
        name = _PARAMETER_NAMES.get(code & 0x3F, "an error") + f" for parameter {code >> 8 & 0xF}"
    else:
        name = _NAMES.get(code, "an error")
    if code == FAILURE:
        remedy = "Power the TPM off and on, which a reboot may not do; if it fails again, replace it."
    elif code == INITIALIZE:
        remedy = "Use the kernel's /dev/tpmrm0, which starts the TPM up, or reboot."
    else:
        remedy = "Look the code up with `tpm2_rc_decode`, and see what else uses the TPM."
    return QrngError(QrngReason.STATUS, f"the TPM answers {code:#05x}: {name}", remedy)


def _text(properties: dict[int, int], numbers: tuple[int, ...] | range) -> str:
    raw = b"".join(properties.get(number, 0).to_bytes(4, "big") for number in numbers)
    return " ".join("".join(chr(byte) if 32 < byte < 127 else " " for byte in raw).split())


def _malformed(reason: QrngReason, detail: str) -> QrngError:
    return QrngError(reason, detail, "Check the wiring of the TPM and the kernel's log; a fault that stays is its end.")
