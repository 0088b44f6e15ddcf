"""How much the outbox holds, and what gives way. Each step is made inside a transaction and says how many went."""

import sqlite3
from dataclasses import dataclass

from edge.relay import rows
from edge.relay.database import used

MARGIN = 64 * 1024
"""Bytes for what an insertion changes besides the envelope: pages of indexes, digests, counters."""
AT_ONCE = 16
"""Rows that one transaction evicts beside an insertion, at most: a short one fits into the reserve of a full disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much waits at most: `size` in bytes of the disk, `age` in seconds that the relay ran while it waited."""

    size: int = 256 * 2**20
    age: float = 90 * 86400.0

    def make_room(self, database: sqlite3.Connection, size: int) -> int:
        """Evict the oldest until an envelope of `size` bytes fits."""
        gone = 0
        while used(database) + size + MARGIN > self.size and (first := rows.oldest(database)):
            rows.take_out(database, first)
            gone += 1
        return gone

    def evict_excess(self, database: sqlite3.Connection) -> int:
        """Evict some of what is over the bound: the file was made with a larger one."""
        return _evict(database, rows.oldest(database, limit=AT_ONCE) if used(database) > self.size else [])

    def evict_old(self, database: sqlite3.Connection, lived: int) -> int:
        """Evict some of what is too old, where relays have run for `lived` seconds with the file."""
        return _evict(database, rows.oldest(database, born_before=lived - int(self.age), limit=AT_ONCE))


def _evict(database: sqlite3.Connection, ids: list[int]) -> int:
    rows.take_out(database, ids)
    return len(ids)
