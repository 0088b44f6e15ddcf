"""`speckled camera off|on|status`: the privacy switch, by hand."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from drivers.switch.file import FileSwitch, turn_off, turn_on
from edge.config import load
from edge.errors import ConfigError, Reason
from wire.exit import Exit


def main(arguments: Sequence[str]) -> int:
    """Turn the switch, or say how it stands. 0; `status` gives 1 where it is off.

    Raises:
        ConfigError: the settings cannot be used, or this user may not turn the switch.
    """
    parser = argparse.ArgumentParser(
        "speckled camera",
        description="the privacy switch: while it is off, capture keeps the camera closed, over restarts too",
    )
    parser.add_argument("action", choices=("off", "on", "status"))
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    settings = load(options.config).switch
    file = Path(settings.file)
    try:
        if options.action == "off":
            changed = turn_off(file)
        elif options.action == "on":
            changed = turn_on(file)
        else:
            return _status(file, settings.gpio)
    except OSError as error:
        raise ConfigError(
            Reason.CONFIG,
            f"{file}: {error.strerror}",
            "run this as a user who may write there, such as root, or name another file in [switch]",
        ) from None
    _say(off=options.action == "off", changed=changed, gpio=settings.gpio)
    return Exit.OK


def _status(file: Path, gpio: str | None) -> int:
    off = FileSwitch(file).off()
    _say(off=off, changed=True, gpio=gpio)
    return Exit.FAILED if off else Exit.OK


def _say(*, off: bool, changed: bool, gpio: str | None) -> None:
    state = "off: capture keeps the camera closed" if off else "on"
    also = f" The switch at {gpio} must be on, too." if gpio and not off else ""
    sys.stdout.write(f"the privacy switch is {'' if changed else 'already '}{state}.{also}\n")
