"""A look over hostile bytes before any decoder sees them.

A CBOR library knows tags that make regular expressions, dates or enormous numbers. None of them occurs here, so
none of them reaches it.
"""

from wire.errors import WireError, WireReason

MAX_DEPTH = 8
"""The deepest message has 6: map, map, tag, list, tag, bytes."""
TAGS = frozenset({18, 30, 40, 64, 72})
"""COSE_Sign1 (RFC 9052), rationals (IANA 30), arrays (RFC 8746)."""
BIG_INTEGER = 2
"""The tag of a positive integer of more than 64 bits (RFC 8949, 3.4.3)."""
MAX_INTEGER_BYTES = 16
"""The decoder reduces rationals to lowest terms, which takes time quadratic in the length of their numbers."""
_SHORTEST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_SIMPLE = {20: 0, 21: 0, 25: 2, 26: 4, 27: 8}


def scan(data: bytes) -> None:
    """Check that data is one CBOR item of the kinds that occur on this wire, and nothing after it.

    Definite lengths, shortest heads, the tags of TAGS, at most MAX_DEPTH containers and tags inside each other.
    Time is linear and memory constant in the length of data.

    Raises:
        WireError: MALFORMED or NOT_DETERMINISTIC.
    """
    waiting = [1]
    at = 0
    while waiting:
        if waiting[-1] == 0:
            waiting.pop()
            continue
        waiting[-1] -= 1
        at, children = _item(data, at)
        if children is not None:
            waiting.append(children)
            if len(waiting) > MAX_DEPTH + 1:
                raise WireError(WireReason.MALFORMED, "too deep")
    if at != len(data):
        raise WireError(WireReason.MALFORMED, "something follows the message")


def _item(data: bytes, at: int) -> tuple[int, int | None]:
    """Where the item's head and string end, and how many items it holds; None for no container."""
    major, short = divmod(_byte(data, at), 32)
    if major == 7:
        if short not in _SIMPLE:
            raise WireError(WireReason.MALFORMED, "a simple value that does not occur here")
        return _within(data, at + 1 + _SIMPLE[short]), None
    at, argument = _argument(data, at + 1, short)
    match major:
        case 0 | 1:
            return at, None
        case 2 | 3:
            return _within(data, at + argument), None
        case 4 | 5:  # of a map, keys and values
            return at, argument * (major - 3)
        case _ if argument == BIG_INTEGER:
            return _big_integer(data, at), None
        case _:
            if argument not in TAGS:
                raise WireError(WireReason.MALFORMED, "an unknown tag")
            return at, 1


def _big_integer(data: bytes, at: int) -> int:
    """Where the byte string of a big integer ends."""
    major, length = divmod(_byte(data, at), 32)
    if major != 2 or length > MAX_INTEGER_BYTES:
        raise WireError(WireReason.MALFORMED, "a big integer that is too long, or none")
    return _within(data, at + 1 + length)


def _argument(data: bytes, at: int, short: int) -> tuple[int, int]:
    if short < 24:
        return at, short
    if short not in _ARGUMENT_BYTES:
        raise WireError(WireReason.NOT_DETERMINISTIC, "an indefinite or reserved length")
    end = _within(data, at + _ARGUMENT_BYTES[short])
    argument = int.from_bytes(data[at:end], "big")
    if argument < _SHORTEST[short]:
        raise WireError(WireReason.NOT_DETERMINISTIC, "a number is not in its shortest form")
    return end, argument


def _byte(data: bytes, at: int) -> int:
    return data[_within(data, at + 1) - 1]


def _within(data: bytes, end: int) -> int:
    if end > len(data):
        raise WireError(WireReason.MALFORMED, "the message ends too early")
    return end
