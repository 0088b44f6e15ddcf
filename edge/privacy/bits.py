from collections.abc import Callable
from typing import NoReturn, Protocol

from edge.errors import Reason, SecretError

BLOCK = 512
"""Bytes taken at a time; a sample at the scales of the profiles uses about 28."""


class Bits(Protocol):
    """Independent, uniform bits."""

    def bits(self, count: int) -> int:
        """The next `count` bits as an integer in 0..2^count - 1; 0 for none."""
        ...


class BitSource:
    """Bits of a pool's bytes, most significant bit first, each used once. Bytes are overwritten after use."""

    def __init__(self, take: Callable[[int], bytearray], block: int = BLOCK) -> None:
        """`take(n)` gives n uniform bytes that belong to the caller; `block` of them are asked for at least."""
        self._take = take
        self._block = block
        self._buffer = bytearray()
        self._position = 0

    def bits(self, count: int) -> int:
        """The next `count` bits. Whatever `take` raises passes through, and no bit is lost or used twice."""
        end = self._position + count
        if end > 8 * len(self._buffer):
            self._refill(count)
            end = self._position + count
        first, last = self._position >> 3, (end + 7) >> 3
        value = int.from_bytes(self._buffer[first:last], "big") >> (8 * last - end)
        self._position = end
        return value & ((1 << count) - 1)

    def wipe(self) -> None:
        """Overwrite and drop every byte that is held."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer = bytearray()
        self._position = 0

    def _refill(self, count: int) -> None:
        used = self._position >> 3
        kept = self._buffer[used:]
        needed = (self._position - 8 * used + count + 7) // 8 - len(kept)
        fresh = self._take(max(self._block, needed))
        buffer = bytearray(len(kept) + len(fresh))
        buffer[: len(kept)] = kept
        buffer[len(kept) :] = fresh
        for old in (self._buffer, kept, fresh):
            old[:] = bytes(len(old))
        self._buffer = buffer
        self._position -= 8 * used

    def __repr__(self) -> str:
        return "<BitSource: secret>"

    def _refuse(self, *_: object) -> NoReturn:
        raise SecretError(Reason.FRAME, "bits of noise cannot be copied", "take new ones from the pool")

    __copy__ = __deepcopy__ = __getstate__ = __reduce__ = __reduce_ex__ = _refuse
