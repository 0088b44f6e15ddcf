"""Values to deterministic CBOR and back (RFC 8949, section 4.2; typed arrays of RFC 8746)."""

from typing import Any, TypeVar

import cbor2
import msgspec
import numpy as np

from wire.errors import WireError, WireReason
from wire.schema import MAX_MESSAGE, VERSION, Acknowledgement, Observation

T = TypeVar("T", Observation, Acknowledgement)

MULTI_DIMENSIONAL = 40
TYPED_ARRAYS: dict[int, np.dtype[Any]] = {64: np.dtype("u1"), 85: np.dtype("<f4")}
_TAG_OF = {dtype: tag for tag, dtype in TYPED_ARRAYS.items()}


def encode(value: Observation | Acknowledgement) -> bytes:
    """One value as deterministic CBOR.

    Raises:
        WireError: OVERSIZE, where the result would not fit a message.
    """
    data = cbor2.dumps(_plain(value), canonical=True)
    if len(data) > MAX_MESSAGE:
        raise WireError(WireReason.OVERSIZE, f"{len(data)} bytes of payload")
    return data


def decode(data: bytes, kind: type[T]) -> T:
    """Bytes back to a value of the kind asked for; what `encode` made is the only form accepted.

    Raises:
        WireError: OVERSIZE, MALFORMED, NOT_DETERMINISTIC, UNSUPPORTED or SCHEMA. Never anything else.
    """
    if len(data) > MAX_MESSAGE:
        raise WireError(WireReason.OVERSIZE, f"{len(data)} bytes of payload")
    tree = load(data)
    if isinstance(tree, dict) and isinstance(tree.get("version"), int) and tree["version"] != VERSION:
        raise WireError(WireReason.UNSUPPORTED, "the message has another version")
    try:
        value = msgspec.convert(tree, kind, dec_hook=_custom)
    except WireError:
        raise
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise WireError(WireReason.SCHEMA, _path_only(error)) from None
    if encode(value) != data:
        raise WireError(WireReason.NOT_DETERMINISTIC, "the message is not in its one canonical form")
    return value


def load(data: bytes) -> Any:
    """Decode one CBOR item that fills the whole of data. Raises WireError(MALFORMED) and nothing else."""
    try:
        return cbor2.loads(data, tag_hook=_untag)
    except WireError:
        raise
    except Exception as error:  # a decoder under attack may raise anything; all of it means the same here
        raise WireError(WireReason.MALFORMED, type(error).__name__) from None


def _plain(value: Any) -> Any:
    match value:
        case msgspec.Struct():
            return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        case np.ndarray():
            return _tagged(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _tagged(array: np.ndarray) -> cbor2.CBORTag:
    dtype = array.dtype.newbyteorder("<")
    flat = cbor2.CBORTag(_TAG_OF[dtype], np.ascontiguousarray(array, dtype).tobytes())
    return flat if array.ndim == 1 else cbor2.CBORTag(MULTI_DIMENSIONAL, [list(array.shape), flat])


def _untag(tag: cbor2.CBORTag, _immutable: bool) -> Any:  # noqa: FBT001 (cbor2 decides the signature)
    if tag.tag in TYPED_ARRAYS and isinstance(tag.value, bytes):
        dtype = TYPED_ARRAYS[tag.tag]
        if len(tag.value) % dtype.itemsize:
            raise WireError(WireReason.MALFORMED, "a typed array ends inside an element")
        return np.frombuffer(tag.value, dtype)
    if tag.tag == MULTI_DIMENSIONAL and len(tag.value) == 2 and isinstance(tag.value[1], np.ndarray):
        shape, flat = tag.value
        if len(shape) != 2 or any(type(n) is not int or n < 0 for n in shape) or shape[0] * shape[1] != flat.size:
            raise WireError(WireReason.MALFORMED, "the shape of an array does not fit its data")
        return flat.reshape(tuple(shape))
    raise WireError(WireReason.MALFORMED, "an unknown tag")


def _custom(kind: type, value: Any) -> Any:
    if isinstance(value, kind):
        return value
    raise msgspec.ValidationError(f"Expected {kind.__name__}")


def _path_only(error: Exception) -> str:
    """Msgspec names the field and the expected type, never the value: safe to show."""
    return str(error) if isinstance(error, msgspec.ValidationError) else type(error).__name__
