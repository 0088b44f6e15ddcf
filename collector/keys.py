"""The collector's own key pair and the public keys of the devices it listens to."""

import os
from dataclasses import dataclass
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

from collector.errors import ConfigError, Reason

ENROL = "copy the device's public key file into the devices directory as <device>.pub"


def make_key_pair(private: Path, public: Path) -> None:
    """Write a new Ed25519 key pair; only the owner can read the private file. Never overwrites.

    Raises:
        ConfigError: KEY, where one of the files exists or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    _write(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """The collector's signing key. Raises ConfigError(KEY)."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise _unusable(path, error.strerror or "unreadable") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unusable(path, "not an unencrypted PEM private key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "not an Ed25519 private key")
    return key


@dataclass(frozen=True, slots=True)
class _Cached:
    stamp: tuple[int, int, int]
    key: Ed25519PublicKey | None


class DeviceKeys:
    """The enrolled devices: one `<device>.pub` PEM file each, in one directory.

    A file is looked at again whenever it has changed, so that enrolling, replacing and revoking a device take
    effect with its next message and need no restart.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._cache: dict[str, _Cached] = {}

    def get(self, device: str) -> Ed25519PublicKey | None:
        """The key of this device, or None where no usable Ed25519 key file lies there.

        `device` must be a device id as wire.topics admits it: it becomes a file name.
        """
        path = self._directory / f"{device}.pub"
        try:
            status = path.stat()
        except OSError:
            self._cache.pop(device, None)
            return None
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        cached = self._cache.get(device)
        if cached is None or cached.stamp != stamp:
            cached = self._cache[device] = _Cached(stamp, _read_public_key(path))
        return cached.key


def _read_public_key(path: Path) -> Ed25519PublicKey | None:
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        remedy = "choose an empty, writable directory with --dir; existing keys are never overwritten"
        raise ConfigError(Reason.KEY, f"{path}: {error.strerror}", remedy) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unusable(path: Path, why: str) -> ConfigError:
    remedy = "make a key pair with `speckled collector init`, or name the right file"
    return ConfigError(Reason.KEY, f"{path}: {why}", remedy)
