"""What the collector has not yet said it holds, on disk (SQLite, WAL, every commit synced)."""

import hashlib
import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.errors import RelayError
from edge.relay.database import OutboxDamaged, OutboxNewer, OutboxUnusable, lock, open_or_begin_again, unusable
from edge.relay.heard import Heard
from wire.schema import Acknowledgement

__all__ = ["Equivocation", "Fork", "Outbox", "OutboxDamaged", "OutboxNewer", "OutboxUnusable", "Waiting"]

log = logging.getLogger("speckled.relay")

REMEMBERED = 4096
"""Freed observations whose digest is kept: capture may offer one again if it never heard that it was accepted."""


class Equivocation(Exception):
    """Two different observations for one position of the ledger: the second is not kept."""


class Fork(Exception):
    """The collector holds another history of the ledger than what was here; nothing was freed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row that awaits its acknowledgement. `id` grows in the order of acceptance and is never used again."""

    id: int
    epoch: bytes
    position: int


class Outbox:
    """The durable queue between capture and the collector. For one thread at a time.

    A row leaves it by a covering acknowledgement only. After a restart everything in it counts as never sent.
    A damaged file is set aside under a name ending in `.corrupt-<n>` and a new one is begun.

    Raises:
        OutboxUnusable, OutboxNewer: it cannot be used and is not damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._uncommitted: Counter[str] = Counter()
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock(path)
            try:
                self._database = open_or_begin_again(path)
            except BaseException:
                os.close(self._lock)
                raise

    def put(self, epoch: bytes, position: int, envelope: bytes, *, link: bytes = b"") -> Waiting | None:
        """Keep one observation; it is on the disk when this returns. None where these very bytes are or were here.

        `link` is the hash of its ledger entry, which acknowledgements are compared with; empty: they are not.

        Raises:
            Equivocation: the position holds, or held, other bytes.
            OutboxUnusable, OutboxDamaged: it could not be written; nothing has changed then.
        """
        with self._transaction() as database:
            known = _known_digest(database, epoch, position)
            if known is None:
                query = "INSERT INTO observation (epoch, position, envelope, hash) VALUES (?, ?, ?, ?)"
                row = database.execute(query, (epoch, position, envelope, link)).lastrowid or 0
                self.count("accepted")
                return Waiting(row, epoch, position)
        if known != _digest(envelope):
            raise Equivocation
        return None

    def acknowledged(self, word: Acknowledgement) -> list[int]:
        """Free every row that the collector's word covers; their ids. The word is remembered, for `heard`.

        Raises:
            Fork: the word is of another ledger entry than the one that was handed over here. Nothing is freed.
        """
        query = "DELETE FROM observation WHERE epoch = ? AND position BETWEEN ? AND ? "
        query += "RETURNING id, position, envelope, hash"
        freed: list[int] = []
        with self._transaction() as database:
            forked = _known_link(database, word.epoch, word.upto) not in (b"", word.hash)
            _note(database, word)
            for first, last in () if forked else _covered(word):
                for row, position, envelope, link in database.execute(query, (word.epoch, first, last)).fetchall():
                    freed.append(row)
                    _remember(database, word.epoch, position, _digest(envelope), link)
            self.count("forked" if forked else "acknowledged", 1 if forked else len(freed))
        if forked:
            raise Fork
        return freed

    def heard(self, epoch: bytes) -> Heard | None:
        """The farthest entry of an epoch that the collector has named or that was handed over here.

        The collector's word goes before what is farther here where the two are not known to be of one history.
        """
        with self._errors():
            word = _heard(self._database, epoch)
            if word and _known_link(self._database, epoch, word.upto) != word.hash:
                return word
            here = _farthest(self._database, epoch)
        return max((each for each in (word, here) if each), key=lambda each: each.upto, default=None)

    def waiting(self) -> list[Waiting]:
        """Everything that awaits its acknowledgement, in the order of acceptance."""
        with self._errors():
            rows = self._database.execute("SELECT id, epoch, position FROM observation ORDER BY id")
            return [Waiting(*row) for row in rows]

    def envelope(self, row: int) -> bytes:
        """The envelope of one waiting row. Raises KeyError where it has been freed."""
        with self._errors():
            found = self._database.execute("SELECT envelope FROM observation WHERE id = ?", (row,)).fetchone()
        if found is None:
            raise KeyError(row)
        return bytes(found[0])

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter. It reaches the disk with the next transaction."""
        self._uncommitted[name] += by

    def counters(self) -> Counter[str]:
        """All counters since the file was made."""
        with self._errors():
            stored = Counter(dict(self._database.execute("SELECT name, value FROM counter")))
        return stored + self._uncommitted

    def close(self) -> None:
        """Write the counters, if that is possible, and let go of the file."""
        try:
            with self._transaction():
                pass
        except RelayError as error:
            log.warning("the last counts are lost: %s", error)
        finally:
            self._database.close()
            os.close(self._lock)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, synced at the end, and the counters with it."""
        before = self._uncommitted.copy()
        with self._errors():
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                query = (
                    "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
                )
                self._database.executemany(query, [item for item in self._uncommitted.items() if item[1]])
                self._database.execute("COMMIT")
                self._uncommitted.clear()
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                self._uncommitted = before
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise unusable(self._path, error) from None


def _digest(envelope: bytes) -> bytes:
    return hashlib.sha256(envelope).digest()


def _known_digest(database: sqlite3.Connection, epoch: bytes, position: int) -> bytes | None:
    """What this position holds or held; None where it is new."""
    place = (epoch, position)
    if held := database.execute("SELECT envelope FROM observation WHERE epoch = ? AND position = ?", place).fetchone():
        return _digest(held[0])
    gone = database.execute("SELECT digest FROM freed WHERE epoch = ? AND position = ?", place).fetchone()
    return bytes(gone[0]) if gone else None


def _known_link(database: sqlite3.Connection, epoch: bytes, position: int) -> bytes:
    """The hash of the ledger entry of what this position holds or held; empty where it is not known."""
    for table in ("observation", "freed"):
        query = f"SELECT hash FROM {table} WHERE epoch = ? AND position = ?"  # noqa: S608 (the names are constants)
        if found := database.execute(query, (epoch, position)).fetchone():
            return bytes(found[0])
    return b""


def _heard(database: sqlite3.Connection, epoch: bytes) -> Heard | None:
    """The collector's word that reaches farthest."""
    row = database.execute("SELECT epoch, upto, hash FROM heard WHERE epoch = ?", (epoch,)).fetchone()
    return Heard(*row) if row else None


def _farthest(database: sqlite3.Connection, epoch: bytes) -> Heard | None:
    """The last entry of an epoch whose observation is or was here, as far as its hash is known."""
    query = "SELECT position, hash FROM {} WHERE epoch = ? ORDER BY position DESC LIMIT 1"
    found = [database.execute(query.format(table), (epoch,)).fetchone() for table in ("observation", "freed")]
    position, link = max((row for row in found if row), default=(0, b""))
    return Heard(epoch, position, link) if link else None


def _note(database: sqlite3.Connection, word: Acknowledgement) -> None:
    query = "INSERT INTO heard VALUES (?, ?, ?) ON CONFLICT (epoch) DO UPDATE SET upto = excluded.upto, "
    query += "hash = excluded.hash WHERE excluded.upto >= upto"
    database.execute(query, (word.epoch, word.upto, word.hash))


def _remember(database: sqlite3.Connection, epoch: bytes, position: int, digest: bytes, link: bytes) -> None:
    query = "INSERT OR REPLACE INTO freed (epoch, position, digest, hash) VALUES (?, ?, ?, ?)"
    newest = database.execute(query, (epoch, position, digest, link)).lastrowid or 0
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
