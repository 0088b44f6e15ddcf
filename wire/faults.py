"""Everything that is wrong with settings, at once. Loaded only where something is."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from wire.kinds import choices, in_words, item, structs, tag_field
from wire.layers import Layers
from wire.lines import Place, name_of, steps

_WRONG = re.compile(r"Invalid (?:enum )?value '(.*)'")


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


@dataclass(frozen=True, slots=True)
class _Found:
    """As a Fault, before anybody has looked where it stands. key: what is at fault in a table that is at `place`."""

    place: Place
    what: str
    remedy: str
    key: str | None = None

    def fault(self, layers: Layers) -> Fault:
        at = self.place if self.key is None else (*self.place, self.key)
        return Fault(layers.where(at), name_of(self.place), self.what, self.remedy)


def find_faults(layers: Layers, kind: type[Struct]) -> list[Fault]:
    """Every fault of settings that should be of a kind: keys in the order of their layers, then those that are missing.

    Each value is looked at by itself, so that no fault hides another; only below a table that does not say which
    kind it is, nothing can be told. None where the settings are in order.
    """
    tree = layers.tree
    found = list(_of_table(tree, kind, ())) or list(_of_value(tree, kind, ()))
    return [each.fault(layers) for each in found]


def _look(value: Any, kind: Any, place: Place) -> Iterator[_Found]:
    tables, inner = structs(kind), item(kind)
    if tables and isinstance(value, dict):
        yield from _of_tables(value, tables, place)
    elif inner is not None and isinstance(value, list) and structs(inner):
        yield from _of_list(value, kind, inner, place)
    elif pair := _pair(kind, value):
        for index, (each, of) in enumerate(pair):
            yield from _of_value(each, of, (*place, index))
    else:
        yield from _of_value(value, kind, place)


def _of_tables(value: dict[str, Any], tables: list[type[Struct]], place: Place) -> Iterator[_Found]:
    """A table of one kind, or of one of several, which it names."""
    tag = tag_field(tables[0])
    if tag is None:
        yield from _of_table(value, tables[0], place)
        return
    known = {str(table.__struct_config__.tag): table for table in tables}
    if tag not in value:
        yield _Found(place, f"Object missing required field `{tag}`", f"add the key `{tag}`")
    elif isinstance(value[tag], str) and value[tag] in known:
        yield from _of_table(value, known[value[tag]], place)
    else:
        yield _Found((*place, tag), f"Invalid value {value[tag]!r}", _choose(value[tag], known))


def _of_table(value: dict[str, Any], kind: type[Struct], place: Place) -> Iterator[_Found]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    missing = dict.fromkeys(key for key, field in fields.items() if field.required and key not in value)
    for key, inner in value.items():
        if key in fields:
            yield from _look(inner, fields[key].type, (*place, key))
        elif key != tag_field(kind):
            meant = _near(key, missing) or _near(key, fields)
            missing.pop(meant or "", None)  # one mistake is one fault
            remedy = f"did you mean `{meant}`?" if meant else "remove the key"
            yield _Found(place, f"Object contains unknown field `{key}`", remedy, key)
    for key in missing:
        remedy = f"add the key `{key}`" if place else f"add the section [{key}]"
        yield _Found(place, f"Object missing required field `{key}`", remedy, key)


def _of_list(value: list[Any], kind: Any, inner: Any, place: Place) -> Iterator[_Found]:
    for index, each in enumerate(value):
        yield from _look(each, inner, (*place, index))
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    for note in notes:
        if isinstance(note, Meta):  # of the items nothing is known here: only how many there are
            yield from _of_value(value, Annotated[list[Any], note], place, kind)


def _of_value(value: Any, kind: Any, place: Place, meant: Any = None) -> Iterator[_Found]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, beneath = str(error).partition(" - at `$")
        wrong = _WRONG.match(what)
        words = choices(kind) if wrong else []
        remedy = _choose(wrong[1], words) if wrong and words else f"correct the value: {in_words(meant or kind)}"
        yield _Found((*place, *steps(beneath.strip("`."))), what, remedy)


def _pair(kind: Any, value: Any) -> list[tuple[Any, Any]] | None:
    """A list of fixed length with what each item must be, where it has that length."""
    kinds = get_args(kind)
    if get_origin(kind) is not tuple or ... in kinds or not isinstance(value, list) or len(value) != len(kinds):
        return None
    return list(zip(value, kinds, strict=True))


def _choose(wrong: Any, known: Iterable[str]) -> str:
    near = _near(str(wrong), known)
    return f"did you mean `{near}`?" if near else f"choose one of {', '.join(known)}"


def _near(wrong: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(wrong, sorted(known), n=1)), None)
