"""Settings from several places laid over each other: a file, its drop-ins, the environment, the command line."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wire.lines import line_of, steps

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
    variables: for the environment, the variable that a place such as `mqtt.port` comes from.
    """

    name: str
    tree: Tree
    text: str = ""
    variables: Mapping[str, str] | None = None

    def where(self, place: str) -> str:
        """How to find a place that this layer has: `path:line`, or the name of a variable."""
        if self.variables is not None:
            return self.variables.get(place) or next(
                (name for key, name in self.variables.items() if key.startswith(f"{place}.")), self.name
            )
        line = line_of(self.text, place) if self.text else None
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

    def origin(self, place: str) -> str | None:
        """Where the value at a place such as `mqtt.port` comes from; None where no layer has it."""
        path = steps(place)
        layer = next((layer for layer in reversed(self.layers) if has(layer.tree, path)), None)
        return None if layer is None else layer.where(place)

    def where(self, place: str) -> str:
        """As `origin`, or where the nearest table or value around it stands; the first layer where nothing does."""
        path = steps(place)
        found = self.origin(place)
        for length in range(len(path) - 1, 0, -1):
            around = [layer for layer in reversed(self.layers) if has(layer.tree, path[:length])]
            # A file has a line for the table; a variable for another key of it says nothing of this one.
            around.sort(key=lambda layer: not layer.text)
            found = found or (around[0].where(place) if around else None)
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
        raise LayerError(f"{path}: {error}", "correct the TOML syntax at that line") from None


def read_drop_ins(folder: Path) -> list[Layer]:
    """Every `*.toml` in a folder, in the order of names; none where there is no folder. Raises LayerError."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LayerError(f"{folder}: {error.strerror}", "let this user read it, or remove it") from None
    return [read_file(path) for path in paths]


def from_environment(environment: Mapping[str, str], prefix: str, *, but: Sequence[str] = ()) -> Layer | None:
    """`<prefix>SECTION__KEY=value`, deeper tables with more `__`; None where no variable is of that form.

    A value is read as TOML where it is TOML, else as text: 8883 is a number, and so is `8883`'s quoted form a text.
    Variables that begin with one of `but` are somebody else's.
    """
    tree: Tree = {}
    variables: dict[str, str] = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(prefix) or "__" not in name[len(prefix) :] or name.startswith(tuple(but)):
            continue
        *tables, key = name[len(prefix) :].lower().split("__")
        place = tree
        for table in tables:
            inner = place.setdefault(table, {})
            place = inner if isinstance(inner, dict) else {}
        place[key] = _value(text)
        variables[".".join((*tables, key))] = name
    return Layer("environment", tree, variables=variables) if variables else None


def from_assignments(assignments: Sequence[str]) -> Layer | None:
    """`mqtt.port=8883` from the command line; None where there is none. Raises LayerError."""
    tree: Tree = {}
    variables: dict[str, str] = {}
    for assignment in assignments:
        place, mark, text = assignment.partition("=")
        if not mark or not all(place.split(".")):
            raise LayerError(f"--set {assignment}: not KEY=VALUE", "write for example --set mqtt.port=8883")
        *tables, key = place.split(".")
        at = tree
        for table in tables:
            at = at.setdefault(table, {})
        at[key] = _value(text)
        variables[place] = f"--set {place}"
    return Layer("command line", tree, variables=variables) if variables else None


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
