"""Where in a TOML file a key stands, so that an error can name the line."""

import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

Place = tuple[str | int, ...]
"""A way through tables by key and through lists by index: `("privacy", "custom", "levels", 1, "cell")`."""

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<text> \"{3} (?: \\. | [^\\] )*? \"{3,5} | '{3} .*? '{3,5} | " (?: \\. | [^"\\\n] )* " | ' [^'\n]* ' )
    | (?P<mark> [\[\]{},=.\n] )
    | (?P<bare> [^\s\[\]{},=.\#"']+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def line_of(text: str, place: str | Place) -> int | None:
    """The line of a key or item, from 1; that of the table or value around it where it has none of its own.

    Args:
        text: a TOML file that was read without error.
        place: such as `privacy.custom.levels[1].cell`, indices from 0; or its steps.
    """
    lines = lines_of(text)
    wanted = steps(place)
    found = (lines[wanted[:length]] for length in range(len(wanted), 0, -1) if wanted[:length] in lines)
    return next(found, None)


def steps(place: str | Place) -> Place:
    """The keys and indices of a place such as `levels[1].cell`; keys that were quoted only in the other form."""
    if not isinstance(place, str):
        return place
    found = re.findall(r"([^.\[\]]+)|\[(\d+|\.\.\.)\]", place)
    return tuple(int(index) if index.isdigit() else index or name for name, index in found)


def name_of(place: Place) -> str:
    """`privacy.custom.levels[1].cell` of its steps."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).lstrip(".")


def lines_of(text: str) -> dict[Place, int]:
    """The line of everything that a TOML file has, from 1. The file was read without error (TOML 1.0)."""
    return _Reader(text).read()


class _Reader:
    """One way through a file. It follows brackets, quotes and keys, and trusts that they are in order."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._lines: dict[Place, int] = {}
        self._implied: dict[Place, int] = {}
        self._newest: dict[Place, int] = {}

    def read(self) -> dict[Place, int]:
        table: Place = ()
        while self._at < len(self._tokens):
            if self._next_is("["):
                table = self._header()
            elif not self._next_is("\n"):
                self._pair(table)
        return self._implied | self._lines

    def _header(self) -> Place:
        line, of_list = self._tokens[self._at].line, self._next_is("[")
        place: Place = ()
        for name in self._key():
            if place in self._newest:
                place = (*place, self._newest[place])
            place = (*place, name)
        self._imply(place, line)
        if of_list:
            self._lines.setdefault(place, line)
            self._newest[place] = self._newest.get(place, -1) + 1
            place = (*place, self._newest[place])
        self._lines.setdefault(place, line)
        for _ in range(1 + of_list):
            self._next_is("]")
        return place

    def _pair(self, table: Place) -> None:
        line = self._tokens[self._at].line
        place = (*table, *self._key())
        self._imply(place, line)
        self._lines.setdefault(place, line)
        self._next_is("=")
        self._value(place)

    def _value(self, place: Place) -> None:
        if self._next_is("["):
            index = 0
            while not self._past("]"):
                self._lines[*place, index] = self._tokens[self._at].line
                self._value((*place, index))
                index += 1
        elif self._next_is("{"):
            while not self._past("}"):
                self._pair(place)
        else:
            self._at += 1
            while self._at < len(self._tokens) and self._tokens[self._at].text not in {",", "]", "}", "\n"}:
                self._at += 1

    def _key(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._next_is("."):
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        token = self._tokens[self._at]
        self._at += 1
        return str(tomllib.loads(f"name = {token.text}")["name"]) if token.kind == "text" else token.text

    def _imply(self, place: Place, line: int) -> None:
        """Tables around a place that have no line of their own stand where they are first spoken of."""
        for length in range(1, len(place)):
            self._implied.setdefault(place[:length], line)

    def _past(self, end: str) -> bool:
        """Whether a list or an inline table ends here, after line breaks and a comma."""
        while self._next_is("\n") or self._next_is(","):
            pass
        return self._at >= len(self._tokens) or self._next_is(end)

    def _next_is(self, mark: str) -> bool:
        """Whether the next token is this mark; if so, it is taken."""
        found = self._at < len(self._tokens) and self._tokens[self._at][:2] == ("mark", mark)
        self._at += found
        return found


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "comment":
            yield _Token(str(match.lastgroup), match[0], line)
        line += match[0].count("\n")
