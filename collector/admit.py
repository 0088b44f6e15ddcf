"""Taking a device's new key, on the word of its old one."""

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from collector.errors import ConfigError, Reason
from wire.errors import WireError
from wire.keys import before, read_public_keys, write_new
from wire.rotation import LIMIT, Rotation, device_of, read


@dataclass(frozen=True, slots=True)
class Admitted:
    """rotation: what was admitted. again: it had been before, and nothing was changed."""

    rotation: Rotation
    again: bool


def admit(file: Path, devices: Path) -> Admitted:
    """Verify a rotation with the device's present key, and put the new key in its place, the old one beside it.

    Raises:
        ConfigError: the file is no rotation of an enrolled device, or the directory cannot be written.
    """
    try:
        envelope = file.read_bytes()[: LIMIT + 1]
        device = device_of(envelope)
        path = devices / f"{device}.pub"
        keys = read_public_keys(path)
        rotation = read(envelope, keys, device)
        if keys[0].public_bytes_raw() == rotation.key.public_bytes_raw():
            return Admitted(rotation, again=True)
        read(envelope, keys[0], device)  # a key that was exchanged already may not choose its successor again
        _exchange(path, rotation)
    except WireError as error:
        remedy = "bring the device's own device.rotation; a key that the old one has not signed is enrolled by hand"
        raise ConfigError(Reason.CONFIG, f"{file}: {error}", remedy) from None
    except OSError as error:
        detail = f"{error.filename or file}: {error.strerror}"
        raise ConfigError(Reason.CONFIG, detail, "name a readable file, and run this as the collector's user") from None
    return Admitted(rotation, again=False)


def _exchange(path: Path, rotation: Rotation) -> None:
    """The old key is beside the new one before the new one is there: no observation in between is turned away."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    write_new(fresh, rotation.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    beside = path.with_name(f".{path.name}.old")
    beside.unlink(missing_ok=True)
    os.link(path, beside)
    beside.replace(before(path))
    fresh.replace(path)
