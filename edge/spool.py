"""Signed observations that the relay has not taken yet, as files: a restart of capture loses none of them.

What lies here has left the privacy mechanism and is signed for the world to read, so a disk may hold it.
"""

import json
import logging
import os
import re
from pathlib import Path

from edge.privacy.files import sync_directory, write_all
from wire.schema import MAX_MESSAGE

log = logging.getLogger("speckled.capture")

MOST = 1024
"""Observations: over a hundred days of the default profile."""
MOST_BYTES = 64 * 2**20
KEPT_ASIDE = 16
"""Files that are of no use here and are kept to be looked at; the oldest is deleted beyond that."""
COUNTS = "counts.json"
NAME = re.compile(r"(\d{12})\.cose")
ENVELOPE = 0xD2
"""The first byte of every envelope: the tag of a COSE_Sign1 (RFC 9052, section 4.2)."""


class Spool:
    """One file for each signed observation, `<number>.cose`, written whole and synced before `write` returns.

    Numbers count every observation that was signed since the folder was made. `made` and `dropped` survive a restart;
    a power cut at any point leaves them exact, except for what was never on the disk. For one thread at a time.

    Args:
        folder: made where it is missing.
        most: files at a time.
        most_bytes: of them together.
    """

    def __init__(self, folder: Path, *, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most = most
        self._most_bytes = most_bytes
        self._sizes = dict(sorted(_found(folder)))
        counts = _read_counts(folder / COUNTS)
        self.dropped = counts["dropped"]
        self.made = max(counts["made"], *self._sizes, 0)
        self._given_up = counts["given_up"]
        self._recorded = counts["made"]

    @property
    def numbers(self) -> list[int]:
        """Of the files that are here, the oldest first."""
        return list(self._sizes)

    def tidy(self) -> None:
        """Finish what a power cut interrupted, and put away what does not belong here. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._given_up in self._sizes:
            self._forget(self._given_up)
        for path in list(self._folder.iterdir()):
            known = NAME.fullmatch(path.name) or path.name == COUNTS or path.name.startswith("aside-")
            if path.name.endswith(".partial"):
                path.unlink()
            elif not known or not path.is_file():
                self._put_aside(path)

    def next(self) -> int:
        """The number of an observation that was signed now."""
        self.made += 1
        return self.made

    def crowded(self, size: int) -> bool:
        """Whether something must go before `size` bytes more are written."""
        return len(self._sizes) >= self._most or sum(self._sizes.values()) + size > self._most_bytes

    def write(self, number: int, envelope: bytes) -> None:
        """Keep one; it is on the disk when this returns. Raises OSError; nothing is kept then."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._replace(self._path(number), envelope)
        self._sizes[number] = len(envelope)

    def read(self, number: int) -> bytes | None:
        """One envelope, or None where the file is not one that was written here."""
        try:
            with self._path(number).open("rb") as file:
                data = file.read(MAX_MESSAGE + 1)
        except OSError:
            return None
        return data if 0 < len(data) <= MAX_MESSAGE and data[0] == ENVELOPE else None

    def delivered(self, number: int) -> None:
        """The relay has it. Raises OSError where the file stays: it is offered again then, which changes nothing."""
        recorded = self._recorded >= number or self._recorded_now()
        self._forget(number)
        if not recorded:  # a full disk has room for it now
            self._recorded_now()

    def give_up(self, number: int, *, aside: bool = False) -> None:
        """Count one as dropped, and take its file away, or aside, where it can be looked at."""
        self.dropped += 1
        self._given_up = number
        self._recorded_now()  # first: cut off here, the file goes at the next start, and is not counted twice
        if number not in self._sizes:
            return
        try:
            if aside:
                del self._sizes[number]
                self._put_aside(self._path(number))
            else:
                self._forget(number)
        except OSError as error:
            log.warning("%s stays in the spool: %s", self._path(number), error.strerror)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.cose"

    def _forget(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)
        del self._sizes[number]

    def _recorded_now(self) -> bool:
        """Write the counts down. Whether the disk took them."""
        counts = {"made": self.made, "dropped": self.dropped, "given_up": self._given_up}
        try:
            self._replace(self._folder / COUNTS, json.dumps(counts).encode())
        except OSError:
            return False
        self._recorded = self.made
        return True

    def _replace(self, path: Path, data: bytes) -> None:
        partial = path.with_name(path.name + ".partial")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            partial.replace(path)
            sync_directory(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise

    def _put_aside(self, path: Path) -> None:
        path.rename(self._folder / f"aside-{path.name}")
        log.error("%s is no observation of this spool and is put aside", path)
        kept = sorted(self._folder.glob("aside-*"), key=lambda old: old.lstat().st_mtime_ns)
        for old in kept[:-KEPT_ASIDE]:
            if old.is_file():
                old.unlink()


def _found(folder: Path) -> list[tuple[int, int]]:
    """Numbers and sizes of the files that may be observations."""
    try:
        entries = [(NAME.fullmatch(entry.name), entry) for entry in os.scandir(folder)]
        return [(int(name[1]), entry.stat().st_size) for name, entry in entries if name and entry.is_file()]
    except OSError:
        return []


def _read_counts(path: Path) -> dict[str, int]:
    """What was recorded; where that is damaged, the files' numbers still say how many were made."""
    names = ("made", "dropped", "given_up")
    try:
        counts = json.loads(path.read_bytes())
        return {name: max(0, int(counts[name])) for name in names}
    except FileNotFoundError:
        return dict.fromkeys(names, 0)
    except (OSError, ValueError, TypeError, KeyError):
        log.warning("%s is damaged: what was dropped before is not known any more", path)
        return dict.fromkeys(names, 0)
