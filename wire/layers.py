"""Settings from several places laid over each other: a file, its drop-ins, the environment, the command line."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from wire.lines import Place, line_of, steps

Tree = dict[str, Any]
CHOICE = "driver"
"""The key that says which kind of thing a table describes: a layer that names another kind replaces the table."""


class LayerError(ValueError):
    """A layer that cannot be read: what is wrong, and in `remedy` what to do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Layer:
    """One place that settings come from.

    name: a path, or what else errors call it. text: of a file, for line numbers; empty for what has no lines.
    variables: the variable or argument that each place comes from, where they do not come from a file.
    """

    name: str
    tree: Tree
    text: str = ""
    variables: Mapping[Place, str] | None = None

    def where(self, place: str | Place) -> str:
        """How to find a place that this layer has: `path:line`, or the name of a variable."""
        path = steps(place)
        if self.variables is not None:
            around = (self.variables.get(path[:length]) for length in range(len(path), 0, -1))
            beneath = (name for at, name in self.variables.items() if at[: len(path)] == path)
            return next((name for name in (*around, *beneath) if name), self.name)
        line = line_of(self.text, path) if self.text else None
        return self.name if line is None else f"{self.name}:{line}"


@dataclass(frozen=True, slots=True)
class Layers:
    """Settings that were read, with where each comes from. `layers`: the lowest first."""

    layers: tuple[Layer, ...]

    @property
    def tree(self) -> Tree:
        """All of them merged."""
        merged: Tree = {}
        for layer in self.layers:
            merged = merge(merged, layer.tree)
        return merged

    def origin(self, place: str | Place) -> str | None:
        """Where the value at a place such as `mqtt.port` comes from; None where no layer has it."""
        path = steps(place)
        layer = next((layer for layer in reversed(self.layers) if has(layer.tree, path)), None)
        return None if layer is None else layer.where(path)

    def where(self, place: str | Place) -> str:
        """As `origin`, or where the nearest table or value around it stands; the first layer where nothing does."""
        path = steps(place)
        found = self.origin(path)
        for length in range(len(path) - 1, 0, -1):
            around = [layer for layer in reversed(self.layers) if has(layer.tree, path[:length])]
            # A file has a line for the table; a variable for another key of it says nothing of this one.
            around.sort(key=lambda layer: not layer.text)
            found = found or (around[0].where(path) if around else None)
        return found or self.layers[0].name


def merge(below: Tree, above: Tree) -> Tree:
    """`above` laid over `below`: tables by key, all else replaced; so is a table whose `driver` is another one."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get(CHOICE, old.get(CHOICE)) == old.get(CHOICE):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def has(tree: Any, path: Sequence[str | int]) -> bool:
    """Whether a tree has something at a path of keys and indices."""
    for step in path:
        if isinstance(tree, dict):
            found = step in tree
        else:
            found = isinstance(tree, list) and isinstance(step, int) and step < len(tree)
        if not found:
            return False
        tree = tree[step]
    return True


def read_file(path: Path) -> Layer:
    """One TOML file. Raises LayerError."""
    try:
        text = path.read_text(encoding="utf-8")
        return Layer(str(path), tomllib.loads(text), text)
    except OSError as error:
        raise LayerError(f"{path}: {error.strerror}", "name a readable settings file") from None
    except UnicodeDecodeError:
        raise LayerError(f"{path}: not a text file", "name a TOML file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise LayerError(
            f"{path}:{line[1]}: {error}" if line else f"{path}: {error}", "correct the TOML syntax at that line"
        ) from None


def read_drop_ins(folder: Path) -> list[Layer]:
    """Every `*.toml` in a folder but hidden ones, in the order of names; none without a folder. Raises LayerError."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LayerError(f"{folder}: {error.strerror}", "let this user read it, or remove it") from None
    return [read_file(path) for path in paths]


def from_environment(
    environment: Mapping[str, str], prefix: str, *, kind: Any = None, but: Sequence[str] = ()
) -> Layer | None:
    """`<prefix>SECTION__KEY=value`, deeper tables with more `__`; None where no variable is of that form.

    A value is read as TOML, and as text where it is not TOML or where `kind`, what the settings are, wants text there.
    Variables that begin with one of `but` are somebody else's. Raises LayerError.
    """
    layer = Layer("environment", {}, variables={})
    for name, text in sorted(environment.items()):
        inner = name.removeprefix(prefix)
        if inner == name or "__" not in inner or name.startswith(tuple(but)):
            continue
        if not inner.isupper() or not all(inner.split("__")):
            raise LayerError(f"{name}: no name of a setting", f"write for example {prefix}MQTT__PORT=8883, in capitals")
        _put(layer, tuple(inner.lower().split("__")), name, text, kind)
    return layer if layer.tree else None


def from_assignments(assignments: Sequence[str], *, kind: Any = None) -> Layer | None:
    """`mqtt.port=8883` from the command line, read like variables; None where there is none. Raises LayerError."""
    layer = Layer("command line", {}, variables={})
    last = {place: text for place, mark, text in (each.partition("=") for each in assignments) if mark}
    for place, mark, _ in (assignment.partition("=") for assignment in assignments):
        if not mark or not all(place.split(".")):
            raise LayerError(f"--set {place}: not KEY=VALUE", "write for example --set mqtt.port=8883")
    for place, text in last.items():
        _put(layer, tuple(place.split(".")), f"--set {place}", text, kind)
    return layer if layer.tree else None


def _put(layer: Layer, place: tuple[str, ...], name: str, text: str, kind: Any) -> None:
    """One more value in a layer. Raises LayerError where another one of it stands in the way."""
    at, variables = layer.tree, cast("dict[Place, str]", layer.variables)
    for step in place[:-1]:
        at = at.setdefault(step, {}) if isinstance(at, dict) else at
    if not isinstance(at, dict) or place[-1] in at:
        others = [each for other, each in variables.items() if other[: len(place)] == place[: len(other)]]
        raise LayerError(f"{name}: {others[0]} says otherwise", "leave out one of the two")
    at[place[-1]] = _value(text, place, kind, name)
    variables[place] = name


def _value(text: str, place: Place, kind: Any, name: str) -> Any:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise LayerError(f"{name}: not text in UTF-8", "write it in UTF-8, or in a file") from None
    try:
        tree = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = tree["value"] if len(tree) == 1 else text
    if kind is None or isinstance(value, str):
        return value
    from wire.kinds import fits, kinds_at  # noqa: PLC0415 (start-up time: most devices set nothing this way)

    wanted = list(kinds_at(kind, place))
    as_text = not any(fits(value, each) for each in wanted) and any(fits(text, each) for each in wanted)
    return text if as_text else value
