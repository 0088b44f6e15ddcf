"""Questions to the store, asked beside its writer."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cbor2

from collector.errors import Reason, StoreCorrupt
from collector.schema import connect_to_read, trouble
from wire.codec import decode
from wire.errors import WireError, WireReason
from wire.schema import Observation

_ROW = "id, device, epoch, position, level, opened, closed, received, keypoints, simulated"


@dataclass(frozen=True, slots=True)
class Row:
    """One stored observation without its contents; times in ms of Unix time."""

    id: int
    device: str
    epoch: bytes
    position: int
    level: str
    opened: int
    closed: int
    received: int
    keypoints: int
    simulated: int


@dataclass(frozen=True, slots=True)
class DeviceSummary:
    """What the store knows of one device. `missing` counts ledger positions between stored ones, newest epoch only."""

    device: str
    state: str
    changed: int
    observations: int
    position: int
    missing: int
    received: int
    simulated: bool
    letters: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter without its contents."""

    topic: str
    device: str
    reason: str
    detail: str
    size: int
    count: int
    last_received: int


class Reader:
    """One read-only connection. Make one for each thread; use it as a context manager, or close it."""

    def __init__(self, path: Path) -> None:
        """Raise StoreUnavailable where there is no store yet, StoreCorrupt where there is something else."""
        self._path = path
        self._database = connect_to_read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def version(self) -> int:
        """A number that is another one after each commit of the writer."""
        return int(self._query("PRAGMA data_version")[0][0])

    def devices(self) -> list[DeviceSummary]:
        """Every device that sent something or said that it is online, by name."""
        names = {row["device"] for row in self._query("SELECT device FROM observation GROUP BY device")}
        names |= {row["device"] for row in self._query("SELECT device FROM device")}
        return [self.device(name) for name in sorted(names)]

    def device(self, name: str) -> DeviceSummary:
        """One device; all zero where the store knows nothing of it."""
        last = self.newest(name)
        epoch = last.epoch if last else b""
        first, top, here = self._query(
            "SELECT min(position), max(position), count(*) FROM observation WHERE device=? AND epoch=?", name, epoch
        )[0]
        total = self._query("SELECT count(*) FROM observation WHERE device=?", name)[0][0]
        letters = self._query("SELECT coalesce(sum(count), 0) FROM dead_letter WHERE device=?", name)[0][0]
        states = self._query("SELECT state, changed FROM device WHERE device=?", name)
        return DeviceSummary(
            device=name,
            state=states[0]["state"] if states else "unknown",
            changed=states[0]["changed"] if states else 0,
            observations=total,
            position=top or 0,
            missing=top - first + 1 - here if here else 0,
            received=last.received if last else 0,
            simulated=bool(last and last.simulated),
            letters=letters,
        )

    def newest(self, device: str) -> Row | None:
        """The observation of this device that was received last."""
        rows = self._rows("WHERE device=? ORDER BY id DESC LIMIT 1", device)
        return rows[0] if rows else None

    def levels(self, device: str) -> list[str]:
        """The levels this device has sent, by name."""
        found = self._query("SELECT DISTINCT level FROM observation WHERE device=? ORDER BY level", device)
        return [row["level"] for row in found]

    def latest(self, device: str, level: str, count: int) -> list[Row]:
        """The newest observations of one level in ledger order, newest first: the newest epoch before older ones."""
        rows = self._rows("WHERE device=? AND level=? ORDER BY id DESC LIMIT ?", device, level, 4 * count)
        arrival: dict[bytes, int] = {}
        for row in rows:
            arrival.setdefault(row.epoch, len(arrival))
        return sorted(rows, key=lambda row: (arrival[row.epoch], -row.position))[:count]

    def at(self, device: str, position: int) -> Row | None:
        """The observation at a ledger position, of the epoch that was received last."""
        rows = self._rows("WHERE device=? AND position=? ORDER BY id DESC LIMIT 1", device, position)
        return rows[0] if rows else None

    def by_id(self, number: int) -> Row | None:
        """The observation in this row of the store."""
        rows = self._rows("WHERE id=?", number)
        return rows[0] if rows else None

    def observation(self, number: int) -> Observation | None:
        """The observation in this row of the store, decoded. Its signature was verified when it came in.

        Raises:
            StoreCorrupt: STORE_OTHER, where it has a form that this program does not read.
        """
        rows = self._query("SELECT envelope FROM observation WHERE id=?", number)
        try:
            return unwrap(rows[0]["envelope"]) if rows else None
        except WireError as error:
            detail = f"{self._path}: the observation of row {number} has another form: {error.detail}"
            remedy = "name one that a newer device has sent, or read this one with the program that stored it"
            raise StoreCorrupt(Reason.STORE_OTHER, detail, remedy) from None

    def letters(self, device: str | None = None, limit: int = 20) -> list[Letter]:
        """The newest dead letters, of one device or of all."""
        where, values = ("WHERE device=?", (device,)) if device is not None else ("", ())
        names = "topic, device, reason, detail, size, count, last_received"
        rows = self._query(
            f"SELECT {names} FROM dead_letter {where} ORDER BY last_received DESC LIMIT ?",  # noqa: S608 (constants)
            *values,
            limit,
        )
        return [Letter(*row) for row in rows]

    def _rows(self, condition: str, *values: object) -> list[Row]:
        rows = self._query(f"SELECT {_ROW} FROM observation {condition}", *values)  # noqa: S608 (constants)
        return [Row(*row) for row in rows]

    def _query(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._translated():
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise trouble(self._path, error) from None


def unwrap(envelope: bytes) -> Observation:
    """The observation inside an envelope whose signature was verified before, or is not asked for.

    Raises:
        WireError: as wire.codec.decode, and MALFORMED where this is no envelope.
    """
    try:
        payload = cbor2.loads(envelope).value[2]
    except Exception as error:  # a decoder under attack may raise anything; all of it means the same here
        raise WireError(WireReason.MALFORMED, type(error).__name__) from None
    if not isinstance(payload, bytes):
        raise WireError(WireReason.MALFORMED, "not a COSE_Sign1 envelope")
    return decode(payload, Observation)
