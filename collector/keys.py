"""The public keys of the devices that the collector listens to."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire.keys import before, read_public_keys
from wire.settings import SettingsError

ENROL = "copy the device's public key file into the devices directory as <device>.pub"


Stamp = tuple[int, int, int]
"""When a file was changed (ns), how long it is, and which file it is."""


@dataclass(frozen=True, slots=True)
class _Cached:
    stamp: tuple[Stamp | None, Stamp | None]
    keys: tuple[Ed25519PublicKey, ...]


class DeviceKeys:
    """The enrolled devices: one `<device>.pub` PEM file each, in one directory.

    While a device exchanges its key, `<device>.old.pub` beside it is good too (`speckled collector admit`). A file is
    looked at again whenever it has changed, so that enrolling, replacing and revoking a device take effect with its
    next message and need no restart.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._cache: dict[str, _Cached] = {}

    def get(self, device: str) -> tuple[Ed25519PublicKey, ...] | None:
        """The keys of this device, or None where no usable Ed25519 key file lies there.

        `device` must be a device id as wire.topics admits it: it becomes a file name.
        """
        path = self._directory / f"{device}.pub"
        stamp = (_stamp(path), _stamp(before(path)))
        if stamp[0] is None:
            self._cache.pop(device, None)
            return None
        cached = self._cache.get(device)
        if cached is None or cached.stamp != stamp:
            cached = self._cache[device] = _Cached(stamp, _usable_keys(path))
        return cached.keys or None


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _usable_keys(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """A device whose present key is damaged is not enrolled, whatever lies beside it."""
    try:
        return read_public_keys(path)
    except SettingsError:
        return ()
