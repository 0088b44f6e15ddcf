"""The keys of speckled.toml as its types have them: what each can be, its default, and what it means."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from edge.config import Settings
from edge.configuration.meaning import MEANING
from wire.kinds import in_words, item, structs, tag_field


@dataclass(frozen=True, slots=True)
class Key:
    """One key. kind: of a table that comes in kinds, the `driver` that has it. default: as TOML, or in words."""

    place: str
    kind: str
    range: str
    default: str
    meaning: str


class Table(NamedTuple):
    """A table of the settings. place: `mqtt`, or `privacy.custom.levels[]` for one of a list."""

    place: str
    kind: str
    type: type[Struct]


def all_keys() -> list[Key]:
    """Every key that holds a value, in the order of the types. Those of [[entropy.partners]] are those of [qrng]."""
    return [key for table in tables() if not table.place.startswith("entropy.partners") for key in _keys_of(table)]


def tables() -> list[Table]:
    """Every table below the whole, the outer before the inner."""
    return list(_tables(Settings, ""))


def meaning_of(place: str, kind: str = "") -> str:
    """What a key means; empty where nobody has said it."""
    place = place.replace("entropy.partners[]", "qrng")
    table, _, key = place.rpartition(".")
    return MEANING.get(f"{table}.{kind}.{key}", MEANING.get(place, ""))


def _tables(kind: Any, place: str) -> Iterator[Table]:
    for struct in structs(kind):
        tag = struct.__struct_config__.tag
        if place:
            yield Table(place, str(tag or ""), struct)
        for field in msgspec.structs.fields(struct):
            inner = f"{place}.{field.encode_name}".strip(".")
            yield from _tables(field.type, inner)
            if (of_each := item(field.type)) is not None:
                yield from _tables(of_each, f"{inner}[]")


def _keys_of(table: Table) -> Iterator[Key]:
    tag = tag_field(table.type)
    if tag is not None and (alike := [each for each in tables() if each.place == table.place])[0] == table:
        place, kinds = f"{table.place}.{tag}", ", ".join(each.kind for each in alike)
        yield Key(place, "", f"one of {kinds}", _default_kind(table.place), meaning_of(place))
    for field in msgspec.structs.fields(table.type):
        place = f"{table.place}.{field.encode_name}"
        if not structs(field.type):
            yield Key(place, table.kind, _range(field.type), _default(field), meaning_of(place, table.kind))


def _range(kind: Any) -> str:
    return f"{in_words(kind)}, each a table" if structs(item(kind)) else in_words(kind)


def _default_kind(section: str) -> str:
    field = next(field for field in msgspec.structs.fields(Settings) if field.encode_name == section)
    return "required" if field.required else toml_value(field.default.__struct_config__.tag)


def _default(field: Any) -> str:
    if field.required:
        return "required"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "none" if default is None else toml_value(default)


def toml_value(value: Any) -> str:
    """A value in TOML; tables inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items() if v is not None) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value)
