"""A profile from its TOML file. Whatever is wrong with the file is one line that says where and what to do."""

import difflib
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from drivers.errors import QrngError, QrngReason
from drivers.qrng.profile.schema import Profile
from drivers.qrng.profile.tables import Hex, Octet

SHIPPED = Path(__file__).resolve().parent.parent / "profiles"
"""The folder of the profiles that come with the package."""
PLACEHOLDER = "??"
"""What stands in a template where its user must write a value from the maker's data sheet."""
_LARGEST = 65536
_HELP = "docs/devices/profile.md has the meaning and range of every key."
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<key>\w+)`")


def load_profile(path: Path | str) -> Profile:
    """Read and validate one profile.

    Raises QrngError(NOT_FOUND, DENIED) where the file cannot be read, and QrngError(BAD_PROFILE) for the first defect
    found in it: its detail is one line, "FILE: KEY: what is wrong".
    """
    tree = _read_toml(str(path))
    waiting = list(_placeholders(tree, ""))
    if waiting:
        more = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
        raise _bad(
            path,
            f"{waiting[0]}: still a placeholder{more}",
            f"Copy the template, and replace every {PLACEHOLDER} with the value in the maker's data sheet.",
        )
    try:
        return msgspec.convert(tree, Profile, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _explained(path, str(error)) from None


def _read_toml(path: str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except PermissionError:
        raise QrngError(QrngReason.DENIED, f"{path!r} may not be read", "Make the file readable.") from None
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        raise QrngError(
            QrngReason.NOT_FOUND, f"{path!r} is no file that can be read", "Name the TOML file of a profile."
        ) from None
    if len(data) > _LARGEST:
        raise _bad(path, f"longer than {_LARGEST} bytes", "Name the TOML file of a profile.")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise _bad(path, "not a text in UTF-8", "Name the TOML file of a profile.") from None
    except (ValueError, RecursionError) as error:  # tomllib lets both of them through for numbers and nesting
        what = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "not TOML"
        raise _bad(path, what, "Correct the TOML at that place; bytes are hex in quotes.") from None


def _placeholders(tree: Any, path: str) -> Iterator[str]:
    """Key paths of the strings that are still to be filled in."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _placeholders(value, f"{path}.{key}" if path else key)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _placeholders(value, f"{path}[{index}]")
    elif isinstance(tree, str) and PLACEHOLDER in tree:
        yield path


def _decode(kind: type, value: Any) -> Any:
    if not isinstance(value, str):
        raise TypeError("write bytes as hex in quotes, such as " + ('"a2"' if kind is Octet else '"80 12"'))
    try:
        data = bytes.fromhex(value)
    except ValueError:
        raise ValueError("not hex: write two digits for each byte, without 0x") from None
    if kind is Hex:
        return Hex(data)
    if len(data) != 1:
        raise ValueError(f"needs exactly one byte, and has {len(data)}")
    return Octet(data[0])


def _explained(path: Path | str, message: str) -> QrngError:
    """The line for what msgspec found, which names the place as `$.table[0].key` at its end."""
    what, _, place = message.partition(" - at `$")
    place = place.strip("`.")
    prefix = f"{place}." if place else ""
    unknown = _UNKNOWN.fullmatch(what)
    if unknown:
        keys = sorted(field.name for field in msgspec.structs.fields(_table_at(place)))
        near = difflib.get_close_matches(unknown["key"], keys, n=1)
        remedy = f"Did you mean {near[0]}?" if near else f"The keys here are {', '.join(keys)}."
        return _bad(path, f"{prefix}{unknown['key']}: no such key", remedy)
    missing = _MISSING.fullmatch(what)
    if missing:
        return _bad(path, f"{prefix}{missing['key']}: missing", f"Add the key; {_HELP}")
    if what.startswith("Invalid enum value"):
        what = f"Expected {_choices_at(place)}"
    what = what.replace("Expected `object", "Expected `table").replace("`str` matching regex", "a name that matches")
    return _bad(path, f"{place}: {what}" if place else what, f"Correct the value; {_HELP}")


def _table_at(place: str) -> type[msgspec.Struct]:
    """The table at a path such as `read.header` or `identify[0]`."""
    kind: type[msgspec.Struct] = Profile
    for name in re.findall(r"[a-z_]+", place):
        hint = typing.get_type_hints(kind)[name]
        kind = next(part for part in _parts(hint) if isinstance(part, type) and issubclass(part, msgspec.Struct))
    return kind


def _choices_at(place: str) -> str:
    """The values that the key at a path may have, where they are few."""
    table, _, key = place.rpartition(".")
    return " or ".join(map(repr, typing.get_args(typing.get_type_hints(_table_at(table))[key])))


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for part in typing.get_args(hint):
        yield from _parts(part)


def _bad(path: Path | str, what: str, remedy: str) -> QrngError:
    line = " ".join(f"{path}: {what}".split())
    return QrngError(QrngReason.BAD_PROFILE, line, " ".join(remedy.split()))
