"""The JSON schema of speckled.toml, for editors."""

import inspect
from typing import Any

import msgspec

from edge.config import Settings
from edge.configuration.keys import meaning_of, tables

Node = dict[str, Any]


def schema_for_editors() -> Node:
    """JSON Schema (draft 2020-12) of speckled.toml, with what each key means; nothing is null, as in TOML."""
    schema: Node = _as_toml_has_it(msgspec.json.schema(Settings))
    nodes = schema["$defs"]
    for table in reversed(tables()):  # partners have the types of [qrng], which comes first and gives them its name
        inner, of_list = table.place.removesuffix("[]"), table.place.endswith("[]")
        heading = f"[[{inner}]]" if of_list else f"[{inner}]"
        node = nodes[table.type.__name__]
        node["title"] = f'{heading} driver = "{table.kind}"' if table.kind else heading
        for name, value in node["properties"].items():
            if meaning := meaning_of(f"{table.place}.{name}", table.kind):
                value["description"] = meaning
    nodes[Settings.__name__]["title"] = "speckled.toml"
    for node in nodes.values():
        node["description"] = inspect.cleandoc(node["description"]).partition("\n\n")[0]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "speckled.toml", **schema}


def _as_toml_has_it(node: Any) -> Any:
    """Without null, since a key that holds nothing is left out, and without defaults of whole tables."""
    if isinstance(node, list):
        return [_as_toml_has_it(each) for each in node if each != {"type": "null"}]
    if not isinstance(node, dict):
        return node
    kept = {
        name: _as_toml_has_it(value)
        for name, value in node.items()
        if name != "default" or not (value is None or isinstance(value, dict))
    }
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [choice for choice in kept["enum"] if choice is not None]
    alternatives = kept.get("anyOf", ())
    return kept if len(alternatives) != 1 else {**kept.pop("anyOf")[0], **kept}
