"""What became of every observation: capture's counts beside the outbox's own.

Capture hands over `made - dropped - waiting` observations, and the outbox has accepted as many, plus those that it had
accepted before it first knew capture's counts (`ahead`). Each one that it accepted is acknowledged, evicted or still
there. What is missing in either sum is lost.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass

from wire.schema import CaptureReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """made, dropped, spooled: as capture last said, None before its first word; lost: what nobody accounts for."""

    made: int | None
    dropped: int | None
    spooled: int | None
    lost: int


def counters(database: sqlite3.Connection) -> Counter[str]:
    """Those that are on the disk."""
    return Counter(dict(database.execute("SELECT name, value FROM counter")))


def add(database: sqlite3.Connection, counts: Counter[str], *, lived: int) -> None:
    """Add to the counters; `lived` replaces its own."""
    query = "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value"
    database.executemany(query, [item for item in counts.items() if item[1]])
    query = "INSERT INTO counter VALUES ('lived', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    database.execute(query, (lived,))


def note(database: sqlite3.Connection, report: CaptureReport, accepted: int) -> None:
    """Keep capture's counts, and how many observations had been accepted when they were heard.

    Counts that went back are of another folder of capture: what is ahead is found anew then.
    """
    last = database.execute("SELECT made, ahead FROM capture").fetchone()
    ahead = last[1] if last and report.made >= last[0] else None
    handed = report.made - report.dropped - report.waiting
    if ahead is None and handed == accepted == 0:
        ahead = 0
    query = "INSERT OR REPLACE INTO capture VALUES (1, ?, ?, ?, ?, ?)"
    database.execute(query, (report.made, report.dropped, report.waiting, accepted, ahead))


def base(database: sqlite3.Connection, accepted: int) -> bool:
    """Find out what the outbox had accepted before it knew capture's counts. Whether that is known now.

    To be called when capture has counted again, after its last word was heard, and found the same. If nothing was
    accepted between the two and nothing waited, nothing was on its way.
    """
    made, dropped, waiting, before, ahead = database.execute(
        "SELECT made, dropped, waiting, accepted, ahead FROM capture"
    ).fetchone()
    if ahead is not None:
        return True
    if waiting or before != accepted:
        database.execute("UPDATE capture SET accepted = ?", (accepted,))
        return False
    database.execute("UPDATE capture SET ahead = ?", (accepted - (made - dropped),))
    return True


def drawn_up(database: sqlite3.Connection, counts: Counter[str], *, waiting: int) -> Account:
    """The account, with `waiting` observations in the outbox now."""
    evicted = sum(number for name, number in counts.items() if name.startswith("evicted:"))
    inside = max(0, counts["accepted"] - counts["acknowledged"] - evicted - waiting)
    last = database.execute("SELECT made, dropped, waiting, accepted, ahead FROM capture").fetchone()
    if last is None:
        return Account(made=None, dropped=None, spooled=None, lost=inside)
    made, dropped, spooled, accepted, ahead = last
    between = 0 if ahead is None else max(0, made - dropped - spooled + ahead - accepted)
    return Account(made=made, dropped=dropped, spooled=spooled, lost=inside + between)
