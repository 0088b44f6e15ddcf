"""Which system calls carry bytes out of a process, and what strace -ff -yy -xx wrote down of them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WRITES = frozenset({"write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg"})
"""Calls whose bytes the trace holds."""
PLACES = frozenset(
    {"open", "openat", "openat2", "creat", "mmap", "socket", "socketpair", "connect", "bind", "mkdir", "mkdirat"}
    | {"link", "linkat", "symlink", "symlinkat", "rename", "renameat", "renameat2", "setxattr", "fsetxattr"}
)
"""Calls that name what is written to, and could write into a name."""
PROGRAMS = frozenset({"execve", "execveat", "fork", "vfork"})
"""Calls that make another process, which is traced too."""
UNSEEN = frozenset(
    {"sendfile", "splice", "tee", "vmsplice", "copy_file_range", "process_vm_writev", "io_uring_setup", "io_submit"}
    | {"memfd_create", "shmget", "shmat", "msgsnd", "mq_open", "ptrace", "add_key", "pidfd_getfd"}
)
"""Calls that carry bytes out without the trace seeing them."""
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)")
_TEXT = re.compile(r'"(?P<hex>(?:\\x[0-9a-f]{2})*)"(?P<cut>\.\.\.)?')
_TARGET = re.compile(r"(?<=\w)<(?P<text>(?P<hex>(?:\\x[0-9a-f]{2})+)(?:<\w+ \d+:\d+>)?|[A-Z][^ ]*?\])>")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call.

    target: the file it is about, as a path, or the socket, in strace's own words. data: all strings that it was given,
    behind each other. arguments: the rest of the line.
    """

    name: str
    target: str
    data: bytes
    arguments: str

    @property
    def path(self) -> str:
        """What a call that opens opens: its string, from the folder it starts in."""
        return os.path.normpath(Path(self.target) / os.fsdecode(self.data))


def command(output: Path) -> list[str]:
    """What to put before a program so that it is traced from its first call, with all its threads and children.

    The program stays a child of the caller. Each of its threads writes a file that begins as `output` does.
    """
    calls = ",".join(f"?{name}" for name in sorted(WRITES | PLACES | PROGRAMS | UNSEEN | {"prctl"}))
    # A process that is not dumpable hides its memory from a tracer that is not root, so that one call does nothing.
    quiet = ["-e", "inject=prctl:retval=0", "-e", "signal=none"]
    return [
        "strace",
        "-D",
        "-ff",
        "--seccomp-bpf",
        "-yy",
        "-xx",
        "-s",
        str(1 << 20),
        "-e",
        f"trace={calls}",
        *quiet,
        "-o",
        str(output),
    ]


def read(output: Path) -> list[Call]:
    """All calls of all threads, each thread's in order. Raises ValueError where the trace is cut short."""
    files = sorted(output.parent.glob(f"{output.name}.*"))
    return [call for file in files for call in _parse(file.read_text(encoding="ascii", errors="replace"))]


def ended(output: Path) -> bool:
    """Whether every thread that was traced has ended, so that the trace is complete."""
    files = list(output.parent.glob(f"{output.name}.*"))
    return bool(files) and all(_last_line(file).startswith("+++ ") for file in files)


def _last_line(file: Path) -> str:
    with file.open("rb") as trace:
        trace.seek(max(0, file.stat().st_size - 200))
        lines = trace.read().decode("ascii", "replace").splitlines()
    return lines[-1] if lines else ""


def _parse(text: str) -> Iterator[Call]:
    for line in text.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        target = _TARGET.search(match["arguments"])
        arguments = _TARGET.sub("", match["arguments"])
        texts = list(_TEXT.finditer(arguments))
        if any(found["cut"] for found in texts) and match["name"] in WRITES:
            raise ValueError("the trace does not hold all that was written")
        data = b"".join(_decode(found["hex"]) for found in texts)
        yield Call(match["name"], _name(target), data, _TEXT.sub("", arguments))


def _name(target: re.Match[str] | None) -> str:
    if target is None:
        return ""
    return os.fsdecode(_decode(target["hex"])) if target["hex"] else target["text"]


def _decode(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
