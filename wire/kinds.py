"""What the annotations of settings allow at a place, and what can be said about it in words."""

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


def alternatives(kind: Any) -> list[Any]:
    """The members of a union, or the kind alone; without the notes of Annotated around a union."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(bare) in {Union, types.UnionType}:
        return [each for member in get_args(bare) for each in alternatives(member)]
    return [kind]


def structs(kind: Any) -> list[type[Struct]]:
    """The tables that a kind allows; several are told apart by their tag field."""
    return [each for each in alternatives(kind) if isinstance(each, type) and issubclass(each, Struct)]


def item(kind: Any) -> Any:
    """What each item of a list of one kind must be; None where the kind is no such list."""
    for each in alternatives(kind):
        bare = get_args(each)[0] if get_origin(each) is Annotated else each
        arguments = get_args(bare)
        if get_origin(bare) is list or (get_origin(bare) is tuple and arguments[1:] == (...,)):
            return arguments[0]
    return None


def tag_field(kind: type[Struct]) -> str | None:
    """The key by which a table says which of several it is."""
    return kind.__struct_config__.tag_field


def kinds_at(kind: Any, path: Sequence[str | int]) -> Iterator[Any]:
    """All that may stand at a path of keys and indices beneath a kind."""
    if not path:
        yield kind
        return
    step, *rest = path
    if isinstance(step, int):
        inner = item(kind)
        if inner is not None:
            yield from kinds_at(inner, rest)
        return
    for struct in structs(kind):
        for field in msgspec.structs.fields(struct):
            if field.encode_name == step:
                yield from kinds_at(field.type, rest)
        if step == tag_field(struct) and not rest:
            yield Literal[struct.__struct_config__.tag]


def fits(value: Any, kind: Any) -> bool:
    """Whether a value can stand where a kind is asked for."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def choices(kind: Any) -> list[str]:
    """The words that can be chosen from, if there are any."""
    return [str(word) for each in alternatives(kind) if get_origin(each) is Literal for word in get_args(each)]


def in_words(kind: Any) -> str:
    """What a value can be: `a whole number, 1 to 65535`."""
    said = [_one(each) for each in alternatives(kind) if each is not type(None)]
    return " or ".join(dict.fromkeys(said))


def _one(kind: Any) -> str:
    notes = [note for note in get_args(kind)[1:] if isinstance(note, Meta)] if get_origin(kind) is Annotated else []
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(bare) is Literal:
        return "one of " + ", ".join(str(word) for word in get_args(bare))
    if get_origin(bare) in {list, tuple}:
        return _list(bare, notes)
    words = _NAMES.get(bare, "a table")
    limits = [limit for note in notes for limit in _limits(note)]
    return ", ".join((words, *limits))


def _list(bare: Any, notes: list[Meta]) -> str:
    arguments = get_args(bare)
    if get_origin(bare) is tuple and arguments[1:] != (...,):
        each = dict.fromkeys(_one(argument) for argument in arguments)
        return f"a list of {len(arguments)}, each {' or '.join(each)}"
    limits = [limit for note in notes for limit in _limits(note)]
    return ", ".join(("a list", *limits))


def _limits(note: Meta) -> Iterator[str]:
    if note.ge is not None and note.le is not None:
        yield f"{note.ge} to {note.le}"
    elif note.ge is not None:
        yield f"at least {note.ge}"
    elif note.le is not None and note.gt is None:
        yield f"at most {note.le}"
    if note.gt is not None:
        yield f"above {note.gt}" + (f", at most {note.le}" if note.le is not None else "")
    if note.min_length is not None and note.max_length is not None:
        yield f"{note.min_length} to {note.max_length} long"
    elif note.max_length is not None:
        yield f"at most {note.max_length} long"
    elif note.min_length is not None:
        yield "not empty" if note.min_length == 1 else f"at least {note.min_length} long"
