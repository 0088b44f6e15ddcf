from collections.abc import Callable
from typing import Final, NoReturn, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge.errors import EntropyUnavailable, Reason, SecretError

Words = NDArray[np.uint64]
WIDEST: Final = 57
"""Bits of the widest word: with up to 7 bits before it, it still lies within 8 bytes."""
_PADDING = 7


class Bits(Protocol):
    """Independent, uniform bits, each given out once."""

    def bits(self, count: int) -> int:
        """The next `count` bits as an integer in 0..2^count - 1; 0 for none."""
        ...

    def words(self, count: int, width: int) -> Words:
        """`count` integers of `width` bits each, 0..WIDEST: (count,) uint64 in 0..2^width - 1."""
        ...


class BitSource:
    """Bits of a pool's bytes, most significant bit first, each used at most once. Bytes are overwritten after use."""

    def __init__(self, take: Callable[[int], bytearray], allotment: int) -> None:
        """`take(n)` gives n uniform bytes that belong to the caller.

        It is asked for `allotment` bytes, or for more where one request needs more; the first time at the first
        request, and again whenever they are used up.
        """
        self._take = take
        self._allotment = allotment
        self._buffer = bytearray(_PADDING)
        self._size = 0
        self._position = 0
        self._taken = 0

    @property
    def taken(self) -> int:
        """Bytes taken so far."""
        return self._taken

    @property
    def used(self) -> int:
        """Bits used so far, with those skipped so that words begin at a byte."""
        return 8 * (self._taken - self._size) + self._position

    def bits(self, count: int) -> int:
        """As Bits.bits. Whatever `take` raises passes through, and no bit is lost or used twice."""
        self._have(count)
        end = self._position + count
        first, last = self._position >> 3, (end + 7) >> 3
        value = int.from_bytes(self._buffer[first:last], "big") >> (8 * last - end)
        self._position = end
        return value & ((1 << count) - 1)

    def words(self, count: int, width: int) -> Words:
        """As Bits.words. Up to 7 bits are skipped first. Raises ValueError for a width that is out of range."""
        if not 0 <= width <= WIDEST:
            raise ValueError("a word has 0 to 57 bits")
        self._position = (self._position + 7) & ~7
        self._have(count * width)
        start = self._position >> 3
        self._position += count * width
        held = np.frombuffer(self._buffer, np.uint8)
        if width == 32:
            return held[start : start + 4 * count].view(">u4").astype(np.uint64)
        if not count or not width:
            return np.zeros(count, np.uint64)
        places = np.arange(0, count * width, width, dtype=np.uint64)
        bytes_of = sliding_window_view(held[start:], 8)[places >> np.uint64(3)]
        value: Words = bytes_of.view(">u8").ravel().astype(np.uint64)
        value <<= places & np.uint64(7)
        value >>= np.uint64(64 - width)
        return value

    def wipe(self) -> None:
        """Overwrite and drop every byte that is held."""
        self._buffer[:] = bytes(len(self._buffer))
        self._buffer = bytearray(_PADDING)
        self._size = self._position = 0

    def _have(self, count: int) -> None:
        """See to it that `count` bits are there. Nothing changes where the pool fails."""
        missing = self._position + count - 8 * self._size
        if missing <= 0:
            return
        wanted = max(self._allotment, (missing + 7) // 8)
        fresh = self._take(wanted)
        if len(fresh) < wanted:  # what is missing would be read as zeros
            fresh[:] = bytes(len(fresh))
            raise EntropyUnavailable(Reason.ENTROPY_DEVICE, "too few bytes came from the pool", "replace the pool")
        used = self._position >> 3
        kept = self._size - used
        buffer = bytearray(kept + len(fresh) + _PADDING)
        memoryview(buffer)[:kept] = memoryview(self._buffer)[used : self._size]
        memoryview(buffer)[kept:-_PADDING] = fresh
        self._taken += len(fresh)
        for old in (self._buffer, fresh):
            old[:] = bytes(len(old))
        self._buffer, self._size = buffer, kept + len(fresh)
        self._position -= 8 * used

    def __repr__(self) -> str:
        return "<BitSource: secret>"

    def _refuse(self, *_: object) -> NoReturn:
        raise SecretError(Reason.FRAME, "bits of noise cannot be copied", "take new ones from the pool")

    __copy__ = __deepcopy__ = __getstate__ = __reduce__ = __reduce_ex__ = _refuse
