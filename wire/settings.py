"""A TOML file as a frozen struct. Both ends of the wire are configured this way."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from wire.exit import Exit
from wire.lines import line_of

T = TypeVar("T", bound=msgspec.Struct)


class SettingsError(ValueError):
    """A settings or key file that cannot be used: what is wrong, where, and in `remedy` what to do."""

    exit = Exit.CONFIG

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


def read_settings(path: Path, kind: type[T]) -> T:
    """Read and validate one file. An unknown key is an error with a suggestion, never ignored.

    Raises:
        SettingsError: the file is missing, unreadable, not TOML, or does not fit the struct.
    """
    text = _read(path)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}", "correct the TOML syntax at that line") from None
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{_where(path, text, str(error))}: {error}", _remedy(str(error), kind)) from None


def where(path: Path, place: str) -> str:
    """`path:line` of a key such as `privacy.custom.levels[1].cell`, in a file that was read."""
    return _where(path, _read(path), f" - at `$.{place}`")


def _where(path: Path, text: str, message: str) -> str:
    what, _, place = message.partition(" - at `$")
    unknown = re.match(r"Object contains unknown field `(.+?)`", what)
    line = line_of(text, place.strip("`.") + (f".{unknown[1]}" if unknown else ""))
    return str(path) if line is None else f"{path}:{line}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", "name a readable settings file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not a text file", "name a TOML file in UTF-8") from None


def _remedy(message: str, kind: type[msgspec.Struct]) -> str:
    what, _, place = message.partition(" - at `$")
    tree = msgspec.json.schema(kind)
    unknown = re.match(r"Object contains unknown field `(.+?)`", what)
    if unknown:
        known = {key for node in _nodes_at(tree, place) for key in node.get("properties", {})}
        near = difflib.get_close_matches(unknown[1], sorted(known), n=1)
        return f"did you mean `{near[0]}`?" if near else "remove the key"
    missing = re.match(r"Object missing required field `(.+?)`", what)
    if missing:
        return f"add the key `{missing[1]}`"
    wrong = re.match(r"Invalid (?:enum )?value '(.*)'", what)
    choices = [choice for node in _nodes_at(tree, place) for choice in node.get("enum", [])] if wrong else []
    if not wrong or not choices:
        return "correct the value at that key"
    near = difflib.get_close_matches(wrong[1], choices, n=1)
    return f"did you mean `{near[0]}`?" if near else f"choose one of {', '.join(choices)}"


def _nodes_at(tree: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """All that a JSON schema allows at a place such as `.entropy.partners[...].driver`."""
    nodes = _expand(tree, tree)
    for key, item in re.findall(r"\.(\w+)|(\[)", place):
        inner = [node.get("items") if item else node.get("properties", {}).get(key) for node in nodes]
        nodes = [part for node in inner if node for part in _expand(tree, node)]
    return nodes


def _expand(tree: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives of a node, with references followed."""
    if "$ref" in node:
        node = tree["$defs"][node["$ref"].rpartition("/")[2]]
    return [part for each in node["anyOf"] for part in _expand(tree, each)] if "anyOf" in node else [node]
