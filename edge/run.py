"""Capture and relay side by side, for development and for machines without systemd."""

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from wire.exit import Exit
from wire.stopping import stop_on_signals

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)

PULSE = 0.1
"""Seconds between two looks at the children."""
PATIENCE = 10.0
"""Seconds that a process has to end after it was asked to."""


def supervise(config: Path, *, new_epoch: bool = False, assignments: Sequence[str] = ()) -> int:
    """Start the relay, then capture; when one fails or a signal comes, end the other.

    A camera that has no more frames ends capture with status 0; the relay then goes on delivering until a signal.
    `assignments`, such as `mqtt.port=8883`, go before the settings file for both.
    Returns the status of the process that ended first, 128 + n where signal n killed it; 0 after a signal to us.
    """
    asked = stop_on_signals(signal.SIGHUP)
    settings = [part for assignment in assignments for part in ("--set", assignment)]
    children = {"relay": _start("relay", config, *settings)}
    children["capture"] = _start("capture", config, *settings, *(["--new-epoch"] if new_epoch else []))
    status = _until_one_fails(children, asked)
    _end(list(children.values()))
    if asked.is_set():
        return Exit.OK
    return status if status >= 0 else 128 - status


def _start(command: str, config: Path, *more: str) -> subprocess.Popen[bytes]:
    """In a group of its own: Ctrl-C reaches us alone, and capture ends before the relay that it delivers to."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge", command, "--config", str(config), *more],
        process_group=0,
        preexec_fn=_end_with_parent,  # noqa: PLW1509 (no thread runs yet, and nothing but a system call happens in it)
    )


def _end_with_parent() -> None:
    """Where we are killed outright, our children are asked to end (prctl(2), PR_SET_PDEATHSIG)."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _until_one_fails(children: dict[str, subprocess.Popen[bytes]], asked: threading.Event) -> int:
    while not asked.wait(PULSE):
        relay, capture = children["relay"].poll(), children["capture"].poll()
        if capture:
            return capture
        if relay is not None:
            return relay
    return Exit.OK


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    """Capture first, so that the relay can still take what capture hands over at its end."""
    for child in reversed(children):
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
