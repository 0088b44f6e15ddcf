"""The public keys of the devices that the collector listens to."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from wire.keys import read_public_key
from wire.settings import SettingsError

ENROL = "copy the device's public key file into the devices directory as <device>.pub"


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
            cached = self._cache[device] = _Cached(stamp, _usable_key(path))
        return cached.key


def _usable_key(path: Path) -> Ed25519PublicKey | None:
    try:
        return read_public_key(path)
    except SettingsError:
        return None
