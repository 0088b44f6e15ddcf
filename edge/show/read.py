"""From a file's bytes to what can be drawn: an observation, signed or bare, or a release that the device has kept."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.errors import Reason, ShowError
from edge.privacy.release import Release
from wire.check import check
from wire.codec import decode, load
from wire.cose import key_id, unverified
from wire.errors import WireError
from wire.schema import Observation
from wire.verify import Verdict, verify_message

ENVELOPE = b"\xd2"
"""The first byte of a signed message: CBOR's tag 18 (RFC 9052)."""
UNSIGNED = "give what capture signed, or leave --key out"
"""Remedy where a key is given for what carries no signature."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation, and what is known of its signature, in words."""

    observation: Observation
    signature: str


def read(data: bytes, key: Ed25519PublicKey | None, topic: str | None) -> Seen | Release:
    """What these bytes are.

    Args:
        data: an envelope, its payload, one of the two in hexadecimal text, or a release as `edge.releases` keeps it.
        key: of the device, to check the signature with; None: it is not checked, and the words say so.
        topic: where the envelope was received; None: that of the device inside, under the root as shipped.

    Raises:
        ShowError: they are none of these, the signature does not hold, or the statement does not follow from its
            numbers.
    """
    data = _without_hexadecimal(data)
    if data[:1] != ENVELOPE and _is_release(data):
        if key is not None:
            raise ShowError(Reason.PICTURE, "a release carries no signature", UNSIGNED)
        return _release(data)
    seen = _observed(data, key, topic)
    try:
        check(seen.observation)
    except WireError as error:
        remedy = "`speckled verify` says what is wrong; do not trust its figures"
        raise ShowError(Reason.PICTURE, error.detail, remedy) from None
    return seen


def _without_hexadecimal(data: bytes) -> bytes:
    """No envelope, payload or release is text: its first byte is no letter."""
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return data


def _is_release(data: bytes) -> bool:
    try:
        tree = load(data)
    except WireError as error:
        raise _unknown(error.detail) from None
    return isinstance(tree, dict) and "sums" in tree


def _release(data: bytes) -> Release:
    try:
        return Release.from_bytes(data)
    except (ValueError, TypeError, OverflowError):
        raise _unknown("a release that is damaged or of another version") from None


def _observed(data: bytes, key: Ed25519PublicKey | None, topic: str | None) -> Seen:
    if key is not None:
        return _verified(data, key, topic)
    try:
        payload, words = unverified(data), "not checked: --key was not given"
    except WireError:
        payload, words = data, "none: this is a payload without its envelope"
    try:
        return Seen(decode(payload, Observation), words)
    except WireError as error:
        raise _unknown(error.detail) from None


def _verified(data: bytes, key: Ed25519PublicKey, topic: str | None) -> Seen:
    checked = verify_message(data, key, topic)
    if checked.observation is None:
        failed = next(finding for finding in checked.findings if finding.verdict is Verdict.FAILS)
        detail, _, remedy = failed.text.rpartition("; ")
        raise ShowError(Reason.PICTURE, f"{failed.name}: {detail}", remedy)
    return Seen(checked.observation, f"holds: Ed25519, key {key_id(key).hex()}")


def _unknown(detail: str) -> ShowError:
    return ShowError(
        Reason.PICTURE,
        f"neither an observation nor a release: {detail}",
        "name a message as it came from the broker, or a file under the device's releases folder",
    )
