"""Values to deterministic CBOR and back (RFC 8949, section 4.2; typed arrays of RFC 8746)."""

import re
from fractions import Fraction
from typing import Any, TypeVar

import cbor2
import msgspec
import numpy as np

from wire.errors import WireError, WireReason
from wire.scan import scan
from wire.schema import MAX_MESSAGE, VERSION, Acknowledgement, CaptureReport, Observation

T = TypeVar("T", Observation, Acknowledgement, CaptureReport)

MAX_RATIONAL_BITS = 128
"""Bits of a numerator or denominator: room for every statement, none for arithmetic as an attack."""
MULTI_DIMENSIONAL = 40
TYPED_ARRAYS: dict[int, np.dtype[Any]] = {64: np.dtype("u1"), 72: np.dtype("i1")}
_TAG_OF = {dtype: tag for tag, dtype in TYPED_ARRAYS.items()}


def encode(value: Observation | Acknowledgement | CaptureReport) -> bytes:
    """One value as deterministic CBOR.

    Raises:
        WireError: OVERSIZE, where the result would not fit a message; SCHEMA, where a rational is negative or
            has more than 128 bits above or below.
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
    except (msgspec.ValidationError, ValueError, TypeError, OverflowError) as error:
        raise WireError(WireReason.SCHEMA, _harmless(error)) from None
    if encode(value) != data:
        raise WireError(WireReason.NOT_DETERMINISTIC, "the message is not in its one canonical form")
    return value


def load(data: bytes) -> Any:
    """Decode one CBOR item that fills the whole of data. Raises WireError and nothing else."""
    scan(data)
    try:
        return cbor2.loads(data, tag_hook=_untag)
    except WireError:
        raise
    except Exception as error:  # a decoder under attack may raise anything; all of it means the same here
        raise WireError(WireReason.MALFORMED, type(error).__name__) from None


def _plain(value: Any) -> Any:
    match value:
        case msgspec.Struct():
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            # What a message does not have is left out, so that there is one form: null does not occur on this wire.
            return {name: _plain(field) for name, field in fields.items() if field is not None}
        case np.ndarray():
            return _tagged(value)
        case Fraction():
            return _bounded(value)
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _tagged(array: np.ndarray) -> cbor2.CBORTag:
    flat = cbor2.CBORTag(_TAG_OF[array.dtype], array.tobytes())
    return flat if array.ndim == 1 else cbor2.CBORTag(MULTI_DIMENSIONAL, [list(array.shape), flat])


def _untag(tag: cbor2.CBORTag, _immutable: bool) -> Any:  # noqa: FBT001 (cbor2 decides the signature)
    if tag.tag in TYPED_ARRAYS and isinstance(tag.value, bytes):
        return np.frombuffer(tag.value, TYPED_ARRAYS[tag.tag])
    if tag.tag == MULTI_DIMENSIONAL and len(tag.value) == 2 and isinstance(tag.value[1], np.ndarray):
        shape, flat = tag.value
        if len(shape) != 2 or any(type(n) is not int or n < 0 for n in shape) or shape[0] * shape[1] != flat.size:
            raise WireError(WireReason.MALFORMED, "the shape of an array does not fit its data")
        return flat.reshape(tuple(shape))
    raise WireError(WireReason.MALFORMED, "an unknown tag")


def _bounded(value: Fraction) -> Fraction:
    if value < 0 or max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_RATIONAL_BITS:
        raise WireError(WireReason.SCHEMA, "a rational is negative or too long")
    return value


def _custom(kind: type, value: Any) -> Any:
    if isinstance(value, Fraction) and kind is Fraction:
        return _bounded(value)
    if isinstance(value, kind):
        return value
    raise msgspec.ValidationError(f"Expected {kind.__name__}")


def _harmless(error: Exception) -> str:
    """What is wrong and where, without what the message said: msgspec quotes unknown names and literals."""
    if isinstance(error.__cause__, WireError):
        return error.__cause__.detail
    if not isinstance(error, msgspec.ValidationError):
        return type(error).__name__
    text = str(error)
    if text.startswith(("Expected ", "Object missing required field ")):
        return text
    what = "an unknown field" if "unknown field" in text else "a value that is not allowed"
    where = re.search(r" - at `(\$[a-z_.\[\]0-9]*)`$", text)
    return f"{what} - at `{where[1] if where else '$'}`"
