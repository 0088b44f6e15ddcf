"""What an installation would change, found without changing anything."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.install.manifest import digest
from edge.install.wanted import Wanted


@dataclass(frozen=True, slots=True)
class Write:
    """A file that is made or replaced. before: None where it is not there."""

    path: str
    before: str | None
    text: str

    def diff(self) -> str:
        """As a unified diff."""
        old = [] if self.before is None else self.before.splitlines(keepends=True)
        was = "/dev/null" if self.before is None else f"/{self.path}"
        return "".join(difflib.unified_diff(old, self.text.splitlines(keepends=True), was, f"/{self.path}"))


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that was installed once and is not wanted any more."""

    path: str


@dataclass(frozen=True, slots=True)
class Keep:
    """A file that differs from what was installed: somebody has changed it, and it stays."""

    path: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that differs from what is wanted, and the manifest as it is to be afterwards."""

    writes: tuple[Write, ...]
    drops: tuple[Drop, ...]
    keeps: tuple[Keep, ...]
    manifest: dict[str, str]

    def touches(self, *parts: str) -> bool:
        """Whether a file is written or dropped whose path has one of these parts in it."""
        changed = [write.path for write in self.writes] + [drop.path for drop in self.drops]
        return any(part in path for path in changed for part in parts)


def compare(
    root: Path, wanted: Iterable[Wanted], installed: dict[str, str], stale: Sequence[str], *, force: bool
) -> Plan:
    """Hold what is wanted against what is below a root.

    Args:
        root: `/`, or the root of an image.
        wanted: every file that should be there.
        installed: the manifest.
        stale: paths that earlier installations of this kind may have made; those that are not wanted now go.
        force: replace also what somebody has changed.

    Raises:
        OSError: a file is there and cannot be read.
    """
    writes: list[Write] = []
    keeps: list[Keep] = []
    manifest = dict(installed)
    names = set()
    for file in wanted:
        names.add(file.path)
        before = read(root / file.path)
        if before == file.text:
            manifest[file.path] = digest(file.text)
        elif before is None or force or digest(before) == installed.get(file.path):
            writes.append(Write(file.path, before, file.text))
            manifest[file.path] = digest(file.text)
        else:
            keeps.append(Keep(file.path))
    drops = []
    for path in sorted((set(stale) & manifest.keys()) - names):
        there = read(root / path)
        if there is None or force or digest(there) == manifest[path]:
            drops += [] if there is None else [Drop(path)]
            del manifest[path]
        else:
            keeps.append(Keep(path))
    return Plan(tuple(writes), tuple(drops), tuple(keeps), manifest)


def read(path: Path) -> str | None:
    """The text of a file, None where there is none. Bytes that are no text compare as different from any."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
