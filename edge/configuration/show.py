"""Effective settings as TOML that reads back to the same."""

from collections.abc import Iterator
from typing import Any

import msgspec

from edge.config import Settings
from edge.configuration.keys import toml_value
from wire.layers import Layers


def as_toml(settings: Settings, layers: Layers, *, section: str | None = None, origins: bool = False) -> str:
    """Each section as a table; keys that hold nothing are left out. `origins`: behind each value, where it is from."""
    tree = msgspec.to_builtins(settings)
    names = [section] if section else list(tree)
    parts = ["\n".join(_table(tree[name], name, layers if origins else None)) for name in names]
    return "\n\n".join(parts) + "\n"


def _table(table: dict[str, Any], place: str, layers: Layers | None) -> Iterator[str]:
    yield f"[{place}]"
    deeper = {}
    for key, value in table.items():
        if isinstance(value, dict):
            deeper[key] = value
        elif value is not None:
            line = f"{key} = {toml_value(value)}"
            yield line if layers is None else f"{line}  # {layers.origin(f'{place}.{key}') or 'default'}"
    for key, value in deeper.items():
        yield ""
        yield from _table(value, f"{place}.{key}", layers)
