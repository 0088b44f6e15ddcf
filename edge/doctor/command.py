"""`speckled doctor`: its arguments."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.doctor.device import Device
from edge.doctor.examine import examine
from edge.doctor.finding import Finding, Status
from edge.doctor.known import read_known
from edge.doctor.page import document, lines, summary
from edge.doctor.system import System
from edge.errors import ConfigError, Reason
from wire.exit import Exit


def main(arguments: Sequence[str], *, system: System | None = None) -> int:
    """Make every check and print what each found. 0 where none failed, else 1.

    Raises:
        ConfigError: the settings are there, and not this user's to read: every further line would be of other ones.
    """
    options = _parser().parse_args(arguments)
    if options.config.exists() and not os.access(options.config, os.R_OK, effective_ids=True):
        raise ConfigError(
            Reason.CONFIG, f"{options.config} may not be read by this user", "run as root: sudo speckled doctor"
        )
    device = Device(system or System(), options.config, read_known(options.config), with_frame=options.camera)
    findings = _findings_in_json(device) if options.json else _findings_on_screen(device)
    return Exit.FAILED if any(finding.status is Status.FAIL for finding in findings) else Exit.OK


def _findings_in_json(device: Device) -> list[Finding]:
    findings = list(examine(device))
    sys.stdout.write(json.dumps(document(findings), indent=2, ensure_ascii=False) + "\n")
    return findings


def _findings_on_screen(device: Device) -> list[Finding]:
    findings: list[Finding] = []
    for finding in examine(device, waiting=_progress()):
        for line in lines(finding, findings[-1] if findings else None):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        findings.append(finding)
    sys.stdout.write("\n" + summary(findings) + "\n")
    return findings


def _progress() -> Callable[[str], None]:
    """On a terminal, what is waited for, in a line that is taken away again."""
    if not sys.stderr.isatty():
        return lambda _what: None

    def show(what: str) -> None:
        sys.stderr.write(f"\r\x1b[K{what + ' ...' if what else ''}")
        sys.stderr.flush()

    return show


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "speckled doctor",
        description="look for everything that would keep this device from working; best run as root",
        epilog="Ends with 0 where no check failed, else with 1. docs/doctor.md has every check with its remedy.",
    )
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
    )
    parser.add_argument(
        "--camera", action="store_true", help="open the camera for one frame and throw it away; not while capture runs"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser
