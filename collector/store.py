import hashlib
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from collector.acknowledge import Intervals
from collector.errors import CollectorError
from collector.schema import connect_to_write, lock, trouble
from wire.schema import MAX_MESSAGE, Observation, State

T = TypeVar("T")

LETTERS_PER_TOPIC = 64
LETTERS = 1024
"""Dead letters kept, of one topic and in all; at 64 KiB each at most 64 MiB. The oldest give way."""
TOPIC_LENGTH = 256
"""Characters of a dead letter's topic that are kept: more than any device's topic has."""
CACHED_EPOCHS = 4096

Ledger = tuple[str, bytes]
"""A device and an epoch of its ledger."""


class Outcome(StrEnum):
    """What became of an observation that was offered to the store."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    EQUIVOCATION = "equivocation"
    CHAIN = "chain"


class Store:
    """The observations, each exactly once. One writer, one thread.

    Everything between two commits is one transaction: `commit` returns when it is on the disk, and only then may
    anybody be told. Where a call raises, the open transaction is lost as a whole and the store can go on.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int]) -> None:
        """Open or make the store.

        Args:
            path: the SQLite file; its directory is made where missing.
            clock: Unix time in ms.

        Raises:
            StoreCorrupt: not a store, or damaged; never overwritten.
            StoreUnavailable: locked by another collector, or not writable.
        """
        self._path = path
        self._clock = clock
        self._lock = lock(path)
        try:
            self._database = connect_to_write(path)
        except CollectorError:
            os.close(self._lock)
            raise
        self._intervals: OrderedDict[Ledger, Intervals] = OrderedDict()
        self._added: list[tuple[Ledger, int]] = []

    def add(self, observation: Observation, envelope: bytes) -> Outcome:
        """Offer a checked observation.

        STORED: new. DUPLICATE: the same envelope is there already. EQUIVOCATION: another message holds its place in
        the ledger. CHAIN: a stored neighbour of the ledger does not link to it. Only STORED changes anything.

        Raises:
            StoreUnavailable, StoreCorrupt: nothing of this transaction is kept.
        """
        return self._guarded(lambda: self._add(observation, envelope))

    def add_dead_letter(self, topic: str, device: str, payload: bytes, *, reason: str, detail: str) -> bool:
        """Keep a message that is no observation, once by its hash; a repetition is counted. True where it is new.

        Args:
            topic: it came on, of which the first 256 characters are kept.
            device: named by the topic, or empty.
            payload: of which the first 64 KiB are kept.
            reason: a stable word.
            detail: one line that does not quote the message.

        Raises:
            StoreUnavailable, StoreCorrupt: nothing of this transaction is kept.
        """
        return self._guarded(lambda: self._add_letter(topic, device, payload, reason, detail))

    def set_state(self, device: str, state: State, *, shown: str | None = None) -> None:
        """Remember what the device, or the broker on its behalf, last said of being online; `shown` in other words."""
        row = (device, shown or state.state, state.software[:64], state.session[:64], self._clock())
        upsert = "INSERT INTO device VALUES (?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET state=excluded.state, "
        upsert += "software=excluded.software, session=excluded.session, changed=excluded.changed"
        self._guarded(lambda: self._write(upsert, row))

    def commit(self) -> None:
        """Make everything since the last commit durable.

        Raises:
            StoreUnavailable, StoreCorrupt: nothing of this transaction is kept.
        """
        if self._database.in_transaction:
            self._guarded(lambda: self._database.execute("COMMIT"))
        for ledger, position in self._added:
            if ledger in self._intervals:
                self._intervals[ledger].add(position)
        self._added.clear()

    def stored(self, device: str, epoch: bytes) -> Intervals:
        """The committed positions of one ledger epoch.

        Raises:
            RuntimeError: something is added and not committed, so that the answer could be taken back.
        """
        if self._database.in_transaction:
            raise RuntimeError("commit before asking what is stored")
        ledger = (device, epoch)
        if ledger not in self._intervals:
            self._intervals[ledger] = Intervals(self._guarded(lambda: self._read_ranges(ledger)))
            if len(self._intervals) > CACHED_EPOCHS:
                self._intervals.popitem(last=False)
        self._intervals.move_to_end(ledger)
        return self._intervals[ledger]

    def hash_at(self, device: str, epoch: bytes, position: int) -> bytes:
        """The hash of the ledger entry at a stored position, 32 bytes. Raises KeyError where nothing is stored."""
        row = self._guarded(
            lambda: self._database.execute(
                "SELECT hash FROM observation WHERE device=? AND epoch=? AND position=?", (device, epoch, position)
            ).fetchone()
        )
        if row is None:
            raise KeyError(position)
        return bytes(row[0])

    def close(self) -> None:
        """Let go of the file; what was not committed is gone."""
        self._database.close()
        os.close(self._lock)

    def _add(self, observation: Observation, envelope: bytes) -> Outcome:
        self._begin()
        receipt, digest = observation.receipt, hashlib.sha256(envelope).digest()
        device = observation.device
        near = self._neighbours(device, receipt.epoch, receipt.position)
        if (same := near.get(receipt.position)) is not None:
            return Outcome.DUPLICATE if same[2] == digest else Outcome.EQUIVOCATION
        before, after = near.get(receipt.position - 1), near.get(receipt.position + 1)
        if (before and before[1] != receipt.previous) or (after and after[0] != receipt.hash):
            return Outcome.CHAIN
        self._database.execute(
            "INSERT INTO observation (device, epoch, position, previous, hash, level, opened, closed, received, "
            "keypoints, simulated, digest, envelope) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                device,
                receipt.epoch,
                receipt.position,
                receipt.previous,
                receipt.hash,
                observation.level,
                observation.opened,
                observation.closed,
                self._clock(),
                len(observation.features.keypoints),
                int(observation.statement.simulated),
                digest,
                envelope,
            ),
        )
        self._added.append(((device, receipt.epoch), receipt.position))
        return Outcome.STORED

    def _neighbours(self, device: str, epoch: bytes, position: int) -> dict[int, tuple[bytes, bytes, bytes]]:
        rows = self._database.execute(
            "SELECT position, previous, hash, digest FROM observation "
            "WHERE device=? AND epoch=? AND position BETWEEN ? AND ?",
            (device, epoch, position - 1, position + 1),
        )
        return {position: (previous, own, digest) for position, previous, own, digest in rows}

    def _add_letter(self, topic: str, device: str, payload: bytes, reason: str, detail: str) -> bool:
        self._begin()
        digest, now = hashlib.sha256(topic.encode(errors="replace") + b"\0" + payload).digest(), self._clock()
        known = self._database.execute(
            "UPDATE dead_letter SET count=count+1, last_received=?, reason=?, detail=? WHERE digest=?",
            (now, reason, detail, digest),
        )
        topic = topic[:TOPIC_LENGTH]
        if known.rowcount:
            return False
        self._database.execute(
            "INSERT INTO dead_letter (digest, topic, device, reason, detail, size, head, count, first_received, "
            "last_received) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
            (digest, topic, device, reason, detail, len(payload), payload[:MAX_MESSAGE], now, now),
        )
        oldest = "SELECT id FROM dead_letter {} ORDER BY id DESC LIMIT -1 OFFSET ?"
        for condition, values in (("WHERE topic=?", (topic, LETTERS_PER_TOPIC)), ("", (LETTERS,))):
            surplus = oldest.format(condition)
            self._database.execute(f"DELETE FROM dead_letter WHERE id IN ({surplus})", values)  # noqa: S608 (constants)
        return True

    def _read_ranges(self, ledger: Ledger) -> Iterable[tuple[int, int]]:
        """Consecutive positions share position - row number: one group for each range."""
        return self._database.execute(
            "SELECT min(position), max(position) FROM (SELECT position, position - row_number() OVER "
            "(ORDER BY position) AS island FROM observation WHERE device=? AND epoch=?) GROUP BY island ORDER BY 1",
            ledger,
        ).fetchall()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        self._begin()
        self._database.execute(statement, values)

    def _begin(self) -> None:
        if not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")

    def _guarded(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except sqlite3.Error as error:
            raise self._abandoned(error) from None

    def _abandoned(self, error: sqlite3.Error) -> CollectorError:
        self._added.clear()
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
        return trouble(self._path, error)
