"""`speckled attest --check`: capture's signed word about itself, away from its device."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire.codec import decode
from wire.cose import unverified, verify
from wire.errors import WireError
from wire.schema import CaptureReport, State
from wire.topics import Topics

ROOT = "speckled"
REMEDY = "take the retained message of the device's state topic as it came from the broker"


class NotAReport(ValueError):
    """What was given is no report that the key signed: why, in one line."""


@dataclass(frozen=True, slots=True)
class CheckedReport:
    """A report whose signature holds. same_copy: whether the unsigned copy beside it agrees; None without one."""

    report: CaptureReport
    topic: str
    same_copy: bool | None

    def document(self, code: bytes) -> dict[str, Any]:
        """For programs; hashes in hexadecimal. code: of the program that checks."""
        found = msgspec.to_builtins(self.report, builtin_types=(bytes,))
        attestation = found["attestation"]
        found["attestation"] = {**attestation, **{name: attestation[name].hex() for name in ("code", "configuration")}}
        return {
            "verified": self.same_copy is not False,
            "topic": self.topic,
            "same_code": self.report.attestation.code == code,
            "report": found,
        }


def check(data: bytes, key: Ed25519PublicKey, topic: str | None) -> CheckedReport:
    """Verify a retained state message, the envelope inside it, or the envelope's hexadecimal text.

    Args:
        data: what a file holds.
        key: the device's public key.
        topic: of the message; without one, that of the device inside below the usual root.

    Raises:
        NotAReport: there is no envelope, or it is not by this key for this topic.
    """
    envelope, copy = _envelope_in(data)
    try:
        claimed = decode(unverified(envelope), CaptureReport)
        topic = topic or Topics(ROOT, claimed.device).state
        report = decode(verify(envelope, key, topic), CaptureReport)
    except WireError as error:
        raise NotAReport(f"{error}") from None
    if topic.rsplit("/", 2)[1:2] != [report.device]:
        raise NotAReport("the report is of another device than its topic")
    return CheckedReport(report, topic, None if copy is None else copy == report)


def _envelope_in(data: bytes) -> tuple[bytes, CaptureReport | None]:
    if not data.lstrip().startswith(b"{"):
        return _binary(data), None
    try:
        state = msgspec.json.decode(data, type=State)
        if state.signed is None:
            raise NotAReport("capture has said nothing to this relay yet: the message has no signed report")
        return base64.b64decode(state.signed, validate=True), state.capture
    except (msgspec.DecodeError, binascii.Error, UnicodeDecodeError, RecursionError):
        raise NotAReport("not a state message") from None


def _binary(data: bytes) -> bytes:
    """An envelope as it is, or in hexadecimal text: no envelope is both, as its first byte is no letter."""
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return data
