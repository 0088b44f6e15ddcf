"""What holds of the whole machine: where it swaps to, and how / is mounted."""

import re
from dataclasses import dataclass
from typing import Literal

from edge.attest.tree import Tree

Swap = Literal["none", "memory", "disk"]
_MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs"})


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/<pid>/mountinfo (proc(5)). `own` are this mount's options, `super_block` the file system's."""

    point: str
    kind: str
    own: frozenset[str]
    super_block: dict[str, str]


def swap_devices(text: str) -> list[tuple[str, str]]:
    """Name and type (`partition` or `file`) of each line of /proc/swaps."""
    rows = (line.split() for line in text.splitlines()[1:])
    return [(row[0], row[1]) for row in rows if len(row) >= 2]


def swaps_to(tree: Tree) -> Swap:
    """Where this machine puts what it swaps. `memory`: compressed memory (zram) with no disk behind it."""
    text = tree.text("/proc/swaps")
    if text is None:
        return "disk"
    devices = swap_devices(text)
    if not devices:
        return "none"
    return "memory" if all(_stays_in_memory(tree, name, kind) for name, kind in devices) else "disk"


def zram_backing(tree: Tree, device: str) -> str | None:
    """The disk that zram device `device` writes back to; None where it has none.

    A kernel without write-back has the device and no such file (Documentation/admin-guide/blockdev/zram.rst).
    """
    backing = tree.line(f"/sys/block/{device}/backing_dev")
    if backing is None and tree.line(f"/sys/block/{device}/disksize") is not None:
        return None
    return None if backing == "none" else backing or "unknown"


def mounts(mountinfo: str) -> list[Mount]:
    """The lines of /proc/<pid>/mountinfo, in order; of two mounts at one point the later one is seen."""
    found = []
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if not dash or len(before) < 6 or len(after) < 3:
            continue
        pairs = (option.partition("=") for option in after[2].split(","))
        options = {name: value for name, _, value in pairs}
        found.append(Mount(_unescape(before[4]), after[0], frozenset(before[5].split(",")), options))
    return found


def is_root_read_only(mountinfo: str | None) -> bool:
    """Whether nothing can be written to the file system of /, or whatever is stays in memory (an overlay on tmpfs).

    The mount's own option does not count: a sandbox such as ProtectSystem=strict shows every process a read-only /
    above a disk that others write to.
    """
    table = mounts(mountinfo or "")
    root = next((mount for mount in reversed(table) if mount.point == "/"), None)
    if root is None:
        return False
    if root.kind == "overlay" and "upperdir" in root.super_block:
        return _kind_at(table, _unescape(root.super_block["upperdir"])) in _MEMORY_FILE_SYSTEMS
    return "ro" in root.super_block


def _kind_at(table: list[Mount], path: str) -> str | None:
    """The kind of file system a path is on, where that is another than that of /."""
    above = [mount for mount in table if mount.point != "/" and f"{path}/".startswith(f"{mount.point}/")]
    return max(above, key=lambda mount: len(mount.point)).kind if above else None


def _stays_in_memory(tree: Tree, name: str, kind: str) -> bool:
    device = name.rpartition("/")[2]
    return kind == "partition" and bool(re.fullmatch(r"zram\d+", device)) and zram_backing(tree, device) is None


def _unescape(path: str) -> str:
    r"""Space, tab, line feed and backslash stand as \040, \011, \012 and \134."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)
