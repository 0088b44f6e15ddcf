"""What protects another process, seen from outside by root."""

from dataclasses import dataclass

from edge.attest import process
from edge.attest.gather import CORE_LIMIT, UNLIMITED
from edge.attest.tree import Tree
from wire.schema import Attestation


@dataclass(frozen=True, slots=True)
class Protection:
    """The findings of Attestation that are about one process."""

    locked_memory: bool
    core_dumps: bool
    network: bool
    filtered: bool
    privileges: bool


def protection_in(found: Attestation) -> Protection:
    """Those of an attestation."""
    return Protection(found.locked_memory, found.core_dumps, found.network, found.filtered, found.privileges)


def look(tree: Tree, pid: int, families: str) -> Protection | None:
    """The same findings as `gather`, of process `pid`; None where this user may not look inside it.

    Two of them cannot be tried from outside: whether it may open a network socket follows from `families`, the
    RestrictAddressFamilies of its unit, and locked memory is that of the mappings which are there now.
    """
    folder = f"/proc/{pid}"
    smaps, net_dev = tree.text(f"{folder}/smaps"), tree.text(f"{folder}/net/dev")
    if not smaps or net_dev is None:
        return None
    fields = process.read_status(tree, folder)
    return Protection(
        locked_memory=process.is_locked(smaps),
        core_dumps=process.may_dump(
            dumpable=_dumpable(tree, folder, fields),
            coredump_filter=tree.line(f"{folder}/coredump_filter"),
            core=process.limits(tree.text(f"{folder}/limits")).get(CORE_LIMIT, UNLIMITED),
            pattern=tree.line("/proc/sys/kernel/core_pattern"),
        ),
        network=process.has_network(net_dev, opens_sockets=families.split() != ["AF_UNIX"]),
        filtered=process.is_filtered(fields),
        privileges=process.is_privileged(fields),
    )


def _dumpable(tree: Tree, folder: str, fields: dict[str, str]) -> int | None:
    """0 where the kernel keeps the folder of another user's process for root, as it does for undumpable ones (proc(5)).

    With fs.suid_dumpable = 2 that could also be a process which root may dump.
    """
    user = fields.get("Uid", "0").split()[-1:]
    try:
        kept = tree.at(f"{folder}/status").stat().st_uid == 0
    except OSError:
        return None
    return 0 if kept and user != ["0"] and tree.line("/proc/sys/fs/suid_dumpable") in {"0", "1"} else None
