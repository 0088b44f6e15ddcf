"""The account of one site, kept from outside: what its files say, read in an order that makes every comparison fair.

Each set only grows where the product keeps its promises, so reading the smaller one first needs no pause: a row that
the relay has forgotten must be in the store that is read afterwards, a row of the store in the ledger after that.
"""

import hashlib
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.privacy.chain import read_chain
from edge.privacy.examine import examine
from edge.relay.account import counters, drawn_up

Place = tuple[str, int]
"""An epoch in hexadecimal, and a position in it."""
WORDS = ("signed", "spooled", "accepted")
"""What a witness says of an envelope by its digest; `released` it says of a place in the ledger."""


class Violation(Exception):
    """A promise that was not kept."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A look at one moment of a database that another process writes, or wrote until it was killed.

    Without its index a log can only be read by whoever may write one: then a copy is read, and the database is left
    as it is for the process that has to recover it.
    """
    log, index = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    mode = "ro"
    with ExitStack() as stack:
        if log.exists() and not index.exists():
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="soak-")))
            for part in (path, log):
                shutil.copy(part, folder)
            path = folder / path.name
            mode = "rw"
        database = stack.enter_context(closing(sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=20)))
        database.execute("BEGIN")
        yield database


@dataclass
class Books:
    """Everything that is known of a site.

    committed: what the relay's outbox was ever seen to hold or to have held, with the digest of its envelope.
    gone: what a fault destroyed on purpose, and which. charges: of every ledger file that was ever in use.
    """

    device: Path
    store: Path
    witness: Path
    drain: Callable[[], None]
    committed: dict[Place, str] = field(default_factory=dict)
    waiting: set[Place] = field(default_factory=set)
    freed: set[Place] = field(default_factory=set)
    stored: dict[Place, str] = field(default_factory=dict)
    gone: dict[Place, str] = field(default_factory=dict)
    charges: dict[Place, str] = field(default_factory=dict)
    letters: Counter[str] = field(default_factory=Counter)
    explained: set[str] = field(default_factory=set)
    released: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    _witnessed: int = 0
    _rows: int = 0
    _freed_rows: int = 0
    _ledger: tuple[int, bytes] = (0, bytes(32))
    _releases: set[Place] = field(default_factory=set)
    _said: dict[str, set[str]] = field(
        default_factory=lambda: {word: set() for word in ("signed", "spooled", "accepted")}
    )
    unspooled: set[str] = field(default_factory=set)
    _base: int | None = 0
    _since: set[Place] = field(default_factory=set)
    _digests: set[str] = field(default_factory=set)

    @property
    def outbox(self) -> Path:
        return self.device / "relay" / "outbox.sqlite"

    @property
    def database(self) -> Path:
        return self.store / "observations.sqlite"

    @property
    def ledger(self) -> Path:
        return self.device / "capture" / "ledger.jsonl"

    def check(self) -> None:
        """Read everything in a fair order and compare. Raises Violation. The processes may run meanwhile."""
        self.read_witness()
        self.read_outbox()
        taken = {digest for digest in self._said["accepted"] if digest not in self._digests}
        if taken:
            raise Violation(f"the relay accepted {len(taken)} observations and its outbox never held them")
        freed = set(self.freed)
        self.read_store()
        lost = [place for place in freed if place not in self.stored and place not in self.gone]
        if lost:
            raise Violation(f"the relay forgot {len(lost)} observations that no store holds, the first {min(lost)}")
        strange = [place for place in self.stored if place not in self.committed]
        if strange:
            self.read_outbox()
            strange = [place for place in strange if place not in self.committed]
        if strange:
            raise Violation(f"{len(strange)} observations are stored that no outbox held, the first {min(strange)}")
        other = [place for place, digest in self.stored.items() if digest != self.committed[place]]
        if other:
            raise Violation(f"{len(other)} observations are stored otherwise than they were committed")
        self.read_ledger()
        for name, places in (("released", self._releases), ("committed", self.committed), ("stored", self.stored)):
            unpaid = [place for place in places if place not in self.charges]
            if unpaid:
                raise Violation(f"{len(unpaid)} observations were {name} without a charge, the first {min(unpaid)}")
        if len(self.charges) < self.released:
            raise Violation(f"{self.released} releases and {len(self.charges)} charges")
        unexplained = set(self.letters) - self.explained
        if unexplained:
            raise Violation(f"dead letters that no fault explains: {', '.join(sorted(unexplained))}")

    def pending(self) -> set[str]:
        """Digests of what lies in capture's spool and was not seen in the outbox."""
        self.read_witness()
        self.read_outbox()
        return self._said["spooled"] - self._digests - self.unspooled

    def spool_put_back(self, pending: set[str]) -> None:
        """The spool is an older one: of what was pending, it has only what is in it."""
        files = (self.device / "capture" / "spool").glob("*.cose")
        self.unspooled |= pending - {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def close(self, *, gentle: bool) -> None:
        """The end of a site at rest: nothing is missing, and what the product counts as lost is what was lost."""
        if missing := self.missing():
            raise Violation(f"{len(missing)} committed observations are in no store, the first {min(missing)}")
        if pending := self.pending():
            raise Violation(f"{len(pending)} observations lay in the spool and never reached the outbox")
        with reading(self.outbox) as database:
            said = drawn_up(database, counters(database), waiting=0)
        unwritten = self._said["signed"] - self._said["spooled"] - self._digests
        if gentle and said.lost > len(unwritten):
            raise Violation(f"the relay counts {said.lost} lost, and {len(unwritten)} never were on a disk")
        if gentle and self.gone:
            raise Violation(f"{len(self.gone)} observations were destroyed by nothing")

    def missing(self) -> list[Place]:
        """Committed, neither stored nor destroyed on purpose."""
        return [place for place in self.committed if place not in self.stored and place not in self.gone]

    def read_witness(self) -> None:
        """What the rig's own wrappers wrote down in capture."""
        self.drain()
        data = self.witness.read_bytes()
        end = data.rfind(b"\n") + 1
        for line in data[self._witnessed : end].decode().splitlines():
            kind, *rest = line.split()
            if kind in self._said:
                self._said[kind].add(rest[0])
            else:
                place = rest[0], int(rest[1])
                if place in self._releases:
                    raise Violation(f"two windows were closed on one charge: {place}")
                self._releases.add(place)
                self.released += 1
        self._witnessed = end

    def read_outbox(self) -> None:
        """Rows that wait, rows that were freed, counters; all at one moment."""
        if not self.outbox.exists():
            return
        try:
            with reading(self.outbox) as database:
                rows = database.execute("SELECT epoch, position, envelope FROM observation").fetchall()
                query = "SELECT epoch, position, digest, id FROM freed WHERE id > ? ORDER BY id"
                freed = database.execute(query, (self._freed_rows,)).fetchall()
                counted = dict(database.execute("SELECT name, value FROM counter"))
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # killed while it was made
                return
            raise
        before, self.waiting = self.waiting, set()
        for epoch, position, envelope in rows:
            place = epoch.hex(), position
            self.waiting.add(place)
            self._commit(place, hashlib.sha256(envelope).hexdigest())
        for epoch, position, digest, row in freed:
            place = epoch.hex(), position
            self.freed.add(place)
            self._commit(place, digest.hex())
            self._freed_rows = row
        if vanished := before - self.waiting - self.freed:
            raise Violation(f"{len(vanished)} observations vanished from the outbox, the first {min(vanished)}")
        self._count(counted)

    def _commit(self, place: Place, digest: str) -> None:
        known = self.committed.setdefault(place, digest)
        if known != digest:
            raise Violation(f"two different observations were committed for {place}")
        self._since.add(place)
        self._digests.add(digest)

    def _count(self, counters: dict[str, int]) -> None:
        if self._base is None:
            self._base = counters.get("accepted", 0) - len(self._since)
        accepted = counters.get("accepted", 0) - self._base
        if accepted != len(self._since):
            raise Violation(f"the relay counts {accepted} accepted, and {len(self._since)} are or were in its outbox")
        for name, value in counters.items():
            if name.startswith("refused:") or name in {"forked", "ignored-acknowledgement"}:
                self.refused[name] = value
        if bad := {"refused:equivocation", "forked"} & set(self.refused) - self.explained:
            raise Violation(f"the relay counts {', '.join(sorted(bad))}")

    def new_outbox(self) -> None:
        """The outbox's file is another one from now on: count anew from what is in it."""
        self._since, self.freed, self._freed_rows, self._base, self.waiting = set(), set(), 0, None, set()
        self.read_outbox()

    def read_store(self) -> None:
        """Rows of the collector's store that are new, and how many there are in all."""
        if not self.database.exists():
            return
        try:
            with reading(self.database) as database:
                query = "SELECT id, epoch, position, digest FROM observation WHERE id > ? ORDER BY id"
                rows = database.execute(query, (self._rows,)).fetchall()
                total = database.execute("SELECT count(*) FROM observation").fetchone()[0]
                self.letters = Counter(dict(database.execute("SELECT reason, sum(count) FROM dead_letter GROUP BY 1")))
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return
            raise
        for row, epoch, position, digest in rows:
            place = epoch.hex(), position
            if place in self.stored:
                raise Violation(f"stored twice: {place}")
            self.stored[place] = digest.hex()
            self._rows = row
        if total != len(self.stored):
            raise Violation(f"the store holds {total} observations and held {len(self.stored)}")

    def new_store(self) -> list[Place]:
        """The store's file is another one: read it whole. What it had held and does not hold."""
        before = set(self.stored)
        self.stored, self._rows = {}, 0
        self.read_store()
        return sorted(before - set(self.stored))

    def read_ledger(self) -> None:
        """Entries that are new, each hash computed here."""
        size, previous = self._ledger
        if not self.ledger.exists():
            return
        data = self.ledger.read_bytes()
        if len(data) < size:
            raise Violation("the ledger has become shorter")
        end = data.rfind(b"\n") + 1
        for line in data[size:end].splitlines():
            try:
                entry = json.loads(line)
                digest = entry.pop("hash")
            except (ValueError, KeyError):  # what was read before has become shorter and grown again
                raise Violation("the ledger goes on in the middle of an entry") from None
            text = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
            previous = hashlib.sha256(previous + text).digest()
            if previous.hex() != digest:
                raise Violation(f"the ledger's chain breaks at position {entry['position']}")
            if entry["kind"] == "charge":
                place = entry["epoch"], entry["position"]
                if place in self.charges and self.charges[place] != digest:
                    raise Violation(f"two charges at {place}")
                self.charges[place] = digest
        self._ledger = end, previous

    def new_ledger(self) -> None:
        """The ledger's file is another one: read it from its beginning."""
        self._ledger = 0, bytes(32)

    def audit(self) -> None:
        """The whole ledger by the product's own examination, and what its charges cost each frame. Capture is dead."""
        if not self.ledger.exists():
            return
        entries = read_chain(self.ledger.read_bytes(), "ledger")[0]
        examine(entries, "ledger")
        limit = Fraction(0)
        steps: Counter[int] = Counter()
        for entry in entries:
            if entry["kind"] == "epoch":
                limit = max(limit, Fraction(entry["cost_max"]))
            else:
                cost = Fraction(entry["cost"])
                steps[entry["first_frame"]] += cost
                steps[entry["first_frame"] + entry["frames"]] -= cost
        most = max(accumulate(steps[frame] for frame in sorted(steps)), default=Fraction(0))
        if most > limit:
            raise Violation(f"a frame was charged {most}, and at most {limit} was promised")

    def totals(self) -> dict[str, int]:
        """The figures of the table."""
        return {
            "charged": len(self.charges),
            "released": self.released,
            "signed": len(self._said["signed"]),
            "spooled": len(self._said["spooled"]),
            "committed": len(self.committed),
            "stored": len(self.stored),
            "destroyed": sum(place not in self.stored for place in self.gone),
            "put back": len(self.unspooled),
            "dead letters": sum(self.letters.values()),
        }
