"""The statements of the outbox's database. Each is called inside a transaction, or changes nothing."""

import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from edge.relay.database import Damage, used
from edge.relay.heard import Heard
from wire.schema import Acknowledgement

REMEMBERED = 4096
"""Freed and evicted observations whose digest is kept: capture offers one again if it never heard of its acceptance."""
FREED_AT_ONCE = 64
"""Rows that one transaction frees, at most: bounds what it writes to the log, so that the reserve is enough."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row that awaits its acknowledgement. `id` grows in the order of acceptance and is never used again."""

    id: int
    epoch: bytes
    position: int


def digest_of(envelope: bytes) -> bytes:
    """SHA-256, 32 bytes."""
    return hashlib.sha256(envelope).digest()


def insert(
    database: sqlite3.Connection, epoch: bytes, position: int, envelope: bytes, *, link: bytes, born: int
) -> int:
    """Keep one observation; the id of its row."""
    query = "INSERT INTO observation (epoch, position, envelope, hash, born, digest) VALUES (?, ?, ?, ?, ?, ?)"
    return database.execute(query, (epoch, position, envelope, link, born, digest_of(envelope))).lastrowid or 0


def envelope(database: sqlite3.Connection, row: int) -> bytes:
    """What one row holds. Raises KeyError where there is none, Damage where it is not what was put there."""
    found = database.execute("SELECT envelope, digest FROM observation WHERE id = ?", (row,)).fetchone()
    if found is None:
        raise KeyError(row)
    if found[1] not in (b"", digest_of(found[0])):
        raise Damage
    return bytes(found[0])


def known_digest(database: sqlite3.Connection, epoch: bytes, position: int) -> bytes | None:
    """What this position holds or held; None where it is new."""
    place = (epoch, position)
    if held := database.execute("SELECT envelope FROM observation WHERE epoch = ? AND position = ?", place).fetchone():
        return digest_of(held[0])
    gone = database.execute("SELECT digest FROM freed WHERE epoch = ? AND position = ?", place).fetchone()
    return bytes(gone[0]) if gone else None


def known_link(database: sqlite3.Connection, epoch: bytes, position: int) -> bytes:
    """The hash of the ledger entry of what this position holds or held; empty where it is not known."""
    for table in ("observation", "freed"):
        query = f"SELECT hash FROM {table} WHERE epoch = ? AND position = ?"  # noqa: S608 (the names are constants)
        if found := database.execute(query, (epoch, position)).fetchone():
            return bytes(found[0])
    return b""


def heard(database: sqlite3.Connection, epoch: bytes) -> Heard | None:
    """The collector's word that reaches farthest."""
    row = database.execute("SELECT epoch, upto, hash FROM heard WHERE epoch = ?", (epoch,)).fetchone()
    return Heard(*row) if row else None


def farthest(database: sqlite3.Connection, epoch: bytes) -> Heard | None:
    """The last entry of an epoch whose observation is or was here, as far as its hash is known."""
    query = "SELECT position, hash FROM {} WHERE epoch = ? ORDER BY position DESC LIMIT 1"
    found = [database.execute(query.format(table), (epoch,)).fetchone() for table in ("observation", "freed")]
    position, link = max((row for row in found if row), default=(0, b""))
    return Heard(epoch, position, link) if link else None


def note(database: sqlite3.Connection, word: Acknowledgement) -> None:
    """Keep the collector's word where it reaches farther than the one that is kept."""
    query = "INSERT INTO heard VALUES (?, ?, ?) ON CONFLICT (epoch) DO UPDATE SET upto = excluded.upto, "
    query += "hash = excluded.hash WHERE excluded.upto >= upto"
    database.execute(query, (word.epoch, word.upto, word.hash))


def free(database: sqlite3.Connection, word: Acknowledgement) -> list[int]:
    """Take out what the word covers, at most FREED_AT_ONCE rows, and remember it; their ids."""
    query = "SELECT id FROM observation WHERE epoch = ? AND position BETWEEN ? AND ? LIMIT ?"
    rows: list[int] = []
    for first, last in _covered(word):
        found = database.execute(query, (word.epoch, first, last, FREED_AT_ONCE - len(rows))).fetchall()
        rows += [row for (row,) in found]
        if len(rows) == FREED_AT_ONCE:
            break
    take_out(database, rows)
    return rows


def fill(database: sqlite3.Connection, lived: int) -> tuple[int, int]:
    """Bytes of the file that hold something, and seconds for which the oldest row has waited; 0 without one."""
    born = database.execute("SELECT born FROM observation ORDER BY id LIMIT 1").fetchone()
    return used(database), lived - born[0] if born else 0


def oldest(database: sqlite3.Connection, *, born_before: int | None = None, limit: int = 1) -> list[int]:
    """The ids of the first rows in the order of acceptance, or of those among them that are so old."""
    # Nothing accepted later was born earlier, so the first that is young enough ends the search.
    rows = database.execute("SELECT id, born FROM observation ORDER BY id LIMIT ?", (limit,))
    return [row for row, born in rows if born_before is None or born < born_before]


def take_out(database: sqlite3.Connection, rows: list[int]) -> None:
    """Delete these rows, and remember what they held."""
    query = "DELETE FROM observation WHERE id = ? RETURNING epoch, position, envelope, hash"
    remember = "INSERT OR REPLACE INTO freed (epoch, position, digest, hash) VALUES (?, ?, ?, ?)"
    newest = 0
    for row in rows:
        for epoch, position, envelope, link in database.execute(query, (row,)).fetchall():
            newest = database.execute(remember, (epoch, position, digest_of(envelope), link)).lastrowid or 0
    if newest:
        database.execute("DELETE FROM freed WHERE id <= ?", (newest - REMEMBERED,))


def _covered(word: Acknowledgement) -> Iterator[tuple[int, int]]:
    """The inclusive ranges between the gaps."""
    first = word.since
    for gap_first, gap_last in word.gaps:
        if first < gap_first:
            yield first, gap_first - 1
        first = gap_last + 1
    if first <= word.upto:
        yield first, word.upto
