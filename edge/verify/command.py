"""`speckled verify`: its arguments, and the files that it reads."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.verify.ledger import verify_ledger
from edge.verify.profile import verify_lut, verify_profile
from edge.verify.report import Report
from wire.exit import Exit
from wire.keys import read_public_key
from wire.schema import MAX_MESSAGE
from wire.settings import SettingsError
from wire.verify import Checked, verify_message, verify_together

MOST_BYTES = 4 * MAX_MESSAGE
"""Of a file that may be hexadecimal text with spaces and line ends."""


def main(arguments: Sequence[str]) -> int:
    """Print what holds of one or several observations: 0 if all does, 65 if something does not.

    Raises:
        SettingsError: a file or key cannot be read.
    """
    options = _parser().parse_args(arguments)
    key = read_public_key(options.key)
    paths = [options.observation, *options.previous]
    messages = [(str(path), _check(_read_envelope(path), key, options.topic)) for path in paths]
    read = [checked.observation for _, checked in messages if checked.observation]
    ledger = None
    if options.ledger:
        ledger = str(options.ledger), tuple(verify_ledger(_read(options.ledger), options.ledger.name, read))
    report = Report(tuple(messages), tuple(verify_together(read)), ledger)
    if options.json:
        sys.stdout.write(json.dumps(report.document(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(report.text())
    return Exit.OK if report.holds else Exit.DATA


def _check(envelope: bytes, key: Ed25519PublicKey, topic: str | None) -> Checked:
    checked = verify_message(envelope, key, topic)
    if checked.observation is None:
        return checked
    lut, profile = verify_lut(checked.observation), verify_profile(checked.observation)
    return Checked(checked.observation, (*checked.findings, lut, *profile))


def _read_envelope(path: Path) -> bytes:
    """A message as it travelled, or in hexadecimal text: no envelope is both, as its first byte is no letter."""
    data = _read(path, MOST_BYTES)
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return data


def _read(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", "name a file that can be read") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "speckled verify",
        description="check a signed observation away from its device: signature, ε, place in the ledger, profile",
        epilog="docs/verify.md says what each line means, and what nobody can check from a message.",
    )
    parser.add_argument(
        "observation", type=Path, help="one message as it came from the broker, or its hexadecimal text"
    )
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the device's public key, device.pub")
    parser.add_argument("--topic", help="on which it came (default: speckled/v1/.../observation of the device inside)")
    parser.add_argument(
        "--previous", type=Path, nargs="+", action="extend", default=[], metavar="FILE",
        help="further observations by the same key, in any order",
    )  # fmt: skip
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="the device's ledger.jsonl, or a copy of it")
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser
