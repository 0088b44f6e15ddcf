import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended, and all that it printed."""

    status: int
    text: str


Program = Callable[[Sequence[str]], Answer | None]
"""Runs a command of the system; None where there is none of that name, or where it does not end in time."""


def run_program(command: Sequence[str], seconds: float = SECONDS) -> Answer | None:
    """Run a command in the C locale, with nothing to read, for at most so many seconds."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_EMOJI": "0", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Answer(done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace"))
