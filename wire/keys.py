"""Ed25519 keys as PEM files: the device's pair, and the collector's."""

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from wire.settings import SettingsError


def make_key_pair(private: Path, public: Path) -> None:
    """Write a new key pair; the private file is readable by its owner only. Never overwrites.

    Raises:
        SettingsError: where one of the files exists or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_new(private, secret, 0o600)
    write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """A signing key. Raises SettingsError."""
    key = _load(path, lambda data: load_pem_private_key(data, password=None))
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "not an Ed25519 private key")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """A key to verify with. Raises SettingsError."""
    key = _load(path, load_pem_public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(path, "not an Ed25519 public key")
    return key


def before(path: Path) -> Path:
    """Where the key that this file's key took the place of is kept: device.pub, device.old.pub."""
    return path.with_name(f"{path.stem}.old{path.suffix}")


def read_public_keys(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """A key to verify with and, while one is exchanged, the one before it. Raises SettingsError."""
    old = before(path)
    return (read_public_key(path), *((read_public_key(old),) if old.exists() else ()))


def _load(path: Path, parse: Callable[[bytes], object]) -> object:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise _unusable(path, error.strerror or "unreadable") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it asks for a password
        raise _unusable(path, "not an unencrypted PEM key of a known kind") from None


def write_new(path: Path, data: bytes, mode: int) -> None:
    """A file that was not there, synced. Raises SettingsError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise _unusable(path, error.strerror or "unwritable") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unusable(path: Path, why: str) -> SettingsError:
    remedy = "make a key pair with `speckled init` or `speckled collector init`, or name the right file"
    return SettingsError(f"{path}: {why}", remedy)
