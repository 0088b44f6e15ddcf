"""A device's word, signed with the key it has had so far, that another key takes its place."""

import hashlib
from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire.cose import Keys, sign, unverified, verify
from wire.errors import WireError, WireReason
from wire.topics import Topics

LIMIT = 1024
"""Bytes of a rotation, at most."""
ROOT = "speckled-rotation"
"""Stands for the root of the topic that it is signed for: no message that travels can be taken for one."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """device: whose key is exchanged. key: the new one. at: when, in ms of Unix time."""

    device: str
    key: Ed25519PublicKey
    at: int

    @property
    def fingerprint(self) -> str:
        """Of the new key, for people to compare."""
        return fingerprint(self.key)


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw key in groups of four hexadecimal digits, the first 32 of them."""
    digits = hashlib.sha256(key.public_bytes_raw()).hexdigest()[:32]
    return " ".join(digits[i : i + 4] for i in range(0, 32, 4))


def announce(rotation: Rotation, old: Ed25519PrivateKey) -> bytes:
    """The signed envelope that the collector's operator admits."""
    tree = {"device": rotation.device, "key": rotation.key.public_bytes_raw(), "at": rotation.at}
    return sign(cbor2.dumps(tree, canonical=True), old, _topic(rotation.device))


def device_of(envelope: bytes) -> str:
    """Which device it says it is of; nothing is verified. Raises WireError."""
    return _parse(unverified(_bounded(envelope))).device


def read(envelope: bytes, keys: Keys, device: str) -> Rotation:
    """The rotation, if one of the device's keys has signed it.

    Raises:
        WireError: it is of another device or key, or no rotation.
    """
    rotation = _parse(verify(_bounded(envelope), keys, _topic(device)))
    if rotation.device != device:
        raise WireError(WireReason.SCHEMA, "the rotation is of another device")
    return rotation


def _bounded(envelope: bytes) -> bytes:
    if len(envelope) > LIMIT:
        raise WireError(WireReason.OVERSIZE, f"{len(envelope)} bytes")
    return envelope


def _topic(device: str) -> str:
    return Topics(ROOT, device).state


def _parse(payload: bytes) -> Rotation:
    try:
        match cbor2.loads(payload):
            case {"device": str() as device, "key": bytes() as key, "at": int() as at, **rest} if not rest:
                return Rotation(Topics(ROOT, device).device, Ed25519PublicKey.from_public_bytes(key), at)
    except WireError:
        raise
    except Exception as error:  # a decoder under attack may raise anything; all of it means the same here
        raise WireError(WireReason.MALFORMED, type(error).__name__) from None
    raise WireError(WireReason.SCHEMA, "not a rotation")
