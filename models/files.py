"""The bytes of a model's files, once they are known to be the right ones."""

import hashlib
from pathlib import Path

from models.errors import ModelReason, ModelRefused
from models.manifest import Part

REINSTALL = "install speckled again: its models come with it"


def verified(name: str, path: Path, part: Part) -> bytes:
    """The whole file, read once; what is used later is these bytes and never the path again.

    Raises:
        ModelRefused: the file is missing, has another size, or another SHA-256.
    """
    found = _read(name, path, part.bytes + 1, part.sha256)
    digest = hashlib.sha256(found).hexdigest()
    if len(found) != part.bytes:
        size = f"{len(found)} bytes" if len(found) < part.bytes else f"more than {part.bytes} bytes"
        what = f"{path.name} has {size}, not {part.bytes}: SHA-256 {digest}, not {part.sha256}"
        raise ModelRefused(ModelReason.TRUNCATED, name, what, REINSTALL, expected=part.sha256, found=digest)
    if digest != part.sha256:
        raise altered(name, path, expected=part.sha256, found=digest)
    return found


def read_pinned(name: str, path: Path, pin: str, most: int) -> bytes:
    """A file of at most `most` bytes with this SHA-256 (hex). Raises ModelRefused."""
    found = _read(name, path, most, pin)
    digest = hashlib.sha256(found).hexdigest()
    if digest != pin:
        raise altered(name, path, expected=pin, found=digest)
    return found


def altered(name: str, path: Path, *, expected: str, found: str) -> ModelRefused:
    """The refusal of a file that is another one."""
    what = f"{path.name} has SHA-256 {found}, not {expected}"
    return ModelRefused(ModelReason.ALTERED, name, what, REINSTALL, expected=expected, found=found)


def _read(name: str, path: Path, most: int, expected: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except FileNotFoundError:
        what = f"{path} is missing; it would have SHA-256 {expected}"
        raise ModelRefused(ModelReason.MISSING, name, what, REINSTALL, expected=expected) from None
    except OSError as error:
        what = f"{path} cannot be read ({error.strerror}); it would have SHA-256 {expected}"
        remedy = "let everyone read the folder in which speckled is installed"
        raise ModelRefused(ModelReason.MISSING, name, what, remedy, expected=expected) from None
