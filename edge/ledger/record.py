"""A ledger read by somebody else than capture: on the device beside it, or anywhere else from a copy."""

from dataclasses import dataclass
from pathlib import Path

from edge.errors import Reason
from edge.privacy.chain import Entry, LedgerNotWritable, read_chain
from edge.privacy.examine import EpochSum, examine
from edge.privacy.head import Mark, check_mark, read_mark
from edge.privacy.ledger import head_path


@dataclass(frozen=True, slots=True)
class Record:
    """What a file holds. data: its whole entries, byte for byte. left_out: bytes after them, of a line that broke off.

    mark: the newest entry that the file of marks beside it knows; None where there is no such file.
    """

    path: Path
    data: bytes
    entries: list[Entry]
    epochs: list[EpochSum]
    hash: bytes
    left_out: int
    mark: Mark | None


def read_record(path: Path) -> Record:
    """Read and check a ledger, whoever has it open: chain, costs, and the marks beside it.

    The marks are read first: each is written after its entry, so a running capture cannot seem to have lost one.

    Raises:
        LedgerError: LEDGER_CORRUPT, naming the line; LEDGER_TAIL; LEDGER_IO.
    """
    try:
        mark = read_mark(head_path(path))
        data = path.read_bytes()
    except OSError as error:
        raise LedgerNotWritable(
            Reason.LEDGER_IO, f"{path}: {error.strerror}", "name a ledger, or the settings of a device that has run"
        ) from None
    entries, tail = read_chain(data, str(path))
    epochs = examine(entries, str(path))
    if mark is not None:
        check_mark(path, mark, [bytes.fromhex(entry["hash"]) for entry in entries])
    return Record(path, data[: tail.size], entries, epochs, tail.hash, len(data) - tail.size, mark)
