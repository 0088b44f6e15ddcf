"""Observations by the names that people type."""

import re
from dataclasses import dataclass
from pathlib import Path

from collector.errors import Reason, ReferenceUnknown
from collector.reader import Reader, Row, unwrap
from wire.errors import WireError
from wire.schema import MAX_MESSAGE, Observation

FORMS = "device@position, device@level@-1 (the newest of a level; -2 is the one before), a row number, or a .cbor file"


@dataclass(frozen=True, slots=True)
class Named:
    """An observation and how to call it."""

    title: str
    observation: Observation


def needs_store(reference: str) -> bool:
    """Whether this reference is looked up in a store; a .cbor file is not."""
    return not reference.endswith(".cbor")


def find(reference: str, reader: Reader | None) -> Named:
    """The observation that a reference means.

    Args:
        reference: in one of FORMS.
        reader: of the store; may be None where `needs_store` is false.

    Raises:
        ReferenceUnknown: it has none of these forms, or there is no such observation.
    """
    if not needs_store(reference):
        return Named(Path(reference).name, _read_file(Path(reference)))
    row = _find_row(reference, reader) if reader else None
    observation = reader.observation(row.id) if reader and row else None
    if row is None or observation is None:
        raise ReferenceUnknown(Reason.REFERENCE, f"`{reference}` is not in the store", f"name it as {FORMS}")
    return Named(f"{row.device}@{row.position} ({row.level})", observation)


def _find_row(reference: str, reader: Reader) -> Row | None:
    if reference.isascii() and reference.isdigit() and len(reference) < 19:
        return reader.by_id(int(reference))
    if match := re.fullmatch(r"([a-z0-9-]+)@(\d{1,18})", reference, re.ASCII):
        return reader.at(match[1], int(match[2]))
    if match := re.fullmatch(r"([a-z0-9-]+)@(.+)@-(\d{1,4})", reference, re.ASCII):
        rows = reader.latest(match[1], match[2], int(match[3]))
        return rows[int(match[3]) - 1] if 0 < int(match[3]) <= len(rows) else None
    return None


def _read_file(path: Path) -> Observation:
    try:
        with path.open("rb") as file:
            envelope = file.read(MAX_MESSAGE + 1)
        return unwrap(envelope)
    except OSError as error:
        remedy = "name a readable file that holds one signed observation"
        raise ReferenceUnknown(Reason.REFERENCE, f"{path}: {error.strerror}", remedy) from None
    except WireError as error:
        raise ReferenceUnknown(Reason.REFERENCE, f"{path}: {error}", error.remedy) from None
