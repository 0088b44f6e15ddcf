"""Where in a TOML file a key stands, so that an error can name the line."""

import re

_TABLE = re.compile(r"\s*\[(\[?)\s*([\w.\-\s\"']+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\-\"']+)\s*=")

Place = tuple[str | int, ...]


def line_of(text: str, place: str) -> int | None:
    """The line of a key, from 1; that of the table or value around it where it has none of its own.

    Args:
        text: a TOML file that was read without error.
        place: such as `privacy.custom.levels[1].cell`; indices from 0. `[...]` stands for an index nobody knows.
    """
    lines = _lines(text)
    wanted = steps(place)
    found = (lines[wanted[:length]] for length in range(len(wanted), 0, -1) if wanted[:length] in lines)
    return next(found, None)


def _lines(text: str) -> dict[Place, int]:
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _inside(_names(header[2]), counts)
            if header[1]:
                counts[table] = counts.get(table, -1) + 1
                lines.setdefault(table, number)
                table = (*table, counts[table])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_names(key[1])), number)
    return lines


def _inside(names: Place, counts: dict[Place, int]) -> Place:
    """A table's place, where each array of tables on the way means its newest element."""
    place: Place = ()
    for name in names[:-1]:
        place = (*place, name)
        if place in counts:
            place = (*place, counts[place])
    return (*place, names[-1])


def _names(dotted: str) -> Place:
    return tuple(name.strip().strip("\"'") for name in dotted.split("."))


def steps(place: str) -> Place:
    """A place such as `privacy.custom.levels[1].cell` as keys and indices; `[...]` stays as it is."""
    return tuple(
        int(index) if index.isdigit() else index or name
        for name, index in re.findall(r"([\w\-]+)|\[(\d+|\.\.\.)\]", place)
    )
