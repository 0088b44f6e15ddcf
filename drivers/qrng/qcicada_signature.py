"""Keys and signatures of a QCicada: ECDSA on P-256 with SHA-256 (amenti-labs/qcicada, python/src/qcicada/crypto.py)."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from drivers.errors import QrngError, QrngReason

_HALF = 32


def load_key(path: str) -> bytes:
    """The P-256 public key in a PEM file, x and y. Raises QrngError(NOT_FOUND) where there is none."""
    remedy = "Name a PEM file with the device's public key (docs/devices/qcicada.md), or remove `public_key`."
    try:
        key = load_pem_public_key(Path(path).read_bytes())
    except OSError as error:
        raise QrngError(QrngReason.NOT_FOUND, f"public key {path}: {error.strerror}", remedy) from None
    except (ValueError, UnsupportedAlgorithm):
        raise QrngError(QrngReason.NOT_FOUND, f"{path} holds no public key in PEM form", remedy) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise QrngError(QrngReason.NOT_FOUND, f"the key in {path} is not of the curve P-256", remedy)
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def pem(public_key: bytes) -> str:
    """A public key (x and y, 64 bytes) as a PEM text. Raises ValueError for what is no point of P-256."""
    return _point(public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def is_signed(public_key: bytes, message: bytes | memoryview, signature: bytes) -> bool:
    """Whether `signature` (r and s, 64 bytes) of `message` was made with the private half of `public_key`."""
    r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    try:
        _point(public_key).verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _point(public_key: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
