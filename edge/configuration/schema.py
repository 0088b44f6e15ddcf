"""The JSON schema of speckled.toml, for editors."""

import inspect
from typing import Any

import msgspec

from edge.config import Settings
from edge.configuration.keys import meaning_of, tables

Node = dict[str, Any]


def schema_for_editors() -> Node:
    """JSON Schema (draft 2020-12) of speckled.toml, with what each key means; nothing is null, as in TOML."""
    schema: Node = _without_null(msgspec.json.schema(Settings))
    for table in tables():
        node = schema["$defs"][table.type.__name__]
        heading = f"[[{table.place.removesuffix('[]')}]]" if table.place.endswith("[]") else f"[{table.place}]"
        node["title"] = f'{heading} driver = "{table.kind}"' if table.kind else heading
        _describe(node, table.place, table.kind)
    whole = schema["$defs"][Settings.__name__]
    whole["title"] = "speckled.toml"
    for node in schema["$defs"].values():
        node["description"] = inspect.cleandoc(node["description"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "speckled.toml", **schema}


def _describe(node: Node, place: str, kind: str) -> None:
    for name, value in node["properties"].items():
        meaning = meaning_of(f"{place}.{name}", kind)
        if meaning:
            value["description"] = meaning


def _without_null(node: Any) -> Any:
    """TOML has no null: a key that holds nothing is left out."""
    if isinstance(node, list):
        return [_without_null(each) for each in node if each != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    kept = {name: _without_null(value) for name, value in node.items() if name != "default" or value is not None}
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [choice for choice in kept["enum"] if choice is not None]
    alternatives = kept.get("anyOf", ())
    return kept if len(alternatives) != 1 else {**kept.pop("anyOf")[0], **kept}
