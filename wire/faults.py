"""Everything that is wrong with settings, at once. Loaded only where something is."""

import copy
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from wire.layers import Layers, Tree

UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`")
MISSING = re.compile(r"Object missing required field `(.+?)`")
WRONG = re.compile(r"Invalid (?:enum )?value '(.*)'")
MOST = 200
"""Faults that are looked for in one section, at most."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, at which key, what, and what to do."""

    where: str
    place: str
    what: str
    remedy: str

    @property
    def detail(self) -> str:
        """All but the remedy, in one line."""
        return f"{self.where}: {self.what} - at `{'$.' + self.place if self.place else '$'}`"


def find_faults(layers: Layers, kind: type[msgspec.Struct]) -> list[Fault]:
    """Every fault that a reader of this kind finds, section by section, in the order of its sections.

    What is found at fault is taken out and the rest is looked at again, so that one fault does not hide another.
    """
    tree = layers.tree
    schema = msgspec.json.schema(kind)
    sections = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    faults = [
        Fault(layers.where(key), "", f"Object contains unknown field `{key}`", _near(key, list(sections)))
        for key in tree
        if key not in sections
    ]
    for name, field in sections.items():
        if name in tree:
            faults += _of_section(layers, name, tree[name], field.type, schema)
        elif field.required:
            what = f"Object missing required field `{name}`"
            faults.append(Fault(layers.where(name), "", what, f"add the section [{name}]"))
    return faults


def _of_section(layers: Layers, name: str, tree: Any, kind: Any, schema: Tree) -> Iterator[Fault]:
    tree = copy.deepcopy(tree)
    removed: set[str] = set()
    for _ in range(MOST):
        try:
            msgspec.convert(tree, kind)
        except msgspec.ValidationError as error:
            what, place = split(str(error))
            if (missing := MISSING.match(what)) and f"{place}.{missing[1]}".strip(".") in removed:
                return  # it was there, and at fault itself
            yield _fault(layers, f"{name}.{place}".strip("."), what, schema)
            unknown = UNKNOWN.match(what)
            at = f"{place}.{unknown[1]}".strip(".") if unknown else place
            if missing or not _take_out(tree, at):
                return
            removed.add(at)
        else:
            return


def _fault(layers: Layers, place: str, what: str, schema: Tree) -> Fault:
    unknown = UNKNOWN.match(what)
    where = layers.where(f"{place}.{unknown[1]}" if unknown else place)
    return Fault(where, place, what, _remedy(schema, place, what))


def split(message: str) -> tuple[str, str]:
    """What msgspec says, and where: `Expected int`, `mqtt.port`."""
    what, _, place = message.partition(" - at `$")
    return what, place.strip("`.")


def _take_out(tree: Any, place: str) -> bool:
    """Remove what is at fault, or the list around it where nobody knows which item it was."""
    keys = re.findall(r"[\w\-]+|\[[^\]]*\]", place)
    while keys and keys[-1].startswith("["):
        keys.pop()
    *path, last = keys or [""]
    for key in path:
        if key.startswith("[") or not isinstance(tree, dict):
            return _take_out_list(tree)
        tree = tree.get(key)
    return isinstance(tree, dict) and tree.pop(last, None) is not None


def _take_out_list(tree: Any) -> bool:
    """Faults inside a list's items: the list as a whole counts as looked at."""
    if isinstance(tree, list) and tree:
        tree.clear()
        return True
    return False


def _remedy(schema: Tree, place: str, what: str) -> str:
    if unknown := UNKNOWN.match(what):
        return _near(unknown[1], sorted({key for node in _at(schema, place) for key in node.get("properties", {})}))
    if missing := MISSING.match(what):
        return f"add the key `{missing[1]}`"
    wrong = WRONG.match(what)
    choices = [choice for node in _at(schema, place) for choice in node.get("enum", [])] if wrong else []
    if not wrong or not choices:
        return f"correct the value at that key; `speckled config explain {place}` says what it can be"
    near = difflib.get_close_matches(wrong[1], choices, n=1)
    return f"did you mean `{near[0]}`?" if near else f"choose one of {', '.join(choices)}"


def _near(wrong: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean `{near[0]}`?" if near else "remove the key"


def _at(tree: Tree, place: str) -> list[Tree]:
    """All that a JSON schema allows at a place such as `entropy.partners[...].driver`."""
    nodes = _expand(tree, tree)
    for key, item in re.findall(r"([\w\-]+)|(\[[^\]]*\])", place):
        inner = [node.get("items") if item else node.get("properties", {}).get(key) for node in nodes]
        nodes = [part for node in inner if node for part in _expand(tree, node)]
    return nodes


def _expand(tree: Tree, node: Tree) -> list[Tree]:
    """The alternatives of a node, with references followed."""
    if "$ref" in node:
        node = tree["$defs"][node["$ref"].rpartition("/")[2]]
    return [part for each in node["anyOf"] for part in _expand(tree, each)] if "anyOf" in node else [node]
