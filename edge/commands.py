"""The subcommands of the device side. Each takes its arguments and returns an exit status."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

from edge.config import load
from wire.exit import Exit
from wire.service.journal import begin_service
from wire.stopping import stop_on_signals


def run(arguments: Sequence[str]) -> int:
    """Start capture and relay as two processes, and end both when one ends."""
    options = _parse("run", "start capture and relay as two processes", arguments, new_epoch=True)
    from edge.run import supervise

    load(options.config, assignments=options.set)
    return supervise(options.config, new_epoch=options.new_epoch, assignments=options.set)


def capture(arguments: Sequence[str]) -> int:
    """The process that sees pixels."""
    options = _parse("capture", "camera to signed private observations; no network", arguments, new_epoch=True)
    settings = load(options.config, assignments=options.set)
    begin_service("speckled-capture")
    from edge.assemble import run_capture

    run_capture(settings, new_epoch=options.new_epoch, stop=stop_on_signals())
    return Exit.OK


def relay(arguments: Sequence[str]) -> int:
    """The process that has the network."""
    options = _parse("relay", "signed observations to the broker; no pixels", arguments)
    settings = load(options.config, assignments=options.set)
    begin_service("speckled-relay")
    from edge.relay.assemble import run_relay

    run_relay(settings, stop=stop_on_signals())
    return Exit.OK


def init(arguments: Sequence[str]) -> int:
    """Make a key pair and a commented configuration."""
    parser = argparse.ArgumentParser("speckled init", description="make a device key and a commented speckled.toml")
    parser.add_argument("--dir", type=Path, default=Path("/etc/speckled"), help="where to write (default %(default)s)")
    parser.add_argument("--id", required=True, help="the device's name on the wire: a-z, 0-9 and '-', e.g. ward-3")
    options = parser.parse_args(arguments)
    from edge.init import make_device

    for path in make_device(options.dir, options.id):
        sys.stdout.write(f"wrote {path}\n")
    sys.stdout.write(
        dedent(f"""\
        Next: copy {options.dir / "device.pub"} to the collector as <its keys directory>/{options.id}.pub,
        copy the collector's public key to {options.dir / "collector.pub"}, name camera, entropy source and broker in
        {options.dir / "speckled.toml"}. `speckled doctor --config {options.dir / "speckled.toml"}` says what is
        missing then; `speckled run` with the same option starts it.
        """)
    )
    return Exit.OK


def ledger(arguments: Sequence[str]) -> int:
    """Show, verify or export the record of every charge."""
    from edge.ledger.command import main

    return main(arguments)


def qrng(arguments: Sequence[str]) -> int:
    """List, probe, test and commission entropy sources."""
    from edge.qrng.command import main

    return main(arguments)


def card(arguments: Sequence[str]) -> int:
    """What is promised at which distance and for how long."""
    from edge.card.command import main

    return main(arguments)


def verify(arguments: Sequence[str]) -> int:
    """Check a signed observation away from its device."""
    from edge.verify.command import main

    return main(arguments)


def show(arguments: Sequence[str]) -> int:
    """Draw what an observation or a release says."""
    from edge.show.command import main

    return main(arguments)


def config(arguments: Sequence[str]) -> int:
    """Check, show and explain the settings."""
    from edge.configuration.command import main

    return main(arguments)


def doctor(arguments: Sequence[str]) -> int:
    """Look for everything that would keep this device from working."""
    from edge.doctor.command import main

    return main(arguments)


def attest(arguments: Sequence[str]) -> int:
    """Report what protects this device, as it is found."""
    from edge.attest.command import main

    return main(arguments)


def keys(arguments: Sequence[str]) -> int:
    """Show, request, renew and rotate keys."""
    from edge.enrolment.command import main

    return main(arguments)


def install(arguments: Sequence[str]) -> int:
    """Put units, users and rules in their places."""
    from edge.install.command import main

    return main(arguments)


def camera(arguments: Sequence[str]) -> int:
    """The privacy switch: close the camera, or open it again."""
    from edge.switch.command import main

    return main(arguments)


def aim(arguments: Sequence[str]) -> int:
    """Draw edges of what the camera sees in the terminal, for a limited time."""
    from edge.aim.command import main

    return main(arguments)


def _parse(name: str, about: str, arguments: Sequence[str], *, new_epoch: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser(f"speckled {name}", description=about)
    _config_option(parser)
    if new_epoch:
        parser.add_argument(
            "--new-epoch", action="store_true", help="begin a new epoch of the ledger after the settings have changed"
        )
    return parser.parse_args(arguments)


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting that goes before all others"
    )
