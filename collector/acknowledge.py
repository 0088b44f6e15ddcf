"""Which positions of a ledger epoch are stored, and how that is told to the device."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import pairwise

from wire.schema import Acknowledgement

MAX_GAPS = 64
"""As many gaps as wire.schema.Acknowledgement admits."""


class Intervals:
    """A set of positive integers as ascending, disjoint, inclusive ranges that do not touch."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """`ranges` must already be ascending, disjoint and not touching, as `ranges()` gives them."""
        pairs = list(ranges)
        self._first = [first for first, _ in pairs]
        self._last = [last for _, last in pairs]

    def __contains__(self, position: int) -> bool:
        return self.find(position) is not None

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._first)

    def find(self, position: int) -> int | None:
        """The index of the range that holds this position."""
        index = bisect_right(self._first, position) - 1
        return index if index >= 0 and position <= self._last[index] else None

    def add(self, position: int) -> None:
        """Put one position in; adding it twice changes nothing."""
        if position in self:
            return
        right = bisect_right(self._first, position)
        joins_left = right > 0 and self._last[right - 1] == position - 1
        joins_right = right < len(self._first) and self._first[right] == position + 1
        if joins_left and joins_right:
            self._last[right - 1] = self._last[right]
            del self._first[right], self._last[right]
        elif joins_left:
            self._last[right - 1] = position
        elif joins_right:
            self._first[right] = position
        else:
            self._first.insert(right, position)
            self._last.insert(right, position)

    def ranges(self, begin: int = 0, end: int | None = None) -> list[tuple[int, int]]:
        """The ranges from index `begin` up to but not including `end`."""
        return list(zip(self._first[begin:end], self._last[begin:end], strict=True))


def acknowledgements(
    device: str, epoch: bytes, stored: Intervals, received: Iterable[int], hash_at: Callable[[int], bytes]
) -> list[Acknowledgement]:
    """Acknowledgements of at most 64 gaps each that together cover every received position, the newest last.

    One is enough unless the positions lie more than 64 gaps apart. Each reaches as far back as its gaps allow, so
    that it also frees what an earlier, lost acknowledgement should have freed.

    Args:
        device: whose ledger it is.
        epoch: of that ledger, 16 bytes.
        stored: the positions that are committed.
        received: the positions to cover; all of them must be in `stored`.
        hash_at: the hash of the ledger entry at a stored position, 32 bytes.

    Raises:
        KeyError: a received position is not stored; it must not be acknowledged.
    """
    found: list[Acknowledgement] = []
    for position in sorted(set(received), reverse=True):
        if found and found[-1].covers(position):
            continue
        index = stored.find(position)
        if index is None:
            raise KeyError(position)
        end = len(stored) if not found and index >= len(stored) - MAX_GAPS - 1 else index + 1
        ranges = stored.ranges(max(0, end - MAX_GAPS - 1), end)
        gaps = [(left[1] + 1, right[0] - 1) for left, right in pairwise(ranges)]
        since, upto = ranges[0][0], ranges[-1][1]
        found.append(Acknowledgement(device=device, epoch=epoch, since=since, upto=upto, hash=hash_at(upto), gaps=gaps))
    return found[::-1]
