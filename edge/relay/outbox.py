"""What the collector has not yet said it holds, on disk (SQLite, WAL, every commit synced)."""

import logging
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from edge.errors import RelayError
from edge.relay import account, rows
from edge.relay.account import Account
from edge.relay.bounds import Bounds
from edge.relay.database import (
    SLACK,
    OutboxDamaged,
    OutboxNewer,
    OutboxUnusable,
    damaged,
    limit,
    lock,
    no_space,
    open_database,
    unusable,
)
from edge.relay.heard import Heard
from edge.relay.reserve import Reserve
from edge.relay.rows import Waiting
from edge.relay.salvage import begin_again, finish
from wire.schema import Acknowledgement, CaptureReport

__all__ = ["Bounds", "Equivocation", "Fork", "Outbox", "OutboxDamaged", "OutboxNewer", "OutboxUnusable", "Waiting"]

log = logging.getLogger("speckled.relay")

T = TypeVar("T")
TICK = 3600.0
"""Seconds between two looks at the age of what waits. A crash forgets at most so much of the age."""


CAUSES = ("size", "age")
"""Why observations are evicted: the outbox's bounds."""


class Equivocation(Exception):
    """Two different observations for one position of the ledger: the second is not kept."""


class Fork(Exception):
    """The collector holds another history of the ledger than what was here; nothing was freed."""


class Outbox:
    """The durable queue between capture and the collector. For one thread at a time.

    A row leaves it by a covering acknowledgement or, counted, by the bounds: the oldest first. After a restart
    everything in it counts as never sent. A damaged file is set aside under a name ending in `.corrupt-<n>`, and a new
    one is begun with what could be read of it.

    Args:
        path: of the file.
        bounds: how much waits at most.
        clock: seconds that only grow. Age is counted by it, never by the time of day, which may jump.

    `evicted` counts what the bounds have cost since the file was opened, by cause.

    Raises:
        OutboxUnusable, OutboxNewer: it cannot be used and is not damaged.
    """

    def __init__(
        self,
        path: Path,
        *,
        bounds: Bounds = Bounds(),  # noqa: B008 (frozen)
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._held = 0
        self.evicted: Counter[str] = Counter()
        self._based = False
        self._started = self._saved = clock()
        self._bounds = bounds
        self._clock = clock
        self._uncommitted: Counter[str] = Counter()
        self._said: tuple[int, int, int] | None = None
        self._reserve = Reserve(path.with_name(path.name + ".reserve"))
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock(path)
            try:
                self._database = self._open()
                self._begin()
            except BaseException:
                os.close(self._lock)
                raise

    @property
    def held(self) -> int:
        """How many observations wait."""
        return self._held

    @property
    def reserved(self) -> bool:
        """Whether the space that acknowledgements need is kept. Without it nothing new is taken."""
        return self._reserve.held

    def put(self, epoch: bytes, position: int, envelope: bytes, *, link: bytes = b"") -> Waiting | None:
        """Keep one observation; it is on the disk when this returns. None where these very bytes are or were here.

        `link` is the hash of its ledger entry, which acknowledgements are compared with; empty: they are not. Where
        the bound asks for it, the oldest give way.

        Raises:
            Equivocation: the position holds, or held, other bytes.
            OutboxUnusable, OutboxDamaged: it could not be written; nothing has changed then.
        """

        def insert(database: sqlite3.Connection) -> Waiting | None:
            known = rows.known_digest(database, epoch, position)
            if known is not None:
                if known != rows.digest_of(envelope):
                    raise Equivocation
                return None
            self.count("evicted:size", self._bounds.make_room(database, len(envelope)))
            row = rows.insert(database, epoch, position, envelope, link=link, born=self._lived())
            self.count("accepted")
            return Waiting(row, epoch, position)

        if not self._reserve.hold():
            self._refuse_for_space()
        return self._commit(insert)

    def acknowledged(self, word: Acknowledgement) -> list[int]:
        """Free every row that the collector's word covers; their ids. The word is remembered, for `heard`.

        Raises:
            Fork: the word is of another ledger entry than the one that was handed over here. Nothing is freed.
        """
        freed: list[int] = []
        while (part := self._commit(lambda database: self._free(database, word), spend=True)) is not None:
            freed += part
            if len(part) < rows.FREED_AT_ONCE:
                return freed
        raise Fork

    def heard(self, epoch: bytes) -> Heard | None:
        """The farthest entry of an epoch that the collector has named or that was handed over here.

        The collector's word goes before what is farther here where the two are not known to be of one history.
        """
        with self._errors():
            word = rows.heard(self._database, epoch)
            if word and rows.known_link(self._database, epoch, word.upto) != word.hash:
                return word
            here = rows.farthest(self._database, epoch)
        return max((each for each in (word, here) if each), key=lambda each: each.upto, default=None)

    def waiting(self, *, after: int = 0, limit: int = -1) -> list[Waiting]:
        """What awaits its acknowledgement, in the order of acceptance: at most `limit` rows behind the row `after`."""
        with self._errors():
            query = "SELECT id, epoch, position FROM observation WHERE id > ? ORDER BY id LIMIT ?"
            return [Waiting(*row) for row in self._database.execute(query, (after, limit))]

    def envelope(self, row: int) -> bytes:
        """The envelope of one waiting row, as it was put.

        Raises:
            KeyError: it has been freed or evicted.
            OutboxUnusable, OutboxDamaged: it cannot be read, or is not what was put.
        """
        with self._errors():
            return rows.envelope(self._database, row)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter. It reaches the disk with the next transaction."""
        self._uncommitted[name] += by

    def counters(self) -> Counter[str]:
        """All counters since the file was made."""
        with self._errors():
            stored = account.counters(self._database)
        return stored + self._uncommitted

    def reported(self, report: CaptureReport) -> None:
        """Capture's newest counts, for `account`."""
        if (report.made, report.dropped, report.waiting) != self._said:
            self._commit(lambda database: account.note(database, report, self.counters()["accepted"]), spend=True)
            self._said = (report.made, report.dropped, report.waiting)
        elif not self._based:
            self._based = self._commit(lambda database: account.base(database, self.counters()["accepted"]), spend=True)

    def account(self) -> Account:
        """What became of everything that capture says it made."""
        with self._errors():
            return account.drawn_up(self._database, self.counters(), waiting=self._held)

    def fill(self) -> tuple[int, int]:
        """Bytes of the file that hold something, and seconds that relays ran while the oldest waited."""
        with self._errors():
            return rows.fill(self._database, self._lived())

    def tick(self) -> None:
        """Once in a while, what is too old goes, and the reserve is taken again.

        Raises:
            OutboxUnusable, OutboxDamaged: as `put`.
        """
        if self._clock() - self._saved < TICK:
            return
        self._saved = self._clock()
        while self._commit(self._evict_old, spend=True):
            pass
        self._reserve.hold()

    def begin_again(self) -> None:
        """Set the file aside, which was found damaged, and go on with a new one that holds what could be read."""
        self._database.close()
        with self._errors():
            begin_again(self._path)
            self._database = self._open()
            self._begin()

    def close(self) -> None:
        """Write the counters, if that is possible, and let go of the file."""
        try:
            self._commit(lambda _: None)
        except RelayError as error:
            log.warning("the last counts are lost: %s", error)
        finally:
            self._database.close()
            os.close(self._lock)

    def _open(self) -> sqlite3.Connection:
        finish(self._path)
        try:
            return open_database(self._path)
        except sqlite3.Error as error:
            if damaged(error):
                begin_again(self._path)
            elif not (no_space(error) and self._reserve.release()):
                raise
        return open_database(self._path)

    def _begin(self) -> None:
        limit(self._database, self._bounds.size + SLACK)
        self._held = self._database.execute("SELECT count(*) FROM observation").fetchone()[0]
        self._lived_before = account.counters(self._database)["lived"]
        self._started = self._clock()
        self._saved = self._started - TICK
        self._said = None
        self._based = False
        self._reserve.hold()
        while self._commit(self._evict_excess, spend=True):
            pass

    def _lived(self) -> int:
        """Seconds that relays have run with this file."""
        return self._lived_before + max(0, int(self._clock() - self._started))

    def _free(self, database: sqlite3.Connection, word: Acknowledgement) -> list[int] | None:
        """The next rows that the word covers; None where it is of another history."""
        forked = rows.known_link(database, word.epoch, word.upto) not in (b"", word.hash)
        rows.note(database, word)
        freed = [] if forked else rows.free(database, word)
        self.count("forked" if forked else "acknowledged", 1 if forked else len(freed))
        return None if forked else freed

    def _evict_excess(self, database: sqlite3.Connection) -> int:
        gone = self._bounds.evict_excess(database)
        self.count("evicted:size", gone)
        return gone

    def _evict_old(self, database: sqlite3.Connection) -> int:
        gone = self._bounds.evict_old(database, self._lived())
        self.count("evicted:age", gone)
        return gone

    def _refuse_for_space(self) -> None:
        full = sqlite3.OperationalError("the disk is full: what is left is kept for acknowledgements")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise unusable(self._path, full)

    def _commit(self, work: Callable[[sqlite3.Connection], T], *, spend: bool = False) -> T:
        """Do it in one transaction; `spend`: where the disk is full, on the reserve."""
        with self._errors():
            try:
                return self._attempt(work)
            except sqlite3.Error as error:
                if not (spend and no_space(error) and self._reserve.release()):
                    raise
            done = self._attempt(work)
            # Its log goes back to the disk, so that the reserve can be taken again.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._reserve.hold()
            return done

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """All or nothing, synced at the end, and the counters with it."""
        before = self._uncommitted.copy()
        try:
            self._database.execute("BEGIN IMMEDIATE")
            done = work(self._database)
            account.add(self._database, self._uncommitted, lived=self._lived())
            held = self._database.execute("SELECT count(*) FROM observation").fetchone()[0]
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            self._uncommitted = before
            raise
        self._held = held
        for cause in CAUSES:
            self.evicted[cause] += self._uncommitted[f"evicted:{cause}"]
        self._uncommitted.clear()
        return done

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise unusable(self._path, error) from None
