"""A damaged outbox: set aside, and a new one begun with what can still be read of it.

Each envelope has its digest beside it, so what is read is what was put there, or is left out. The new file is made
complete under another name first; a power cut at any point leaves one of the two to go on with.
"""

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.relay.database import open_database
from edge.relay.rows import digest_of

log = logging.getLogger("speckled.relay")

KEPT_ASIDE = 4
"""Damaged files that are kept for whoever wants to look at them; the oldest is deleted beyond that."""
LONGEST = 200_000
"""Row numbers that are tried where the file cannot say how far they go."""
TABLES = {
    "observation": ("id", "epoch", "position", "envelope", "hash", "born", "digest"),
    "freed": ("id", "epoch", "position", "digest", "hash"),
    "counter": ("name", "value"),
    "heard": ("epoch", "upto", "hash"),
    "capture": ("id", "made", "dropped", "waiting", "accepted", "ahead"),
}
PARTS = ("-wal", "-shm")


def begin_again(path: Path) -> None:
    """Put a new outbox in the place of the damaged one, which is renamed. Raises sqlite3.Error, OSError."""
    fresh = _fresh(path)
    _remove(fresh)
    database = open_database(fresh, journal="DELETE")
    try:
        kept = _carry_over(path, database)
    finally:
        database.close()
    aside = _set_aside(path)
    fresh.rename(path)
    log.error(
        "the outbox was damaged and is now %s; %d observations could be read from it, and what it held besides is lost",
        aside,
        kept,
    )


def finish(path: Path) -> None:
    """Complete what a power cut has interrupted."""
    fresh = _fresh(path)
    if path.exists():
        _remove(fresh)
    elif fresh.exists():
        _set_aside(path)  # what the renaming of the old file's parts had left
        fresh.rename(path)


def _carry_over(path: Path, into: sqlite3.Connection) -> int:
    into.execute("BEGIN IMMEDIATE")
    # A reader of its own kind: what is set aside stays as it was found, its log included.
    damaged = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        for table, columns in TABLES.items():
            for row in _readable(damaged, table, columns):
                if table != "observation" or row[6] in (b"", digest_of(row[3])):
                    _insert(into, table, columns, row)
    finally:
        damaged.close()
    kept = int(into.execute("SELECT count(*) FROM observation").fetchone()[0])
    if into.execute("SELECT count(*) FROM counter").fetchone()[0] == 0:
        into.execute("INSERT INTO counter VALUES ('accepted', ?)", (kept,))
    aside = "INSERT INTO counter VALUES ('set_aside', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
    into.execute(aside)
    into.execute("COMMIT")
    return kept


def _readable(damaged: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Row by row, since one page that is gone ends every scan across it."""
    names = ", ".join(columns)
    try:
        damaged.execute(f"SELECT {names} FROM {table} LIMIT 0")  # noqa: S608 (the names are constants)
    except sqlite3.Error:  # of an older version, or beyond reading
        return
    first, last = _range(damaged, table)
    for number in range(first, last + 1):
        try:
            query = f"SELECT {names} FROM {table} WHERE rowid = ?"  # noqa: S608 (the names are constants)
            row = damaged.execute(query, (number,)).fetchone()
        except (sqlite3.Error, OverflowError):
            continue
        if row is not None:
            yield row


def _range(damaged: sqlite3.Connection, table: str) -> tuple[int, int]:
    """The row numbers that there may be."""
    last = _number(damaged, f"SELECT max(rowid) FROM {table}")  # noqa: S608 (the names are constants)
    if last is None:
        last = _number(damaged, f"SELECT max(seq) FROM sqlite_sequence WHERE name = '{table}'")  # noqa: S608 (as above)
    first = _number(damaged, f"SELECT min(rowid) FROM {table}")  # noqa: S608 (as above)
    if last is None:
        last = (first or 0) + LONGEST
    return (max(1, last - LONGEST) if first is None else first), last


def _number(damaged: sqlite3.Connection, query: str) -> int | None:
    """0 where there is nothing; None where it cannot be read."""
    try:
        return int(damaged.execute(query).fetchone()[0] or 0)
    except sqlite3.Error:
        return None


def _insert(into: sqlite3.Connection, table: str, columns: tuple[str, ...], row: tuple[Any, ...]) -> None:
    query = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 (as above)
    try:
        into.execute(query, row)
    except sqlite3.IntegrityError:  # a value of the wrong type: the damage went through it
        return


def _set_aside(path: Path) -> Path:
    """Rename the database with its log, so that whoever repairs it has both.

    The log goes first: left behind, it would be taken for the new file's.
    """
    taken = sorted((int(old.name.rpartition("-")[2]), old) for old in path.parent.glob(f"{path.name}.corrupt-*[0-9]"))
    aside = path.with_name(f"{path.name}.corrupt-{taken[-1][0] + 1 if taken else 1}")
    for suffix in (*PARTS, ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    for _, old in taken[: max(0, len(taken) + 1 - KEPT_ASIDE)]:
        _remove(old)
    return aside


def _fresh(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _remove(path: Path) -> None:
    for suffix in ("", *PARTS, "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
