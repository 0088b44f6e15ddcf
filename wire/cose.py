"""COSE_Sign1 with Ed25519 (RFC 9052 section 4.2, RFC 9053 section 2.2).

The topic is external data under the signature, so a message cannot be moved to another device's topic.
"""

import hashlib

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wire.errors import WireError, WireReason
from wire.scan import scan
from wire.schema import MAX_MESSAGE

Keys = Ed25519PublicKey | tuple[Ed25519PublicKey, ...]
"""One key, or several that are all good: while a key is exchanged, the old one is."""
SIGN1 = 18
ALGORITHM, EDDSA, KEY_ID = 1, -8, 4


def key_id(public: Ed25519PublicKey) -> bytes:
    """The first 8 bytes of SHA-256 of the raw public key: a hint for finding the key, not a proof."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()[:8]


def sign(payload: bytes, key: Ed25519PrivateKey, topic: str) -> bytes:
    """Wrap a payload in a signed envelope for one topic.

    Raises:
        WireError: OVERSIZE, where the envelope would not fit a message.
    """
    protected = _protected(key.public_key())
    signature = key.sign(_to_be_signed(protected, topic, payload))
    envelope = _close(protected, payload, signature)
    if len(envelope) > MAX_MESSAGE:
        raise WireError(WireReason.OVERSIZE, f"{len(envelope)} bytes")
    return envelope


def verify(envelope: bytes, key: Keys, topic: str) -> bytes:
    """The payload, if this key, or one of these, signed it for this topic.

    Raises:
        WireError: OVERSIZE, MALFORMED, NOT_DETERMINISTIC or SIGNATURE. Never anything else.
    """
    protected, payload, signature = _open(envelope)
    named = {_protected(each): each for each in (key if isinstance(key, tuple) else (key,))}
    signer = named.get(protected)
    if signer is None:
        raise WireError(WireReason.SIGNATURE, "signed with another key or algorithm")
    try:
        signer.verify(signature, _to_be_signed(protected, topic, payload))
    except InvalidSignature:
        raise WireError(WireReason.SIGNATURE, "the signature does not fit") from None
    return payload


def _protected(key: Ed25519PublicKey) -> bytes:
    return cbor2.dumps({ALGORITHM: EDDSA, KEY_ID: key_id(key)}, canonical=True)


def unverified(envelope: bytes) -> bytes:
    """The payload, whoever signed it: good for finding the key or the topic, and for nothing else.

    Raises:
        WireError: OVERSIZE, MALFORMED or NOT_DETERMINISTIC. Never anything else.
    """
    return _open(envelope)[1]


def _open(envelope: bytes) -> tuple[bytes, bytes, bytes]:
    if len(envelope) > MAX_MESSAGE:
        raise WireError(WireReason.OVERSIZE, f"{len(envelope)} bytes")
    scan(envelope)
    try:
        outer = cbor2.loads(envelope)
    except Exception as error:  # a decoder under attack may raise anything; all of it means the same here
        raise WireError(WireReason.MALFORMED, type(error).__name__) from None
    if not isinstance(outer, cbor2.CBORTag) or outer.tag != SIGN1 or not isinstance(outer.value, (list, tuple)):
        raise WireError(WireReason.MALFORMED, "not a COSE_Sign1 envelope")
    match list(outer.value):
        case [bytes() as protected, {} as unprotected, bytes() as payload, bytes() as signature] if not unprotected:
            # Bytes that no signature covers would let one observation travel as many different messages.
            if _close(protected, payload, signature) != envelope:
                raise WireError(WireReason.NOT_DETERMINISTIC, "the envelope is not in its one canonical form")
            return protected, payload, signature
        case _:
            raise WireError(WireReason.MALFORMED, "not a COSE_Sign1 envelope")


def _close(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(SIGN1, [protected, {}, payload, signature]), canonical=True)


def _to_be_signed(protected: bytes, topic: str, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, topic.encode("utf-8", "surrogatepass"), payload], canonical=True)
