"""The ledger's file: one canonical JSON line per entry, each hashed together with the hash before it.

An entry's hash is SHA-256 over the previous entry's hash (32 zero bytes before the first) and the entry as JSON with
sorted keys, no spaces and ASCII only. The line is the same JSON with `hash` added. Rationals are "n/d".
"""

import hashlib
import json
import string
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from edge.errors import LedgerError, Reason
from wire.exit import Exit

Entry = dict[str, Any]

GENESIS: Final = bytes(32)
MAX_LINE: Final = 4096
FIELDS: Final = {
    "epoch": frozenset(
        {
            "kind", "position", "time", "epoch", "device", "configuration", "noise", "visits", "visit_seconds",
            "visit_frames", "pixels", "cost_max", "frame_rate", "hash",
        }
    ),
    "charge": frozenset(
        {
            "kind", "position", "time", "epoch", "level", "lut", "parameter", "range", "scale", "slope", "cost",
            "first_frame", "frames", "cell", "rows", "columns", "hash",
        }
    ),
}  # fmt: skip
RATIONALS: Final = ("cost_max", "frame_rate", "slope", "cost")
TEXTS: Final = ("kind", "epoch", "device", "configuration", "level", "noise", "lut", "hash", *RATIONALS)


class LedgerNotWritable(LedgerError):
    """The ledger's file cannot be read or written."""

    exit = Exit.IO


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a file that was read ends: its last entry's hash, and how many bytes of it are whole entries."""

    hash: bytes
    entries: int
    size: int


def encode_line(previous: bytes, body: Entry) -> tuple[bytes, bytes]:
    """The line of an entry and its hash. `body` is the entry without its hash."""
    digest = hashlib.sha256(previous + _canonical(body)).digest()
    return _canonical({**body, "hash": digest.hex()}) + b"\n", digest


def read_chain(data: bytes, name: str) -> tuple[list[Entry], Tail]:
    """Every entry of a ledger file, and where they end.

    A last line that breaks off was never receipted and is left out. Anything else that is not exactly what the
    ledger writes is refused.

    Raises:
        LedgerError: LEDGER_CORRUPT, naming the line.
    """
    entries: list[Entry] = []
    previous, size, number = GENESIS, 0, 0
    for number, line in enumerate(_lines(data), 1):
        entry = _parse(line)
        if entry is None or entry["position"] != number:
            raise _corrupt(name, number)
        again, digest = encode_line(previous, {key: entry[key] for key in entry if key != "hash"})
        if again != line:
            raise _corrupt(name, number)
        entries.append(entry)
        previous = digest
        size += len(line)
    if b"}" in data[size:-1]:  # only a whole entry holds a brace before its end: its newline was altered
        raise _corrupt(name, number + 1)
    if entries and entries[0]["kind"] != "epoch":
        raise _corrupt(name, 1)
    return entries, Tail(hash=previous, entries=len(entries), size=size)


def read_entries(path: Path) -> list[Entry]:
    """Read and verify a ledger, whoever has it open. Raises LedgerError (LEDGER_CORRUPT, LEDGER_IO)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LedgerNotWritable(
            Reason.LEDGER_IO, f"{path}: {error.strerror}", "name the state directory of a device that has run"
        ) from None
    return read_chain(data, str(path))[0]


def ratio(value: Fraction) -> str:
    """A rational as the ledger writes it."""
    return f"{value.numerator}/{value.denominator}"


def parse_ratio(text: str) -> Fraction:
    """The rational that `ratio` wrote. Raises ValueError for any other text."""
    numerator, slash, denominator = text.partition("/")
    digits = set(string.digits)
    if not slash or not numerator or not denominator or not digits.issuperset(numerator + denominator):
        raise ValueError("not a rational")
    if not int(denominator) or ratio(value := Fraction(int(numerator), int(denominator))) != text:
        raise ValueError("not a rational in lowest terms")
    return value


def _canonical(body: Entry) -> bytes:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start : end + 1]
        start = end + 1


def _parse(line: bytes) -> Entry | None:
    """The entry of a line whose fields are all there and of the right type, or None."""
    if len(line) > MAX_LINE:
        return None
    try:
        entry = json.loads(line)
        if not isinstance(entry, dict) or entry.keys() != FIELDS.get(str(entry.get("kind"))):
            return None
        if not all(type(value) is (str if key in TEXTS else int) for key, value in entry.items()):
            return None
        if any(entry[key] < 0 for key in entry if key not in TEXTS):
            return None
        for key in RATIONALS:
            if key in entry:
                parse_ratio(entry[key])
    except (ValueError, TypeError, RecursionError):
        return None
    return entry


def _corrupt(name: str, line: int) -> LedgerError:
    return LedgerError(
        Reason.LEDGER_CORRUPT,
        f"{name}: line {line} is not what the ledger wrote",
        "keep the file for an examination, move it away, and count what it held as spent",
    )
