"""`speckled keys show|request|rotate|forget`."""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from edge.config import Settings, load
from edge.enrolment.rotate import forget, rotate
from edge.enrolment.show import key_lines
from wire.certificates import make_request, make_tls_key
from wire.exit import Exit


def main(arguments: Sequence[str]) -> int:
    """Look after the keys of a device. Returns 0.

    Raises:
        ConfigError, SettingsError: settings or a key cannot be used, or a file is there already.
    """
    options = _parser().parse_args(arguments)
    settings = load(options.config, promise=False)
    {"show": _show, "request": _request, "rotate": _rotate, "forget": _forget}[options.action](settings, options)
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("speckled keys", description="look after the keys of a device (docs/keys.md)")
    actions = parser.add_subparsers(dest="action", required=True)
    shown = {
        "show": "fingerprints, certificate and modes; never a private byte",
        "request": "a certificate request for TLS, with a new key where there is none",
        "rotate": "a new signing key in the place of the old one",
        "forget": "end an exchange of keys: what the old one has signed is not accepted any more",
    }
    for name, about in shown.items():
        action = actions.add_parser(name, help=about, description=about)
        action.add_argument(
            "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
        )
        if name == "request":
            action.add_argument("--out", type=Path, help="the request's file (default: device.csr beside the settings)")
            action.add_argument(
                "--new-key", action="store_true", help="make a new TLS key, tls.new.key, and ask for it"
            )
    return parser


def _show(settings: Settings, _: argparse.Namespace) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in key_lines(settings, datetime.now(UTC))))


def _request(settings: Settings, options: argparse.Namespace) -> None:
    folder = options.config.resolve().parent
    key = Path(settings.mqtt.key_file) if settings.mqtt.key_file else folder / "tls.key"
    if options.new_key:
        key = key.with_name("tls.new.key")
    if not key.exists():
        make_tls_key(key)
        sys.stdout.write(f"wrote {key}\n")
    out = options.out or folder / "device.csr"
    make_request(key, out, settings.device.id)
    sys.stdout.write(
        f"wrote {out}\nNext: let the broker's authority sign it, put the certificate beside it as device.crt, and name "
        f"certificate_file and key_file ({key.name}) in [mqtt].\n"
    )


def _rotate(settings: Settings, _: argparse.Namespace) -> None:
    device = settings.device
    done = rotate(device.id, Path(device.key), Path(device.public_key), wall_ms=lambda: time.time_ns() // 1_000_000)
    sys.stdout.write(
        f"old key  {done.old}\nnew key  {done.new}\nwrote {done.announcement}\n"
        f"Next: restart capture and relay, carry {done.announcement.name} to the collector and run there `speckled "
        "collector admit FILE`. When the outbox is empty: `speckled keys forget`.\n"
    )


def _forget(settings: Settings, _: argparse.Namespace) -> None:
    gone = forget(Path(settings.device.public_key))
    sys.stdout.write("the old key is forgotten; restart the relay\n" if gone else "there is no old key\n")
