"""Which files an installation consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge.install.dropins import BROKER, CREDENTIALS, NEWER, DropIn
from edge.install.sources import PROGRAM

ETC_UNITS, ETC_SYSUSERS = "etc/systemd/system", "etc/sysusers.d/speckled.conf"
ETC_TMPFILES, ETC_RULES = "etc/tmpfiles.d/speckled.conf", "etc/udev/rules.d/60-speckled.rules"
PACKAGED = "usr/lib/systemd/system/speckled-capture.service"
"""Where the Debian package puts a unit: what it has brought is not installed a second time."""


class Role(StrEnum):
    """What a machine is for."""

    DEVICE = "device"
    COLLECTOR = "collector"


UNITS = {
    Role.DEVICE: ("speckled-capture.service", "speckled-relay.service", "speckled-relay.socket"),
    Role.COLLECTOR: ("speckled-collector.service",),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that should be there: its path below the root, and all that it holds. Readable by everybody."""

    path: str
    text: str


def wanted_files(role: Role, folder: Path, program: Path, *, packaged: bool) -> list[Wanted]:
    """Units with the path of their program, users, folders, and for a device the rules for its nodes.

    Args:
        role: what this machine is for.
        folder: where the files of systemd/ are.
        program: what the units start.
        packaged: whether a Debian package has brought them all.

    Raises:
        OSError: a file of the folder cannot be read.
    """
    if packaged:
        return []
    units = [
        Wanted(f"{ETC_UNITS}/{name}", (folder / name).read_text("utf-8").replace(PROGRAM, str(program)))
        for name in UNITS[role]
    ]
    rest = [(ETC_SYSUSERS, "speckled.sysusers"), (ETC_TMPFILES, "speckled.tmpfiles")]
    rest += [(ETC_RULES, "60-speckled.rules")] if role is Role.DEVICE else []
    return units + [Wanted(path, (folder / name).read_text("utf-8")) for path, name in rest]


def newer_files(role: Role, folder: Path) -> list[Wanted]:
    """The drop-in for a newer systemd, beside each service."""
    text = (folder / NEWER).read_text("utf-8")
    return [Wanted(_beside(name, NEWER), text) for name in UNITS[role] if name.endswith(".service")]


def drop_in_files(found: Sequence[DropIn]) -> list[Wanted]:
    """Those drop-ins that there is something to say in."""
    return [Wanted(_beside(each.unit, each.name), each.text) for each in found if each.text]


def optional_paths(role: Role) -> list[str]:
    """Every path that an installation of this kind may have made, also on another day or with other settings."""
    services = [name for name in UNITS[role] if name.endswith(".service")]
    return [
        *(f"{ETC_UNITS}/{name}" for name in UNITS[role]),
        *(_beside(name, part) for name in services for part in (NEWER, BROKER, CREDENTIALS)),
        *(ETC_SYSUSERS, ETC_TMPFILES, ETC_RULES),
    ]


def _beside(unit: str, name: str) -> str:
    return f"{ETC_UNITS}/{unit}.d/{name}"
