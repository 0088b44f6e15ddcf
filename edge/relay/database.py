"""Opening the outbox's file: locked, whole, of this version, or set aside and begun anew."""

import fcntl
import logging
import os
import sqlite3
from pathlib import Path

from edge.errors import Reason, RelayError
from wire.exit import Exit

log = logging.getLogger("speckled.relay")

VERSION = 2
MAX_BYTES = 2**30
"""The outbox takes no more then: on a disk that it had filled itself, no acknowledgement could be written either."""
SCHEMA = """
CREATE TABLE observation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch BLOB NOT NULL CHECK (length(epoch) = 16),
    position INTEGER NOT NULL CHECK (position > 0),
    envelope BLOB NOT NULL,
    hash BLOB NOT NULL DEFAULT x'',
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
FROM_1 = """
ALTER TABLE observation ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE freed ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
CREATE TABLE heard (epoch BLOB PRIMARY KEY, upto INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
"""
"""What makes a file of version 1 one of version 2. Hashes of what it holds stay empty, and are not compared."""
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class OutboxUnusable(RelayError):
    """The file cannot be written or read: no right, no space, another process."""

    exit = Exit.IO


class OutboxDamaged(RelayError):
    """The file was found damaged while it was in use. Opening it again sets it aside."""

    exit = Exit.DATA


class OutboxNewer(RelayError):
    """The file is of a newer program and is left alone."""

    exit = Exit.DATA


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


def open_or_begin_again(path: Path) -> sqlite3.Connection:
    """The database; a damaged file is set aside first. Raises sqlite3.Error, OSError, OutboxNewer."""
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if not _damaged(error):
            raise
    aside = _set_aside(path)
    log.error("the outbox was damaged and is now %s; what it held was not all delivered", aside)
    return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    # Transactions are begun by hand: sqlite3's own would not cover the SELECT before an INSERT.
    database = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        _prepare(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    page = database.execute("PRAGMA page_size").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {MAX_BYTES // page}")
    if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
        raise _Damage
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        database.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version == 1:
        database.executescript(f"BEGIN; {FROM_1} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        detail = f"{path}: it is of version {version}, this program writes {VERSION}"
        raise OutboxNewer(Reason.OUTBOX, detail, "run the newer program, or name another directory as [relay] state")


class _Damage(sqlite3.DatabaseError):
    """The integrity check found something."""


def _damaged(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, _Damage) or (code is not None and code & 0xFF in DAMAGED)


def _set_aside(path: Path) -> Path:
    """Rename the database with its log, so that whoever repairs it has both."""
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def unusable(path: Path, error: sqlite3.Error | OSError) -> RelayError:
    """What an error of the database or of its file means here."""
    detail = f"{path}: {error}"
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in DAMAGED:
        return OutboxDamaged(Reason.OUTBOX, detail, "restart the relay: it sets the file aside and begins a new one")
    if code == sqlite3.SQLITE_FULL:
        remedy = (
            f"bring the collector back, or free some space for {path.parent}; capture keeps what it cannot hand over"
        )
    else:
        remedy = f"let this user write to {path.parent}, and give it space"
    return OutboxUnusable(Reason.OUTBOX, detail, remedy)
