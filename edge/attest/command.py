"""`speckled attest`: its arguments."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.attest.check import REMEDY, CheckedReport, NotAReport, check
from edge.attest.code import ROOMS, code_hash, installed_rooms
from edge.attest.exposure import EXPOSURE_FILE, write_exposure
from edge.attest.gather import gather
from edge.attest.look import look, protection_in
from edge.attest.page import HERE, LOOKED_AT, SWAPS, Page, Subject, exposure_rows, protection_lines, row
from edge.attest.programs import Program, run_program
from edge.attest.tree import Tree
from edge.attest.units import exposures, running
from edge.config import configuration_hash, load
from edge.errors import ConfigError, Reason, SpeckledError
from wire.exit import Exit
from wire.keys import read_public_key
from wire.schema import MAX_MESSAGE
from wire.settings import SettingsError

MOST_BYTES = 4 * MAX_MESSAGE
"""Of a file with an envelope in base64 or hexadecimal text."""


class ReportRefused(SpeckledError):
    """A report that cannot be verified."""

    exit = Exit.DATA


def main(arguments: Sequence[str], *, run: Program = run_program) -> int:
    """Report, check a report, or write exposures. Returns 0; from --check 1 where the device runs other code.

    Raises:
        SettingsError, ConfigError, ReportRefused: a file cannot be used, or a report does not verify.
    """
    options = _parser().parse_args(arguments)
    if options.code is not None:
        return _code(options.code)
    if options.exposure is not None:
        return _exposure(options.exposure, run)
    if options.check is not None:
        return _check(options)
    page = _look(options.config, run)
    _print(page.text(), page.document(), as_json=options.json)
    return Exit.OK


def _code(folder: str) -> int:
    rooms = _rooms_in(Path(folder)) if folder else installed_rooms()
    sys.stdout.write(code_hash(rooms).hex() + "\n")
    return Exit.OK


def _rooms_in(folder: Path) -> dict[str, Path]:
    rooms = {room: folder / room for room in ROOMS if (folder / room).is_dir()}
    if not rooms:
        raise SettingsError(f"{folder}: holds none of {', '.join(ROOMS)}", "name a checkout, or a site-packages folder")
    return rooms


def _exposure(path: Path, run: Program) -> int:
    try:
        write_exposure(path, exposures(run))
    except OSError as error:
        remedy = "run as root, and name a file in a folder that is there"
        raise ConfigError(Reason.CONFIG, f"{path}: {error.strerror}", remedy) from None
    return Exit.OK


def _look(config: Path, run: Program) -> Page:
    configuration, why = _configuration(config)
    here = gather(configuration or bytes(32))
    services = [Subject(each.unit, each.pid, look(Tree(), each.pid, each.families)) for each in running(run)]
    return Page(
        code=here.code,
        configuration=configuration,
        why=why,
        swap=here.swap,
        read_only_root=here.read_only_root,
        exposure=exposures(run),
        subjects=tuple(services) or (Subject(HERE, 0, protection_in(here)),),
    )


def _configuration(path: Path) -> tuple[bytes | None, str]:
    try:
        return configuration_hash(load(path)), ""
    except ConfigError as error:
        return None, error.detail


def _check(options: argparse.Namespace) -> int:
    if options.key is None:
        raise SettingsError("--check without a key", "name the device's public key with --key")
    key = read_public_key(options.key)
    try:
        with options.check.open("rb") as file:
            data = file.read(MOST_BYTES)
    except OSError as error:
        raise SettingsError(f"{options.check}: {error.strerror}", "name a file that can be read") from None
    try:
        checked = check(data, key, options.topic)
    except NotAReport as error:
        raise ReportRefused(Reason.REPORT, f"{options.check}: {error}", REMEDY) from None
    code = code_hash(installed_rooms())
    _print("\n".join(_report_lines(checked, code)) + "\n", checked.document(code), as_json=options.json)
    if checked.same_copy is False:
        return Exit.DATA
    return Exit.OK if checked.report.attestation.code == code else Exit.FAILED


def _report_lines(checked: CheckedReport, code: bytes) -> list[str]:
    report, found = checked.report, checked.report.attestation
    same = "the same as here" if found.code == code else f"OTHER than here ({code.hex()})"
    lines = [
        row("signed by", f"{report.device}, for {checked.topic}"),
        row("code", f"{found.code.hex()}"),
        row("", same),
        row("configuration", found.configuration.hex()),
        row("swap goes to", SWAPS[found.swap]),
        row("root file system", "read-only" if found.read_only_root else "writable"),
        *exposure_rows(found.exposure),
        "capture",
        *protection_lines(LOOKED_AT, protection_in(found)),
    ]
    if checked.same_copy is False:
        lines.append("NOT VERIFIED: the copy beside the signed report says something else")
    return lines


def _print(text: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n" if as_json else text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "speckled attest",
        description="what protects the running services, or a process of this shell where none runs",
        epilog="docs/attest.md says what each finding means, and what it cannot prove.",
    )
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--exposure", type=Path, nargs="?", const=EXPOSURE_FILE, metavar="FILE",
        help=f"write what systemd-analyze says of each unit, for capture to sign (default {EXPOSURE_FILE})",
    )  # fmt: skip
    what.add_argument(
        "--code", nargs="?", const="", metavar="DIR",
        help="the hash of the program's files, of this one or of the one in DIR",
    )  # fmt: skip
    what.add_argument("--check", type=Path, metavar="FILE", help="verify a device's retained state message")
    parser.add_argument("--key", type=Path, metavar="FILE", help="with --check: the device's public key, device.pub")
    parser.add_argument("--topic", help="with --check: on which it came (default: speckled/v1/.../state of the device)")
    return parser
