"""What protects this process and its machine, measured from inside, without starting another program."""

import ctypes
import mmap
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from edge.attest import process
from edge.attest.code import code_hash, installed_rooms
from edge.attest.exposure import read_exposure
from edge.attest.machine import is_root_read_only, swaps_to
from edge.attest.tree import Tree
from wire.schema import Attestation

PR_GET_DUMPABLE = 3
CORE_LIMIT = "Max core file size"
UNLIMITED = ("unlimited", "unlimited")


class Inside(Protocol):
    """What only the process itself can find out, by trying."""

    def dumpable(self) -> int | None:
        """What PR_GET_DUMPABLE says (prctl(2)): 0 is never dumped."""
        ...

    def opens_sockets(self) -> bool:
        """Whether it may open a socket of IPv4 or IPv6."""
        ...

    @contextmanager
    def new_mapping(self) -> Iterator[None]:
        """For its length, the process has memory that was asked for just now."""
        ...


class ThisProcess:
    """The process that runs this."""

    def dumpable(self) -> int | None:
        """What PR_GET_DUMPABLE says; None where the call is refused."""
        answer: int = ctypes.CDLL(None, use_errno=True).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
        return None if answer < 0 else answer

    def opens_sockets(self) -> bool:
        """Whether one of two attempts succeeds. Nothing is bound, connected or sent."""
        return any(map(_opens, (socket.AF_INET, socket.AF_INET6)))

    @contextmanager
    def new_mapping(self) -> Iterator[None]:
        """One page of private memory."""
        with mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE):
            yield


def gather(
    configuration: bytes, *, root: Path = Path("/"), exposure: Path | None = None, inside: Inside | None = None
) -> Attestation:
    """Look at this process and its machine. What cannot be found out is reported as the worse.

    Memory counts as locked where every mapping is, with one among them that was made during the look: so mlockall was
    called for what is there and for what will come (MCL_CURRENT and MCL_FUTURE of mlock(2)).

    Args:
        configuration: `edge.config.configuration_hash` of the settings.
        root: where /proc and /sys are.
        exposure: the file that `speckled attest --exposure` wrote, if it did.
        inside: what only the process itself can try; a test gives its own.

    Raises:
        OSError: the program's own files cannot be read.
    """
    tree, inside = Tree(root), inside or ThisProcess()
    fields = process.read_status(tree)
    return Attestation(
        code=code_hash(installed_rooms()),
        configuration=configuration,
        locked_memory=_is_locked(tree, inside),
        swap=swaps_to(tree),
        core_dumps=process.may_dump(
            dumpable=inside.dumpable(),
            coredump_filter=tree.line(f"{process.SELF}/coredump_filter"),
            core=process.limits(tree.text(f"{process.SELF}/limits")).get(CORE_LIMIT, UNLIMITED),
            pattern=tree.line("/proc/sys/kernel/core_pattern"),
        ),
        network=process.has_network(tree.text(f"{process.SELF}/net/dev"), opens_sockets=inside.opens_sockets()),
        filtered=process.is_filtered(fields),
        privileges=process.is_privileged(fields),
        read_only_root=is_root_read_only(tree.text(f"{process.SELF}/mountinfo")),
        exposure=read_exposure(exposure),
    )


def _is_locked(tree: Tree, inside: Inside) -> bool:
    try:
        with inside.new_mapping():
            return process.is_locked(tree.text(f"{process.SELF}/smaps"))
    except OSError:
        return False


def _opens(family: socket.AddressFamily) -> bool:
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True
