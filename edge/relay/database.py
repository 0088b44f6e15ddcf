"""Opening the outbox's file: locked, whole and of this version. What is damaged is for `edge.relay.salvage`."""

import fcntl
import os
import sqlite3
from pathlib import Path

from edge.errors import Reason, RelayError
from wire.exit import Exit

VERSION = 3
SLACK = 16 * 2**20
"""Bytes that the file may grow beyond its bound for observations: freed digests, indexes, pages in part unused."""
SCHEMA = """
CREATE TABLE observation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch BLOB NOT NULL CHECK (length(epoch) = 16),
    position INTEGER NOT NULL CHECK (position > 0),
    envelope BLOB NOT NULL,
    hash BLOB NOT NULL DEFAULT x'',
    born INTEGER NOT NULL DEFAULT 0,
    digest BLOB NOT NULL DEFAULT x'',
    UNIQUE (epoch, position)
) STRICT;
CREATE TABLE freed (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch BLOB NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    hash BLOB NOT NULL DEFAULT x'',
    UNIQUE (epoch, position)
) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE heard (epoch BLOB PRIMARY KEY, upto INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
"""
FROM_2 = """
ALTER TABLE observation ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
ALTER TABLE observation ADD COLUMN digest BLOB NOT NULL DEFAULT x'';
"""
CAPTURE = """
CREATE TABLE capture (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    made INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    ahead INTEGER
) STRICT;
"""
LOG_PAGES = 256
"""Pages of 4 KiB after which the log is written back into the file."""
UPGRADES = {
    0: SCHEMA + CAPTURE,
    1: """
ALTER TABLE observation ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE freed ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
CREATE TABLE heard (epoch BLOB PRIMARY KEY, upto INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
"""
    + FROM_2
    + CAPTURE,
    2: FROM_2 + CAPTURE,
}
"""What makes a file of an older version, or an empty one, one of this. It keeps what it holds.

Hashes that version 1 did not have, and digests, stay empty and are not compared. Age is counted from now on.
"""
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
NO_SPACE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""What a full disk gives, depending on whether the database, its log or its shared memory found no room."""


class OutboxUnusable(RelayError):
    """The file cannot be written or read: no right, no space, another process."""

    exit = Exit.IO


class OutboxDamaged(RelayError):
    """The file was found damaged while it was in use. `Outbox.begin_again` sets it aside."""

    exit = Exit.DATA


class OutboxNewer(RelayError):
    """The file is of a newer program and is left alone."""

    exit = Exit.DATA


class Damage(sqlite3.DatabaseError):
    """The integrity check found something, or an envelope is not what was put there."""


def lock(path: Path) -> int:
    """Lock the outbox's directory for as long as this process lives: two relays would send each other's rows."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        remedy = "stop the other relay, or name another directory as [relay] state"
        raise OutboxUnusable(Reason.OUTBOX, f"{path}: another relay uses it", remedy) from None
    return descriptor


def open_database(path: Path, *, journal: str = "WAL") -> sqlite3.Connection:
    """The database, whole and of this version. Raises sqlite3.Error, OutboxNewer."""
    # Transactions are begun by hand: sqlite3's own would not cover the SELECT before an INSERT.
    database = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        database.execute(f"PRAGMA journal_mode = {journal}")
        database.execute("PRAGMA synchronous = FULL")
        database.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        _examine(database)
        _upgrade(database, path)
    except BaseException:
        database.close()
        raise
    return database


def limit(database: sqlite3.Connection, size: int) -> None:
    """Let the file grow to `size` bytes, or leave it as large as it is where that is more."""
    page = database.execute("PRAGMA page_size").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {max(1, size // page)}")


def used(database: sqlite3.Connection) -> int:
    """Bytes of the file that hold something. Inside a transaction, what it has freed does not count any more."""
    page, pages, free = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    return int(page * (pages - free))


def _examine(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        raise Damage


def _upgrade(database: sqlite3.Connection, path: Path) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == VERSION:
        return
    if version not in UPGRADES:
        detail = f"{path}: it is of version {version}, this program writes {VERSION}"
        raise OutboxNewer(Reason.OUTBOX, detail, "run the newer program, or name another directory as [relay] state")
    database.executescript(f"BEGIN; {UPGRADES[version]} PRAGMA user_version = {VERSION}; COMMIT;")


def damaged(error: sqlite3.Error) -> bool:
    """Whether it means that the file is not what it was."""
    return isinstance(error, Damage) or _code(error) in DAMAGED


def no_space(error: sqlite3.Error | OSError) -> bool:
    """Whether more space on the disk might help."""
    return not isinstance(error, OSError) and _code(error) in NO_SPACE


def unusable(path: Path, error: sqlite3.Error | OSError) -> RelayError:
    """What an error of the database or of its file means here."""
    detail = f"{path}: {error}"
    if isinstance(error, sqlite3.Error) and damaged(error):
        return OutboxDamaged(Reason.OUTBOX, detail, "restart the relay: it sets the file aside and begins a new one")
    if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_FULL:
        remedy = f"free some space for {path.parent}; capture keeps what it cannot hand over"
    else:
        remedy = f"let this user write to {path.parent}, and give it space"
    return OutboxUnusable(Reason.OUTBOX, detail, remedy)


def _code(error: BaseException) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
