"""The keys of speckled.toml as its types have them: what each can be, its default, and what it means."""

from dataclasses import dataclass
from typing import Any

import msgspec

from edge.config import Settings
from edge.configuration.meaning import MEANING

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. kind: of a table that comes in kinds, the `driver` that has it. default: as TOML, or in words."""

    place: str
    kind: str
    range: str
    default: str
    meaning: str


def all_keys() -> list[Key]:
    """Every key that holds a value, in the order of the types."""
    schema = msgspec.json.schema(Settings)
    return [key for key in _walk(schema, schema, "", "") if "[]" not in key.place or "custom" in key.place]


def meaning_of(place: str, kind: str) -> str:
    """What the key means. Raises KeyError where nobody has said it."""
    place = place.replace("entropy.partners[]", "qrng")
    table, _, key = place.rpartition(".")
    return MEANING.get(f"{table}.{kind}.{key}") or MEANING[place]


def schema_for_editors() -> Node:
    """JSON Schema (draft 2020-12) of speckled.toml, with what each key means."""
    schema = msgspec.json.schema(Settings)
    for place, kind, node in list(_properties(schema, schema, "", "")):
        if "$ref" not in node:
            node["description"] = _said(place, kind)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "speckled.toml"}
    return {**head, **schema}


def _said(place: str, kind: str) -> str:
    try:
        return meaning_of(place, kind)
    except KeyError:
        return ""


def _walk(schema: Node, node: Node, place: str, kind: str) -> list[Key]:
    keys = []
    for at, which, value in _properties(schema, node, place, kind):
        if not _tables(schema, value) or at == "entropy.partners":
            keys.append(Key(at, which, describe(value), _default(value), _said(at, which)))
    return keys


def _default(node: Node) -> str:
    if "default" not in node:
        return "required"
    return "none by default" if node["default"] is None else f"default {toml_value(node['default'])}"


def _properties(schema: Node, node: Node, place: str, kind: str) -> list[tuple[str, str, Node]]:
    """(place, kind, node) of every property beneath, depth first; items of lists as `place[]`."""
    found = []
    for table in _tables(schema, node):
        drivers = table["properties"].get("driver", {}).get("enum", [kind])
        for name, value in table["properties"].items():
            at = f"{place}.{name}".strip(".")
            found.append((at, drivers[0], value))
            inner = f"{at}[]" if value.get("type") == "array" else at
            found += _properties(schema, value, inner, drivers[0])
    return found


def _tables(schema: Node, node: Node) -> list[Node]:
    """The tables that a node is or may be, or holds as a list."""
    if "$ref" in node:
        return _tables(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    if "anyOf" in node:
        return [table for each in node["anyOf"] for table in _tables(schema, each)]
    if node.get("type") == "array" and isinstance(node.get("items"), dict):
        return _tables(schema, node["items"])
    return [node] if node.get("type") == "object" and "properties" in node else []


def describe(node: Node) -> str:
    """What a value can be, in words."""
    if "anyOf" in node:
        return " or ".join(describe(each) for each in node["anyOf"] if each.get("type") != "null")
    if "enum" in node:
        return ", ".join(str(choice) for choice in node["enum"])
    kind = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "array": "list"}
    words = kind.get(node.get("type", ""), "table")
    low, high = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum")
    if "exclusiveMinimum" in node:
        words += f" above {low}"
        low = None
    if low is not None and high is not None:
        words += f", {low} to {high}"
    elif low is not None:
        words += f", at least {low}"
    elif high is not None:
        words += f", at most {high}"
    return words


def toml_value(value: Any) -> str:
    """A value in TOML; tables inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")  # JSON allows DEL as it is, TOML does not
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items() if v is not None) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value)
