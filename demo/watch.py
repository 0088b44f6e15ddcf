"""Watches a run from outside, tells the terminal how it goes, and knows when it is over."""

import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from collector.errors import CollectorError
from collector.reader import Reader
from demo.health import HealthListener
from demo.progress import ProgressListener
from demo.stage import DEVICE, Stage

PATIENCE = 60.0
"""Seconds that delivery may take once the camera has ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """The processes of one run and what can be seen of them."""

    stage: Stage
    progress: ProgressListener
    health: HealthListener
    processes: dict[str, subprocess.Popen[bytes]]

    def follow(self, stop: threading.Event, *, once: bool) -> int:
        """Print progress until `stop`, the failure of a process, or (with `once`) the delivery of everything.

        Returns 0, or the exit status of the process that failed.
        """
        line = ""
        ended_at: float | None = None
        while not stop.wait(0.25):
            for name, process in self.processes.items():
                if process.poll() is not None:
                    sys.stderr.write(
                        f"\ndemo: {name} ended with status {process.returncode}; see {name}.log in demo-run\n"
                    )
                    return process.returncode or 1
            line = _show(self._line(), line)
            if self.progress.ended:
                ended_at = ended_at or time.monotonic()
                if once and (self._delivered() or time.monotonic() - ended_at > PATIENCE):
                    return 0
        return 0

    def _delivered(self) -> bool:
        health = self.health.latest
        return health.accepted == self.progress.released and health.waiting == 0

    def _line(self) -> str:
        state, health = self.progress.latest, self.health.latest
        levels = "  ".join(f"{name} {_bar(done, size)}" for name, (done, size) in state.levels.items())
        return (
            f"frame {state.frames:5}  {levels}  published {health.accepted}  "
            f"verified {self._verified()}  acknowledged {health.acknowledged}"
        )

    def _verified(self) -> int:
        try:
            with Reader(self.stage.store) as reader:
                return reader.device(DEVICE).observations
        except CollectorError:
            return 0


def _bar(done: int, size: int) -> str:
    filled = 12 * done // max(size, 1)
    return f"[{'#' * filled}{'.' * (12 - filled)}] {done:3}/{size}"


def _show(line: str, before: str) -> str:
    """A terminal sees one line that changes; a file sees a line every quarter of a window."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r{line}\x1b[K")
        sys.stdout.flush()
        return line
    if line.split("[", 1)[-1][:3] != before.split("[", 1)[-1][:3] or line[-40:] != before[-40:]:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return line
    return before
