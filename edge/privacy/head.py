"""How far a ledger has got, kept beside it: a ledger that ends earlier has lost its tail.

The file has two slots of one line each. An entry at position p is noted in slot p mod 2, so a write that a power cut
tears leaves the slot of p - 1 whole.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.errors import LedgerError, Reason

SLOT: Final = 256
SLOTS: Final = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest entry that was noted: its position, from 1, and its hash, 32 bytes."""

    position: int
    hash: bytes


class HeadFile:
    """The marks of one ledger. Whoever has the ledger locked may write it."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, whole and synced. Its name is durable once the directory is synced.

        Raises:
            OSError: it cannot be made or written.
        """
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self._fd).st_size != SLOTS * SLOT:
                os.ftruncate(self._fd, SLOTS * SLOT)
                os.fsync(self._fd)
        except BaseException:
            os.close(self._fd)
            raise

    def read(self) -> Mark | None:
        """The newest mark that is whole, or None where there is none. Raises OSError."""
        return _newest(*(os.pread(self._fd, SLOT, slot * SLOT) for slot in range(SLOTS)))

    def write(self, mark: Mark) -> None:
        """Note an entry. It is on the disk on return. Raises OSError."""
        slot = _line(mark).ljust(SLOT, b"\0")
        if os.pwrite(self._fd, slot, mark.position % SLOTS * SLOT) != SLOT:
            raise OSError(0, "the mark was written in part")
        os.fdatasync(self._fd)

    def restart(self, mark: Mark) -> None:
        """Note an entry, and forget marks of entries beyond it. Raises OSError."""
        self.write(mark)
        newest = self.read()
        if newest is not None and newest.position > mark.position:
            os.pwrite(self._fd, bytes(SLOT), newest.position % SLOTS * SLOT)
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)


def open_head(path: Path, hashes: Sequence[bytes], *, believe: bool) -> HeadFile:
    """The marks of a ledger, brought into step with it.

    Args:
        path: of the file of marks.
        hashes: of all entries of the ledger, in order.
        believe: refuse a ledger that does not fit; else its marks begin anew where it ends.

    Raises:
        LedgerError: LEDGER_TAIL, where the ledger ends before its mark, or the two are of different copies.
        OSError: the file cannot be made or written.
    """
    head = HeadFile(path)
    try:
        if believe:
            _compare(path, head.read(), hashes)
        if hashes:
            head.restart(Mark(len(hashes), hashes[-1]))
    except BaseException:
        head.close()
        raise
    return head


def read_mark(path: Path) -> Mark | None:
    """The newest whole mark of a file that somebody else may be writing; None without one. Raises OSError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return _newest(data[:SLOT], data[SLOT : SLOTS * SLOT])


def check_mark(path: Path, mark: Mark, hashes: Sequence[bytes]) -> None:
    """Whether the ledger at `path` still holds the entry that was marked. Raises LedgerError (LEDGER_TAIL)."""
    if mark.position > len(hashes):
        raise _lost(path, f"the ledger ends at position {len(hashes)}, and had got to {mark.position}")
    if hashes[mark.position - 1] != mark.hash:
        raise _lost(path, "the ledger and its marks do not fit")


def _compare(path: Path, mark: Mark | None, hashes: Sequence[bytes]) -> None:
    """An entry without its mark is what a crash leaves between the two; nobody got a receipt for it."""
    if mark is not None:
        check_mark(path.with_suffix(""), mark, hashes)
    if len(hashes) - (mark.position if mark else 0) > 1:
        raise _lost(path.with_suffix(""), f"the ledger and {path.name} do not fit")


def _lost(ledger: Path, what: str) -> LedgerError:
    return LedgerError(
        Reason.LEDGER_TAIL,
        f"{ledger}: {what}",
        "put the newest copy of both files back; where there is none, count what is missing as spent and begin a new "
        "epoch with `speckled run --new-epoch`",
    )


def _newest(*slots: bytes) -> Mark | None:
    return max(filter(None, map(_parse, slots)), key=lambda mark: mark.position, default=None)


def _line(mark: Mark) -> bytes:
    text = f"{mark.position} {mark.hash.hex()}"
    return f"{text} {hashlib.sha256(text.encode()).hexdigest()}\n".encode()


def _parse(slot: bytes) -> Mark | None:
    line = slot.rstrip(b"\0")
    try:
        position, digest, _ = line.decode("ascii").split(" ")
        mark = Mark(int(position), bytes.fromhex(digest))
    except ValueError:
        return None
    return mark if mark.position > 0 and _line(mark) == line else None
