"""`speckled qrng`: its arguments."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from edge.qrng.commission import commission
from edge.qrng.device import add_device_options, choose
from edge.qrng.listing import list_sources
from edge.qrng.probe import probe
from edge.qrng.trial import trial


def main(arguments: Sequence[str]) -> int:
    """Run `speckled qrng list|probe|test|commission`. Returns the exit status; raises what the command raises."""
    options = _parser().parse_args(arguments)
    if options.what == "list":
        return list_sources(as_json=options.json)
    chosen = choose(options)
    if options.what == "probe":
        return probe(chosen, as_json=options.json)
    if options.what == "test":
        return trial(chosen, samples=options.samples, clear_latch=options.clear_latch, as_json=options.json)
    return commission(
        chosen,
        out=options.out,
        samples=options.samples,
        restarts=options.restarts,
        nist=options.nist,
        as_json=options.json,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("speckled qrng", description="the entropy sources of this machine")
    commands = parser.add_subparsers(dest="what", required=True, metavar="list|probe|test|commission")
    listing = commands.add_parser("list", help="nodes that may be sources; opens nothing")
    probing = commands.add_parser("probe", help="does the device answer, and is it what it should be?")
    testing = commands.add_parser("test", help="health tests and speed, and what they are worth")
    commissioning = commands.add_parser("commission", help="estimate the entropy of raw samples, once for each device")
    for command in (listing, probing, testing, commissioning):
        command.add_argument("--json", action="store_true", help="one JSON document instead of text")
    for command in (probing, testing, commissioning):
        add_device_options(command)
    testing.add_argument("--samples", type=count, default=100_000, help="to draw and test (default %(default)s)")
    testing.add_argument(
        "--clear-latch",
        action="store_true",
        help="with --config: after a pass, remove the mark that an earlier failure left",
    )
    commissioning.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    commissioning.add_argument("--samples", type=count, default=1_000_000, help="in a row (default %(default)s)")
    commissioning.add_argument(
        "--restarts",
        type=count,
        default=1000,
        help="times the device is opened anew, 1 for not at all (default %(default)s)",
    )
    commissioning.add_argument(
        "--nist", action="store_true", help="let NIST's ea_non_iid assess the same samples, where it is installed"
    )
    return parser


def count(text: str) -> int:
    """A number above 0, as an argument. Raises ValueError."""
    number = int(text.replace("_", ""))
    if number < 1:
        raise ValueError
    return number
