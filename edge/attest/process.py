"""What the kernel says of one process, read from its folder in /proc. A finding it does not give is the worse one."""

import re
from collections.abc import Iterator

from edge.attest.tree import Tree

SELF = "/proc/self"
_CANNOT_BE_SWAPPED = frozenset({"io", "pf", "mm", "de", "ht", "dp"})
"""VmFlags (proc(5)) of mappings that mlockall leaves out: device memory, the kernel's own, and huge pages. Also of
droppable ones (MAP_DROPPABLE of mmap(2)), which are lost rather than swapped: glibc 2.41 keeps getrandom's state so."""


def status(text: str | None) -> dict[str, str]:
    """/proc/<pid>/status, by field."""
    pairs = (line.partition(":") for line in (text or "").splitlines())
    return {name: value.strip() for name, _, value in pairs}


def limits(text: str | None) -> dict[str, tuple[str, str]]:
    """/proc/<pid>/limits: soft and hard limit by name, such as `Max core file size`."""
    rows = (re.split(r"\s{2,}", line.strip()) for line in (text or "").splitlines()[1:])
    return {row[0]: (row[1], row[2]) for row in rows if len(row) >= 3}


def is_filtered(fields: dict[str, str]) -> bool:
    """Whether a seccomp filter is on (mode 2 of seccomp(2))."""
    return fields.get("Seccomp") == "2"


def is_privileged(fields: dict[str, str]) -> bool:
    """Whether the process holds a capability, or could gain one by starting a program that has some.

    Starting a program gives none where no_new_privs is set, or where the bounding set is empty (capabilities(7)).
    """
    held = [_mask(fields, name) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")]
    may_gain = fields.get("NoNewPrivs") != "1" and _mask(fields, "CapBnd") != 0
    return any(mask != 0 for mask in held) or may_gain


def is_locked(smaps: str | None) -> bool:
    """Whether every mapping that could be swapped is locked, by the VmFlags of /proc/<pid>/smaps."""
    mappings = list(_mappings(smaps or ""))
    return bool(mappings) and all(
        "lo" in flags or flags & _CANNOT_BE_SWAPPED or name == "[vsyscall]" for name, flags in mappings
    )


def may_dump(*, dumpable: int | None, coredump_filter: str | None, core: tuple[str, str], pattern: str | None) -> bool:
    """Whether a crash could write the process's memory somewhere (core(5)).

    It cannot if the process is not dumpable, if the filter leaves out all mappings, or if core files have no room
    and go to a file: a program behind a pipe, or a socket, gets the core whatever the limit says.

    Args:
        dumpable: what PR_GET_DUMPABLE says; None where nobody could ask.
        coredump_filter: /proc/<pid>/coredump_filter, in hexadecimal.
        core: soft and hard limit of core files.
        pattern: /proc/sys/kernel/core_pattern.
    """
    if dumpable == 0 or (coredump_filter and re.fullmatch("0+", coredump_filter)):
        return False
    to_a_file = bool(pattern) and not (pattern or "").startswith(("|", "@"))
    return not (to_a_file and core[1] == "0")


def has_network(net_dev: str | None, *, opens_sockets: bool | None) -> bool:
    """Whether a process sees an interface beside the loopback (/proc/<pid>/net/dev), or may open a network socket."""
    found = interfaces(net_dev)
    return found is None or found != ["lo"] or opens_sockets is not False


def interfaces(net_dev: str | None) -> list[str] | None:
    """The names in /proc/<pid>/net/dev, which has two lines of titles; None where it cannot be read."""
    if net_dev is None:
        return None
    return sorted(line.partition(":")[0].strip() for line in net_dev.splitlines()[2:])


def kilobytes(fields: dict[str, str], name: str) -> int | None:
    """A size of /proc/<pid>/status, such as VmLck, in KiB; None where it is not there."""
    found = re.match(r"(\d+) kB$", fields.get(name, ""))
    return int(found[1]) if found else None


def read_status(tree: Tree, process: str = SELF) -> dict[str, str]:
    """`status` of a process."""
    return status(tree.text(f"{process}/status"))


def _mask(fields: dict[str, str], name: str) -> int:
    """A set of capabilities; all of them where it cannot be read. Kernels before 4.3 have no CapAmb."""
    try:
        return int(fields.get(name, "0" if name == "CapAmb" and fields else "-1"), 16)
    except ValueError:
        return -1


def _mappings(smaps: str) -> Iterator[tuple[str, set[str]]]:
    """Name and flags of each mapping; one whose flags are missing has none."""
    name: str | None = None
    for line in smaps.splitlines():
        first, _, rest = line.partition(" ")
        if first == "VmFlags:":
            yield name or "", set(rest.split())
            name = None
        elif not first.endswith(":"):
            if name is not None:
                yield name, set()
            parts = line.split(maxsplit=5)
            name = parts[5] if len(parts) == 6 else ""
    if name is not None:
        yield name, set()
