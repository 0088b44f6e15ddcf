"""`python -m drivers.emulated.spidev --chip microrng [--fault F] -- COMMAND ...`: run it with an emulated SPI chip."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from drivers.emulated.faults import Fault, parse_fault
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.emulated.profile import EmulatedChip
from drivers.emulated.spidev.build import ShimUnavailable
from drivers.emulated.spidev.serve import emulated_spidev
from drivers.errors import QrngError
from drivers.qrng.profile import load_profile
from drivers.qrng.spi import SpiBus


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser("python -m drivers.emulated.spidev", description=__doc__)
    parser.add_argument("--chip", default="microrng", help="microrng, or profile:FILE.toml")
    parser.add_argument("--fault", type=parse_fault, action="append", default=[], help="KIND[=VALUE][@AFTER][+LENGTH]")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        chip = _chip(options.chip, tuple(options.fault))
        with emulated_spidev(chip) as environment:
            return subprocess.run(options.command, env={**os.environ, **environment}, check=False).returncode
    except (QrngError, ShimUnavailable, ValueError) as error:
        parser.error(str(error))


def _chip(name: str, faults: tuple[Fault, ...]) -> SpiBus:
    kind, _, file = name.partition(":")
    if kind == "profile" and file:
        return EmulatedChip(load_profile(Path(file)), faults=faults)
    if name != "microrng":
        raise ValueError(f"there is no chip {name!r}: microrng, or profile:FILE.toml")
    return EmulatedMicroRng(faults=faults)


if __name__ == "__main__":
    sys.exit(main())
