"""The machine as the checks see it: every door to it is here, so that a test can put another behind each."""

import ctypes
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.attest.programs import Program, run_program
from edge.attest.tree import Tree


@dataclass(frozen=True, slots=True)
class Interpreter:
    """This Python. prefix differs from base in a venv; bits are those of a pointer."""

    executable: str
    prefix: str
    base: str
    machine: str
    bits: int

    @property
    def is_venv(self) -> bool:
        """Whether it is one."""
        return self.prefix != self.base


@dataclass(frozen=True, slots=True)
class Room:
    """What is free for this user on a file system. files: how many more it can hold; None where it does not count."""

    free: int
    size: int
    files: int | None


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    number: int
    groups: frozenset[int]


def this_interpreter() -> Interpreter:
    """The one that runs this."""
    bits = 8 * ctypes.sizeof(ctypes.c_void_p)
    return Interpreter(sys.executable, sys.prefix, sys.base_prefix, platform.machine(), bits)


def this_user() -> User:
    """The one who runs this."""
    return User(os.geteuid(), frozenset({*os.getgroups(), os.getegid()}))


def room_at(path: Path) -> Room:
    """What is free where `path` is. Raises OSError."""
    found = os.statvfs(path)
    files = found.f_favail if found.f_files else None
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, files)


class _Timex(ctypes.Structure):
    """The beginning of struct timex (adjtimex(2)), with more room than the rest of it takes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    )


def clock_error() -> float | None:
    """The kernel's bound on the error of its clock, in seconds; None where it does not tell.

    It grows from the last correction on, and stands at 16 s where there was none (NTP_PHASE_LIMIT of the kernel). With
    modes = 0 nothing is changed.
    """
    timex = _Timex()
    answer: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    return None if answer < 0 else timex.maxerror / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """tree: its files. run: its programs. now: Unix time in seconds. room: space below a path of the real machine."""

    tree: Tree = field(default_factory=Tree)
    run: Program = run_program
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    interpreter: Interpreter = field(default_factory=this_interpreter)
    user: User = field(default_factory=this_user)
    now: Callable[[], float] = time.time
    clock_error: Callable[[], float | None] = clock_error
    room: Callable[[Path], Room] = room_at

    @property
    def is_root(self) -> bool:
        """Whether all files can be read."""
        return self.user.number == 0
