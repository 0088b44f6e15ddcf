"""The tables of the store, and opening them."""

import fcntl
import os
import sqlite3
from pathlib import Path

from collector.errors import CollectorError, Reason, StoreCorrupt, StoreUnavailable

APPLICATION_ID = 0x73706B63
"""`spkc`: how a store is told from any other SQLite file."""
SCHEMA_VERSION = 1

TABLES = """
CREATE TABLE observation (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    epoch BLOB NOT NULL,
    position INTEGER NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    level TEXT NOT NULL,
    opened INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    received INTEGER NOT NULL,
    keypoints INTEGER NOT NULL,
    simulated INTEGER NOT NULL,
    digest BLOB NOT NULL,
    envelope BLOB NOT NULL,
    UNIQUE (device, epoch, position)
) STRICT;
CREATE INDEX observation_by_level ON observation (device, level, id);
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    device TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    size INTEGER NOT NULL,
    head BLOB NOT NULL,
    count INTEGER NOT NULL,
    first_received INTEGER NOT NULL,
    last_received INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letter_by_topic ON dead_letter (topic, id);
CREATE TABLE device (
    device TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    software TEXT NOT NULL,
    session TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

CHECKED_SIZE = 256 * 2**20
"""Stores up to this many bytes are checked page by page when they are opened: about a second. Larger ones would
keep the collector from starting; SQLite still finds damage where it reads."""

_ASIDE = "move it aside or restore it from a copy; the devices still hold what was not acknowledged"


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open the store for its one writer, or make it where nothing lies at `path`. Every commit is synced to disk.

    Raises:
        StoreCorrupt: STORE_CORRUPT or STORE_OTHER; the file is left as it was.
        StoreUnavailable: STORE_LOCKED or STORE_IO.
    """
    try:
        database = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise trouble(path, error) from None
    try:
        _prepare(database, path)
    except sqlite3.Error as error:
        database.close()
        raise trouble(path, error) from None
    except CollectorError:
        database.close()
        raise
    return database


def lock(path: Path) -> int:
    """Make this process the one writer until the returned descriptor is closed or the process ends, however it ends.

    Raises:
        StoreUnavailable: STORE_LOCKED or STORE_IO.
    """
    descriptor = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if descriptor is not None:
            os.close(descriptor)
        raise _locked(path) from None
    except OSError as error:
        raise trouble(path, error) from None
    return descriptor


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the store beside its writer; nothing can be changed through this connection.

    Raises:
        StoreCorrupt: STORE_CORRUPT or STORE_OTHER.
        StoreUnavailable: STORE_IO, also where there is no store yet.
    """
    database = None
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, check_same_thread=False)
        database.row_factory = sqlite3.Row
        _check_identity(database, path)
    except (sqlite3.Error, CollectorError) as error:
        if database is not None:
            database.close()
        if isinstance(error, CollectorError):
            raise
        if not path.exists():
            remedy = "name the collector's store with --store, or its settings with --config"
            raise StoreUnavailable(Reason.STORE_IO, f"{path}: there is no store", remedy) from None
        raise trouble(path, error) from None
    return database


def trouble(path: Path, error: Exception) -> CollectorError:
    """What an error of SQLite or the file system means for whoever runs the collector."""
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return StoreCorrupt(Reason.STORE_CORRUPT, f"{path}: {error}", _ASIDE)
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return _locked(path)
    remedy = "check that the directory exists, is writable, and that the disk has space"
    return StoreUnavailable(Reason.STORE_IO, f"{path}: {error}", remedy)


def _locked(path: Path) -> StoreUnavailable:
    remedy = "stop the other collector, or give this one its own store"
    return StoreUnavailable(Reason.STORE_LOCKED, f"{path}: another process is writing it", remedy)


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    if database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        _check_identity(database, path)
        small = path.stat().st_size <= CHECKED_SIZE
        verdict = database.execute("PRAGMA quick_check(1)").fetchone()[0] if small else "ok"
        if verdict != "ok":
            raise StoreCorrupt(Reason.STORE_CORRUPT, f"{path}: {verdict}", _ASIDE)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("BEGIN IMMEDIATE")
    if not database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        for statement in TABLES.split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA application_id={APPLICATION_ID}")
        database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    database.execute("COMMIT")


def _check_identity(database: sqlite3.Connection, path: Path) -> None:
    if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        remedy = "name a file that a collector made, or one that does not exist yet"
        raise StoreCorrupt(Reason.STORE_OTHER, f"{path}: an SQLite file, but not a collector's store", remedy)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        remedy = f"run the collector that made it; this one reads version {SCHEMA_VERSION}"
        raise StoreCorrupt(Reason.STORE_OTHER, f"{path}: a store of version {version}", remedy)
