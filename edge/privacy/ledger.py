"""The durable record of every charge. A window is paid for here before it opens, for ever and on disk."""

import contextlib
import fcntl
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, NoReturn, Protocol

from edge.errors import LedgerError, Reason
from edge.privacy.account import resume
from edge.privacy.chain import Entry, LedgerNotWritable, encode_line, ratio, read_chain, read_entries
from edge.privacy.examine import examine
from edge.privacy.files import read_all, sync_directory, write_all
from edge.privacy.head import HeadFile, Mark, open_head
from edge.privacy.mechanism import Mechanism
from edge.privacy.receipt import Charge, Receipt, make_receipt
from edge.privacy.spacing import Spacing
from edge.privacy.terms import Terms, write_terms
from wire.exit import Exit

__all__ = ["Ledger", "Receipt", "read_entries"]


class ClockBehind(LedgerError):
    """The clock is before the last entry: not set yet, or this file is an old copy. Time may mend it."""

    exit = Exit.RETRY


class History(Protocol):
    """Somebody else's word of an entry of this ledger, the relay's or the collector's: epoch, upto and hash."""

    @property
    def epoch(self) -> bytes: ...
    @property
    def upto(self) -> int: ...
    @property
    def hash(self) -> bytes: ...


CLOCK_TOLERANCE_MS: Final = 5_000
"""How far the clock may be set back between two entries: a step of a time service, not a restored old copy."""
_ROOM = "make room on the disk of the capture state directory and start again"


def random_epoch() -> bytes:
    """A name for an epoch: 16 random bytes. It is public, and only has to differ from every other."""
    return secrets.token_bytes(16)


class Ledger:
    """One camera's ledger, open for charging. One process has it at a time; one thread uses it.

    An epoch binds the charges after it to one configuration. Positions and frame numbers go on over epochs and
    restarts, and are never used twice.
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        configuration: bytes,
        terms: Terms,
        clock: Callable[[], int],
        monotonic: Callable[[], int] = time.monotonic_ns,
        speedup: int = 1,
        history: Callable[[], Sequence[History]] = lambda: (),
        new_epoch: bool = False,
        make_epoch: Callable[[], bytes] = random_epoch,
    ) -> None:
        """Open or create the file, verify every entry in it, and cut off a last line that broke off.

        A file `<path>.head` beside it says how far the ledger had got; one that ends earlier is refused.

        Args:
            path: the file; its directory exists.
            device: the device's id.
            configuration: 32 bytes; another value than the epoch's needs `new_epoch`.
            terms: what the epoch promises; other terms than its own need `new_epoch`.
            clock: Unix time in ms.
            monotonic: ns that only grow, by which frames are kept apart.
            speedup: how many times faster than life the frames of a simulated camera may come.
            history: what relay and collector have said of this ledger since it was last called; compared before each
                charge.
            new_epoch: begin an epoch even where one goes on. A person asks for it, so it also takes the clock as it is
                and the file as it ends.
            make_epoch: a new epoch's name, 16 bytes.

        Raises:
            LedgerError: LEDGER_CORRUPT (the line is named), LEDGER_LOCKED, LEDGER_CHANGED, LEDGER_CLOCK, LEDGER_TAIL,
                LEDGER_IO.
        """
        self._path = path
        self._terms = terms
        self._clock = clock
        self._history = history
        self._head: HeadFile | None = None
        self._fd: int | None = _open_locked(path)
        try:
            entries, tail = read_chain(self._read(), str(path))
            examine(entries, str(path))
            self._previous, self._position, self._size = tail.hash, tail.entries, tail.size
            self._hashes = [bytes.fromhex(entry["hash"]) for entry in entries]
            self._newest_time = _newest_time(entries)
            self._account = resume(
                terms.cost_max, ((e["first_frame"], e["frames"]) for e in entries if e["kind"] == "charge")
            )
            self._spacing = Spacing(terms.frame_rate * speedup, monotonic, resumed=self._account.next_frame > 0)
            self._open_head(new_epoch=new_epoch)
            self._cut()
            promised = {"device": device, "configuration": configuration.hex(), **write_terms(terms)}
            self._epoch = self._enter_epoch(entries, promised, make_epoch, new_epoch=new_epoch)
            self._charges = _charges(entries, self._epoch)
        except BaseException:  # whatever is wrong with the file, the next attempt may lock it
            self.close()
            raise

    @property
    def epoch(self) -> bytes:
        """The name of the epoch, 16 bytes."""
        return self._epoch

    @property
    def cost_max(self) -> Fraction:
        """What the windows of this epoch that use one frame may cost it together."""
        return self._terms.cost_max

    @property
    def charges(self) -> Counter[str]:
        """How many windows this epoch was charged for, by level."""
        return self._charges.copy()

    @property
    def next_frame(self) -> int:
        """The number to give the next frame after a restart: no window was ever charged for it or a later one."""
        return self._account.next_frame

    @contextlib.contextmanager
    def frame(self, number: int) -> Iterator[None]:
        """Take frame `number` inside this: `with ledger.frame(i): frame.fill(...)`.

        Raises:
            LedgerError: LEDGER_PACE where it comes sooner than one period after the last one; LEDGER_OVERSPENT where a
                frame of this number was taken before. Capture ends then, and its open windows with it.
        """
        self._account.take(number)
        with self._spacing.frame():
            yield

    def recognise(self, word: History) -> None:
        """Compare what somebody says of this epoch with the entries that are here. Nothing is charged if they differ.

        Raises:
            LedgerError: LEDGER_ROLLBACK where the word is of an entry of this epoch that is not here, or is another
                one here: this file is an older copy, or went on from one.
        """
        if word.epoch != self._epoch:
            return
        if word.upto > self._position or self._hashes[word.upto - 1] != word.hash:
            self.close()
            short = word.upto > self._position
            raise LedgerError(
                Reason.LEDGER_ROLLBACK,
                f"{self._path}: position {word.upto} of this epoch was handed over, "
                + (f"and the ledger ends at {self._position}" if short else "and is another one here"),
                "put the newest copy of the ledger back; where there is none, count the positions between as spent and "
                "begin a new epoch with `speckled run --new-epoch`",
            )

    def charge(self, level: str, mechanism: Mechanism, first_frame: int) -> Receipt:
        """Pay for a window over frames first_frame .. first_frame + N - 1. The charge is on disk on return.

        Raises:
            LedgerError: LEDGER_OVERSPENT, LEDGER_CLOCK, LEDGER_ROLLBACK or LEDGER_IO. There is no receipt then, and no
                charge, except that a charge may stand in the file after LEDGER_IO.
        """
        for word in self._history():
            self.recognise(word)
        if mechanism.noise != self._terms.noise:
            raise LedgerError(
                Reason.LEDGER_CHANGED,
                f"level {level} has {mechanism.noise} noise, and the epoch counts {self._terms.noise}",
                "use a profile with one kind of noise",
            )
        cost = mechanism.cost(self._terms.unit)
        self._account.admit(level, first_frame, mechanism.frames, cost)
        lut = mechanism.lut.spec
        previous = self._previous
        position = self._append(
            {
                "kind": "charge",
                "epoch": self._epoch.hex(),
                "level": level,
                "lut": lut.name,
                "parameter": lut.parameter,
                "range": lut.range,
                "scale": mechanism.scale,
                "slope": ratio(mechanism.slope),
                "cost": ratio(cost),
                "first_frame": first_frame,
                "frames": mechanism.frames,
                "cell": mechanism.cell,
                "rows": mechanism.rows,
                "columns": mechanism.columns,
            }
        )
        self._account.enter(level, first_frame, mechanism.frames, cost)
        self._charges[level] += 1
        return make_receipt(
            Charge(
                level=level,
                epoch=self._epoch,
                position=position,
                previous=previous,
                hash=self._previous,
                first_frame=first_frame,
            ),
            mechanism,
        )

    def close(self) -> None:
        """Let the file go. Safe to call twice."""
        fd, self._fd = self._fd, None
        head, self._head = self._head, None
        if head is not None:
            head.close()
        if fd is not None:
            os.close(fd)

    def _read(self) -> bytes:
        try:
            return read_all(self._fd) if self._fd is not None else b""
        except OSError as error:
            raise LedgerNotWritable(Reason.LEDGER_IO, f"{self._path}: {error.strerror}", _ROOM) from None

    def _open_head(self, *, new_epoch: bool) -> None:
        """The file of marks, in step with the ledger."""
        try:
            self._head = open_head(head_path(self._path), self._hashes, believe=not new_epoch)
            sync_directory(self._path)
        except OSError as error:
            raise LedgerNotWritable(Reason.LEDGER_IO, f"{self._path}: {error.strerror}", _ROOM) from None

    def _enter_epoch(
        self, entries: list[Entry], terms: Entry, make_epoch: Callable[[], bytes], *, new_epoch: bool
    ) -> bytes:
        """Go on with the last epoch where its terms are ours, else begin one where that is asked for."""
        last = next((entry for entry in reversed(entries) if entry["kind"] == "epoch"), None)
        if last is not None and not new_epoch:
            changed = [name for name, value in terms.items() if last[name] != value]
            if changed:
                raise LedgerError(
                    Reason.LEDGER_CHANGED,
                    f"{self._path}: the ledger's epoch was begun with another {' and '.join(changed)}",
                    "put the old settings back, or begin a new epoch with `speckled run --new-epoch`",
                )
            return bytes.fromhex(last["epoch"])
        name = make_epoch()
        self._newest_time = 0
        self._append({"kind": "epoch", "epoch": name.hex(), **terms})
        return name

    def _append(self, body: Entry) -> int:
        """Write one entry through to the disk; its position."""
        fd, head = self._fd, self._head
        if fd is None or head is None:
            raise LedgerNotWritable(Reason.LEDGER_IO, f"{self._path}: the ledger is closed", "start again")
        now = self._clock()
        if now < self._newest_time - CLOCK_TOLERANCE_MS:
            raise ClockBehind(
                Reason.LEDGER_CLOCK,
                f"{self._path}: the clock is {self._newest_time - now} ms before the last entry",
                "wait until the clock is set; where this file is an old copy, put the newest one back; where the clock "
                "was in the future once, begin a new epoch with `speckled run --new-epoch`",
            )
        position = self._position + 1
        line, digest = encode_line(self._previous, {**body, "position": position, "time": now})
        try:
            write_all(fd, line)
            os.fsync(fd)
        except OSError as error:
            self._give_up(error)
        try:
            head.write(Mark(position, digest))
        except OSError as error:  # the entry is on the disk and stays
            self.close()
            raise LedgerNotWritable(Reason.LEDGER_IO, f"{self._path}: {error.strerror}", _ROOM) from None
        self._previous, self._position, self._size = digest, position, self._size + len(line)
        self._hashes.append(digest)
        self._newest_time = max(self._newest_time, now)
        return position

    def _cut(self) -> None:
        """Take away what follows the last whole entry."""
        fd = self._fd
        try:
            if fd is not None and os.fstat(fd).st_size > self._size:
                os.ftruncate(fd, self._size)
                os.fsync(fd)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> NoReturn:
        """After a failed write or fsync nobody knows what is on the disk: cut, close, and let a restart read it."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            self.close()
        raise LedgerNotWritable(Reason.LEDGER_IO, f"{self._path}: {error.strerror}", _ROOM) from None


def head_path(path: Path) -> Path:
    """Where the marks of a ledger are."""
    return path.with_name(f"{path.name}.head")


def _charges(entries: list[Entry], epoch: bytes) -> Counter[str]:
    name = epoch.hex()
    return Counter(entry["level"] for entry in entries if entry["kind"] == "charge" and entry["epoch"] == name)


def _newest_time(entries: list[Entry]) -> int:
    """Unix time in ms of the newest entry of the last epoch, which began with the clock as a person found it."""
    times: list[int] = []
    for entry in entries:
        if entry["kind"] == "epoch":
            times.clear()
        times.append(entry["time"])
    return max(times, default=0)


def _open_locked(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerNotWritable(Reason.LEDGER_IO, f"{path}: {error.strerror}", _ROOM) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sync_directory(path)
    except BlockingIOError:
        os.close(fd)
        raise LedgerError(
            Reason.LEDGER_LOCKED, f"{path}: another process has the ledger open", "end the other capture process first"
        ) from None
    except OSError as error:
        os.close(fd)
        raise LedgerNotWritable(Reason.LEDGER_IO, f"{path}: {error.strerror}", _ROOM) from None
    except BaseException:
        os.close(fd)
        raise
    return fd
