"""From a name to a network that runs, or a refusal."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.errors import ModelReason, ModelRefused
from models.files import REINSTALL, read_pinned, verified
from models.manifest import Codebook, Manifest, read_manifest
from models.pinned import PINNED
from models.session import Session, open_session

FOLDER = Path(__file__).resolve().parent
LARGEST_MANIFEST = 65536


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A network and what belongs to it, as their hashes say.

    manifest: what it says of itself. network: SHA-256 of the ONNX file. codebook: SHA-256 of the file of the arrays,
    None where there is none. arrays: read-only.
    """

    manifest: Manifest
    network: bytes
    codebook: bytes | None
    arrays: Mapping[str, NDArray[np.generic]]
    session: Session

    def run(self, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """The outputs, in the order of the manifest, for inputs in that order. Same inputs, same bytes."""
        return self.session.run(inputs)


def load(name: str, *, folder: Path = FOLDER, pinned: Mapping[str, str] = PINNED) -> Model:
    """Read a model's files, compare them with what they must be, and only then hand them to ONNX Runtime.

    Args:
        name: of the model, as in its manifest.
        folder: where the files are.
        pinned: SHA-256 in hex of the manifest of each model that may be loaded.

    Raises:
        ModelRefused: a file is missing, truncated or altered, or the network does not run here.
    """
    manifest = _manifest(name, folder, pinned)
    network = verified(name, folder / manifest.network.file, manifest.network)
    book = manifest.codebook
    data = verified(name, folder / book.file, book) if book else b""
    return Model(
        manifest=manifest,
        network=hashlib.sha256(network).digest(),
        codebook=hashlib.sha256(data).digest() if book else None,
        arrays=MappingProxyType(_arrays(name, book, data) if book else {}),
        session=open_session(network, manifest),
    )


def _manifest(name: str, folder: Path, pinned: Mapping[str, str]) -> Manifest:
    pin = pinned.get(name)
    if pin is None:
        known = ", ".join(pinned) or "none"
        raise ModelRefused(ModelReason.MISSING, name, "nothing is known of such a model", f"name one of: {known}")
    data = read_pinned(name, folder / f"{name}.json", pin, LARGEST_MANIFEST)
    try:
        manifest = read_manifest(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelRefused(ModelReason.MANIFEST, name, f"{name}.json: {error}", REINSTALL, expected=pin) from None
    if manifest.name != name:
        what = f"{name}.json is of {manifest.name}"
        raise ModelRefused(ModelReason.MANIFEST, name, what, REINSTALL, expected=pin)
    return manifest


def _arrays(name: str, book: Codebook, data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays of a codebook, over its bytes and so read-only."""
    found: dict[str, NDArray[np.generic]] = {}
    at = 0
    for array in book.arrays:
        dtype, count = np.dtype(array.dtype).newbyteorder("<"), int(np.prod(array.shape, dtype=np.int64))
        if at + count * dtype.itemsize > len(data):
            break
        found[array.name] = np.frombuffer(data, dtype, count, at).reshape(array.shape)
        at += count * dtype.itemsize
    if at != len(data) or len(found) != len(book.arrays):
        what = f"the arrays of {book.file} do not fill its {book.bytes} bytes"
        raise ModelRefused(ModelReason.MANIFEST, name, what, REINSTALL)
    return found
