"""What a model is, as `<name>.json` beside it says: files, hashes, sizes, and what goes in and comes out."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Size = Annotated[int, Meta(ge=1, le=2**26)]
Axis = Annotated[int, Meta(ge=1, le=2**16)] | Annotated[str, Meta(min_length=1, max_length=32)]


class Tensor(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One input or output, float32. shape: an axis that has a name is free.

    scale: every value of the tensor is a whole number times this; None where it is not so.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    shape: Annotated[tuple[Axis, ...], Meta(max_length=8)]
    scale: Annotated[float, Meta(gt=0)] | None = None


class Array(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One array of the codebook, in C order and little-endian."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    dtype: Literal["int8", "uint8", "int16", "int32", "float32"]
    shape: Annotated[tuple[Annotated[int, Meta(ge=1, le=2**20)], ...], Meta(max_length=4)]


class Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file: its name beside the manifest, its SHA-256 in hex and its size in bytes."""

    file: FileName
    sha256: Digest
    bytes: Size


class Codebook(Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is needed beside the network: arrays, one behind the other without gaps."""

    arrays: tuple[Array, ...]


class Level(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What it was trained for: side of a cell in frame pixels, and standard deviations of a cell's noise in grey."""

    cell: Annotated[int, Meta(ge=1)]
    noise: tuple[Annotated[float, Meta(ge=0)], Annotated[float, Meta(ge=0)]]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model. multiple: rows and columns of what goes in are multiples of it."""

    name: ModelName
    network: Part
    inputs: Annotated[tuple[Tensor, ...], Meta(min_length=1, max_length=8)]
    outputs: Annotated[tuple[Tensor, ...], Meta(min_length=1, max_length=8)]
    multiple: Annotated[int, Meta(ge=1, le=64)] = 1
    levels: tuple[Level, ...] = ()
    codebook: Codebook | None = None


def read_manifest(data: bytes) -> Manifest:
    """Raises msgspec.MsgspecError where this is not a manifest."""
    return msgspec.json.decode(data, type=Manifest)
