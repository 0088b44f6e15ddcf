"""A TOML file as a frozen struct. Both ends of the wire are configured this way."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from wire.exit import Exit

T = TypeVar("T", bound=msgspec.Struct)


class SettingsError(ValueError):
    """A settings or key file that cannot be used: what is wrong, where, and in `remedy` what to do."""

    exit = Exit.CONFIG

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


def read_settings(path: Path, kind: type[T]) -> T:
    """Read and validate one file. An unknown key is an error with a suggestion, never ignored.

    Raises:
        SettingsError: the file is missing, unreadable, not TOML, or does not fit the struct.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", "name a readable settings file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not a text file", "name a TOML file in UTF-8") from None
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}", "correct the TOML syntax at that line") from None
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}", _remedy(str(error), kind)) from None


def _remedy(message: str, kind: type[msgspec.Struct]) -> str:
    unknown = re.match(r"Object contains unknown field `(.+?)`", message)
    if not unknown:
        return "correct the value at that key"
    near = difflib.get_close_matches(unknown[1], sorted(_known_keys(kind)), n=1)
    return f"did you mean `{near[0]}`?" if near else "remove the key"


def _known_keys(kind: type[msgspec.Struct]) -> set[str]:
    schema = msgspec.json.schema(kind)
    return {key for part in schema["$defs"].values() for key in part.get("properties", {})}
