"""Who may read settings and keys."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ETC = "etc/speckled"
_SECRET, _SETTINGS, _PUBLIC = 0o600, 0o640, 0o644


@dataclass(frozen=True, slots=True)
class Right:
    """What the owner, group and mode of a file are to be; its owner is root. group: a name."""

    path: Path
    group: str
    mode: int

    def __str__(self) -> str:
        return f"{self.path}: root:{self.group} {self.mode:04o}"


def wrong_rights(root: Path) -> list[Right]:
    """Files of settings and keys below a root whose owner, group or mode is another than it should be.

    Private keys are root's alone: systemd hands each process its own as a credential (LoadCredential=). Settings may
    name an address with a password in it, so that only the processes that read them may. A file that is a link, or
    that has a second name, is left alone.

    Raises:
        OSError: the folder cannot be looked at.
    """
    groups = group_ids(root)
    return [right for right in _rights(root / ETC) if right.group in groups and _differs(right, groups[right.group])]


def set_right(right: Right, root: Path) -> None:
    """Make it so, through a descriptor, so that no name can be exchanged in between. Raises OSError."""
    descriptor = os.open(right.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, 0, group_ids(root)[right.group])
        os.fchmod(descriptor, right.mode)
    finally:
        os.close(descriptor)


def group_ids(root: Path) -> dict[str, int]:
    """The groups in etc/group below a root; where it has none, only root."""
    try:
        lines = (root / "etc/group").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    rows = [line.split(":") for line in lines]
    return {"root": 0} | {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[2].isdigit()}


def _rights(folder: Path) -> Iterator[Right]:
    for name in ("speckled.toml", "conf.d/*.toml"):
        yield from (Right(path, "speckled", _SETTINGS) for path in sorted(folder.glob(name)))
    yield from (Right(path, "speckled-collector", _SETTINGS) for path in folder.glob("collector.toml"))
    yield from (Right(path, "root", _SECRET) for path in sorted(folder.glob("*.key")))
    yield from (Right(path, "root", _PUBLIC) for path in sorted(folder.glob("*.pub")))


def _differs(right: Right, group: int) -> bool:
    found = right.path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        return False
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (0, group, right.mode)
