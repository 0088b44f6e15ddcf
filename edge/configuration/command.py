"""`speckled config check|show|explain|schema`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.config import Settings, layers_of
from edge.configuration.check import Size, faults_of, warnings_of
from edge.configuration.explain import explain, no_such_key
from edge.configuration.page import markdown_table
from edge.configuration.schema import schema_for_editors
from edge.configuration.show import as_toml
from edge.errors import ConfigError, Reason
from wire.exit import Exit
from wire.layers import Layers
from wire.settings import SettingsError, settings_from

DEFAULT = Path("/etc/speckled/speckled.toml")


def main(arguments: Sequence[str]) -> int:
    """Look at the settings of a device. 0; `check` gives 78 where something is wrong.

    Raises:
        ConfigError: the settings cannot be read, or no key is of that name.
    """
    options = _parser().parse_args(arguments)
    actions = {"check": _check, "show": _show, "explain": _explain, "schema": _schema}
    return actions[options.action](options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("speckled config", description="check, show and explain the settings of a device")
    actions = parser.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="every fault, with line and remedy")
    check.add_argument(
        "--camera", type=_size, metavar="WxH", help="the size of frames, where the settings leave it open"
    )
    show = actions.add_parser("show", help="the effective settings, as TOML")
    show.add_argument("section", nargs="?", help="one section, such as mqtt")
    show.add_argument("--origin", action="store_true", help="where each value comes from")
    show.add_argument("--json", action="store_true", help="as JSON")
    explain_ = actions.add_parser("explain", help="what a key means, what it can be, and what it is now")
    explain_.add_argument("key", help="such as mqtt.port, or a section")
    schema = actions.add_parser("schema", help="JSON Schema of speckled.toml, for editors")
    schema.add_argument("--markdown", action="store_true", help="every key in a table instead")
    for action in (check, show, explain_):
        action.add_argument("--config", type=Path, default=DEFAULT, help="settings (default %(default)s)")
        action.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting that goes before all others"
        )
    return parser


def _size(text: str) -> Size:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"`{text}` is not WIDTHxHEIGHT, such as 820x616")
    return int(width), int(height)


def _check(options: argparse.Namespace) -> int:
    layers, folder = _layers(options), options.config.resolve().parent
    faults = faults_of(layers, folder, options.camera)
    for fault in faults:
        place = f"{fault.place}: " if fault.place else ""
        end = "" if fault.remedy.endswith("?") else "."
        sys.stdout.write(f"{fault.where}: {place}{fault.what}. {fault.remedy[:1].upper()}{fault.remedy[1:]}{end}\n")
    if faults:
        sys.stdout.write(f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}\n")
        return Exit.CONFIG
    for warning in warnings_of(layers, folder):
        sys.stdout.write(f"warning: {warning}\n")
    sys.stdout.write(f"{options.config}: in order\n")
    return Exit.OK


def _show(options: argparse.Namespace) -> int:
    """As they are written: relative paths stay so, and the promise is not looked at."""
    layers = _layers(options)
    try:
        settings = settings_from(layers, Settings, lister="speckled config check")
    except SettingsError as error:
        raise ConfigError(Reason.CONFIG, error.detail, error.remedy) from None
    sections = settings.__struct_fields__
    if options.section is not None and options.section not in sections:
        raise no_such_key(options.section, sections)
    if options.json:
        tree = msgspec.to_builtins(settings)
        chosen = tree if options.section is None else {options.section: tree[options.section]}
        sys.stdout.write(json.dumps(chosen, indent=2) + "\n")
    else:
        sys.stdout.write(as_toml(settings, layers, section=options.section, origins=options.origin))
    return Exit.OK


def _explain(options: argparse.Namespace) -> int:
    """Also where there are no settings, or none that can be read: then without what holds now."""
    try:
        layers = _layers(options)
    except ConfigError:
        layers = None
    sys.stdout.write(explain(options.key, layers))
    return Exit.OK


def _schema(options: argparse.Namespace) -> int:
    sys.stdout.write(markdown_table() if options.markdown else json.dumps(schema_for_editors(), indent=1) + "\n")
    return Exit.OK


def _layers(options: argparse.Namespace) -> Layers:
    return layers_of(options.config, assignments=options.set)
