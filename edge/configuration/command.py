"""`speckled config check|show|explain|schema`."""

import argparse
import difflib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.config import Settings, layers_of, load
from edge.configuration.check import faults_of, warnings_of
from edge.configuration.keys import Key, all_keys, schema_for_editors, toml_value
from edge.configuration.page import markdown_table
from edge.configuration.show import as_toml
from edge.errors import ConfigError, Reason
from wire.exit import Exit
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
    show = actions.add_parser("show", help="the effective settings, as TOML")
    show.add_argument("section", nargs="?", help="one section, such as mqtt")
    show.add_argument("--origin", action="store_true", help="where each value comes from")
    show.add_argument("--json", action="store_true", help="as JSON")
    explain = actions.add_parser("explain", help="what a key means, what it can be, and what it is now")
    explain.add_argument("key", help="such as mqtt.port, or a section")
    schema = actions.add_parser("schema", help="JSON Schema of speckled.toml, for editors")
    schema.add_argument("--markdown", action="store_true", help="every key in a table instead")
    for parser_ in (check, show, explain):
        parser_.add_argument("--config", type=Path, default=DEFAULT, help="settings (default %(default)s)")
        parser_.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting that goes before all others"
        )
    return parser


def _check(options: argparse.Namespace) -> int:
    faults = faults_of(options.config, environment=os.environ, assignments=options.set)
    for fault in faults:
        place = f"{fault.place}: " if fault.place else ""
        sys.stdout.write(f"{fault.where}: {place}{fault.what}. {fault.remedy[:1].upper()}{fault.remedy[1:]}\n")
    if faults:
        sys.stdout.write(f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}\n")
        return Exit.CONFIG
    for warning in warnings_of(load(options.config, assignments=options.set)):
        sys.stdout.write(f"warning: {warning}\n")
    sys.stdout.write(f"{options.config}: in order\n")
    return Exit.OK


def _show(options: argparse.Namespace) -> int:
    layers = layers_of(options.config, assignments=options.set)
    settings = _validated(options)
    sections = settings.__struct_fields__
    if options.section is not None and options.section not in sections:
        raise _unknown(options.section, sections)
    if options.json:
        tree = msgspec.to_builtins(settings)
        chosen = tree if options.section is None else {options.section: tree[options.section]}
        sys.stdout.write(json.dumps(chosen, indent=2) + "\n")
    else:
        sys.stdout.write(as_toml(settings, layers, section=options.section, origins=options.origin))
    return Exit.OK


def _validated(options: argparse.Namespace) -> Settings:
    """As they are written: relative paths stay so, and the promise is not looked at."""
    try:
        layers = layers_of(options.config, assignments=options.set)
        return settings_from(layers, Settings, lister="speckled config check")
    except SettingsError as error:
        raise ConfigError(Reason.CONFIG, error.detail, error.remedy) from None


def _explain(options: argparse.Namespace) -> int:
    keys = all_keys()
    wanted = [key for key in keys if key.place == options.key or key.place.startswith(f"{options.key}.")]
    wanted = wanted or [key for key in keys if key.place.endswith(f".{options.key}")]
    if not wanted:
        raise _unknown(options.key, [key.place for key in keys])
    now = _now(options)
    sys.stdout.write("\n".join(_explained(key, now) for key in wanted))
    return Exit.OK


def _explained(key: Key, now: dict[str, str]) -> str:
    of = f" ({key.kind})" if key.kind else ""
    lines = [f"{key.place}{of}", f"  {key.meaning}", f"  {key.range}; {key.default}"]
    if key.place in now:
        lines.append(f"  now {now[key.place]}")
    return "\n".join(lines) + "\n"


def _now(options: argparse.Namespace) -> dict[str, str]:
    """The present value of each key and where it comes from; nothing where the settings cannot be read."""
    try:
        layers = layers_of(options.config, assignments=options.set)
        tree = msgspec.to_builtins(settings_from(layers, Settings))
    except (ConfigError, SettingsError):
        return {}
    values = {f"{name}.{key}": value for name, table in tree.items() for key, value in table.items()}
    return {
        place: f"{'none' if value is None else toml_value(value)} ({layers.origin(place) or 'default'})"
        for place, value in values.items()
    }


def _schema(options: argparse.Namespace) -> int:
    sys.stdout.write(markdown_table() if options.markdown else json.dumps(schema_for_editors(), indent=1) + "\n")
    return Exit.OK


def _unknown(wrong: str, known: Sequence[str]) -> ConfigError:
    near = difflib.get_close_matches(wrong, known, n=3) or [
        key for key in known if key.endswith(wrong.rsplit(".", maxsplit=1)[-1])
    ]
    remedy = f"did you mean {' or '.join(f'`{key}`' for key in near)}?" if near else "`speckled config show` has all"
    return ConfigError(Reason.CONFIG, f"there is no key `{wrong}`", remedy)
