"""`speckled ledger`: the record of every charge, read only."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.assemble import ledger_path
from edge.config import load
from edge.errors import LedgerError, Reason
from edge.ledger.record import Record, read_record
from edge.ledger.table import document, text, verdict
from edge.privacy.chain import LedgerNotWritable
from edge.privacy.files import sync_directory, write_all
from wire.exit import Exit


def main(arguments: Sequence[str]) -> int:
    """Show, verify or export. Raises LedgerError or ConfigError."""
    options = _parser().parse_intermixed_args(arguments)
    path = options.file if options.file is not None else ledger_path(load(options.config))
    record = read_record(path)
    if options.what == "export":
        _export(record, options.since, options.out)
    elif options.entries:
        sys.stdout.write(record.data.decode("ascii"))
    elif options.json:
        sys.stdout.write(json.dumps(document(record), indent=2) + "\n")
    else:
        sys.stdout.write(text(record) if options.what == "show" else verdict(record) + "\n")
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("speckled ledger", description="the record of every charge, read only")
    parser.add_argument(
        "what",
        choices=["show", "verify", "export"],
        help="show: epochs, charges and costs. verify: chain, costs and marks. export: a checked copy of whole entries",
    )
    parser.add_argument("file", nargs="?", type=Path, help="a ledger or a copy of one, instead of the configured one")
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="of export: a new file (default: standard output)")
    parser.add_argument(
        "--since",
        type=int,
        default=0,
        metavar="N",
        help="of export: only entries after position N, to append to a copy",
    )
    parser.add_argument("--entries", action="store_true", help="of show: every line as it stands in the file")
    parser.add_argument("--json", action="store_true", help="of show and verify: one JSON document")
    return parser


def _export(record: Record, since: int, out: Path | None) -> None:
    """Write the entries as they are, so that the copy verifies like the original. An existing file is not touched."""
    lines = record.data.splitlines(keepends=True)
    if not 0 <= since <= len(lines):
        raise LedgerError(
            Reason.LEDGER_TAIL,
            f"{record.path}: it ends at position {len(lines)}, and there is no {since}",
            "name the last position of the copy; where the copy is longer than the ledger, the ledger was put back",
        )
    data = b"".join(lines[since:])
    if out is None:
        sys.stdout.write(data.decode("ascii"))
        return
    try:
        _write_whole(out, data)
    except FileExistsError:
        raise LedgerError(Reason.LEDGER_IO, f"{out} is there already", "name a new file") from None
    except OSError as error:
        raise LedgerNotWritable(
            Reason.LEDGER_IO, f"{out}: {error.strerror}", "name a file that you may write, in a folder that exists"
        ) from None
    sys.stdout.write(f"wrote {len(lines) - since} entries to {out}\n")


def _write_whole(out: Path, data: bytes) -> None:
    """The file with all of data, or no file: a part of a ledger would verify too. Raises OSError."""
    if os.path.lexists(out):
        raise FileExistsError
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        part.rename(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_directory(out)
