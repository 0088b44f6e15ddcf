"""Exchanging the device's signing key, so that nothing which was signed with the old one is lost."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import ConfigError, Reason
from wire.keys import before, make_key_pair, read_private_key
from wire.rotation import Rotation, announce, fingerprint


@dataclass(frozen=True, slots=True)
class Rotated:
    """announcement: the file that the collector's operator admits. old, new: fingerprints."""

    announcement: Path
    old: str
    new: str


def rotate(device: str, key: Path, public: Path, *, wall_ms: Callable[[], int]) -> Rotated:
    """A new key pair takes the place of the old one; what signed so far signs the exchange, and is then destroyed.

    The old public key stays beside the new one (device.old.pub): the relay lets through what was signed before, and
    the collector takes it. The private key is exchanged last: after a crash anywhere in between the device goes on with
    the old one, and calling this again carries the exchange out to its end.

    Raises:
        ConfigError: the last exchange is not over, or a file cannot be written.
        SettingsError: the present key cannot be used.
    """
    announcement, old_public = public.with_suffix(".rotation"), before(public)
    staged = key.with_name(f".{key.name}.new"), public.with_name(f".{public.name}.new")
    old = read_private_key(key)
    try:
        if not (old_public.exists() and staged[0].exists()):
            _refuse_a_second(old_public)
            _stage(device, old, staged, announcement, wall_ms)
            shutil.copystat(key, staged[0])
            os.chown(staged[0], key.stat().st_uid, key.stat().st_gid)
            os.link(public, old_public)
        fresh = read_private_key(staged[0]).public_key()
        if staged[1].exists():
            staged[1].replace(public)
            _sync(public.parent)
        staged[0].replace(key)
        _sync(key.parent)
    except OSError as error:
        raise ConfigError(
            Reason.CONFIG, f"{key.parent}: {error.strerror}", "run this as a user who may write there, such as root"
        ) from None
    return Rotated(announcement, fingerprint(old.public_key()), fingerprint(fresh))


def _refuse_a_second(old_public: Path) -> None:
    if old_public.exists():
        raise ConfigError(
            Reason.CONFIG,
            f"{old_public} exists: the last exchange is not over",
            "once the collector has admitted it and the outbox is empty, end it with `speckled keys forget`",
        )


def _stage(
    device: str, old: Ed25519PrivateKey, staged: tuple[Path, Path], announcement: Path, wall_ms: Callable[[], int]
) -> None:
    """The new pair under names that nobody reads, and the announcement of it."""
    for leftover in staged:
        leftover.unlink(missing_ok=True)
    make_key_pair(*staged)
    fresh = read_private_key(staged[0]).public_key()
    with announcement.open("wb") as file:
        file.write(announce(Rotation(device, fresh, wall_ms()), old))
        file.flush()
        os.fsync(file.fileno())


def forget(public: Path) -> bool:
    """The exchange is over: the old public key goes, and its announcement. Whether there was one.

    Raises:
        ConfigError: it cannot be removed.
    """
    try:
        there = before(public).exists()
        before(public).unlink(missing_ok=True)
        public.with_suffix(".rotation").unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            Reason.CONFIG, f"{public.parent}: {error.strerror}", "run this as a user who may write there, such as root"
        ) from None
    return there


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
