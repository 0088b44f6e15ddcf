import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a program ended, what it printed, and what it complained of."""

    status: int
    text: str
    complaint: str = ""


class Program(Protocol):
    """Runs programs of the system."""

    def __call__(self, command: Sequence[str], seconds: float = SECONDS) -> Answer | None:
        """How it ended; None where there is no such program, or where it does not end in time and is killed."""
        ...


def run_program(command: Sequence[str], seconds: float = SECONDS) -> Answer | None:
    """Run a command in the C locale, with nothing to read."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_EMOJI": "0", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
