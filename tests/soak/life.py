"""One life of one site: it is broken again and again, and at its end everything has to be where it belongs."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from soak.books import Books, Violation
from soak.points import POINTS
from soak.proxy import THROUGH
from soak.site import NAMES, Process, Site, jitter
from wire.exit import Exit

CHECK_EVERY = 5
CALM_EVERY = 60
"""Faults between two looks at the account, and between two rests in which all that was committed has to arrive."""
PATIENCE = 90.0
"""Seconds in which what has to happen happens, on a machine that is busy with other sites."""
RESTART = 0.15
"""Seconds that a process may be down, at most, before its supervisor starts it again."""
TAIL = 6000


class Life:
    """A site, what was done to it, and what that explains. A gentle one loses no file and puts none back.

    `tend` is called in every wait: it starts what has ended, and refuses an end that nothing explains.
    """

    def __init__(self, folder: Path, pick: random.Random, plants: dict[str, Callable[[], None]]) -> None:
        self.site = Site(folder, plants)
        self.books = Books(self.site.device, self.site.store, folder / "witness", self.site.witness.drain)
        self.pick = pick
        self.history: list[str] = []
        self.restarts: Counter[str] = Counter()
        self.standing: dict[str, set[int]] = {name: set() for name in NAMES}
        self.more: dict[str, tuple[str, ...]] = {}
        self.newest_clock = 0
        self.last_point = ""
        self.gentle = False
        self.broken_chip = False
        self._began = time.monotonic()
        self._due: dict[str, float] = {}

    def begin(self) -> None:
        """Start everything, and wait for the first observation to be stored."""
        self.site.broker.start()
        for name in NAMES:
            self.start(name)
        self.until(self._stored_any, "the first observation was not stored")

    def note(self, text: str) -> None:
        """Write something into the history."""
        self.history.append(f"{time.monotonic() - self._began:8.3f} {text}")

    def start(self, name: str) -> None:
        process = self.site.processes[name]
        self._due.pop(name, None)
        self.site.start(name, *self.more.pop(name, ()))
        process.allowed |= self.standing[name]
        if process.starts > 1:
            self.restarts[name] += 1

    def kill(self, name: str) -> None:
        """kill -9 by the rig."""
        status = self.site.kill(name)
        if status not in (None, -signal.SIGKILL):
            self.ended(self.site.processes[name], status)

    def hold(self, *names: str) -> None:
        """Do not start these again until `release`."""
        for name in names:
            self.site.processes[name].held = True

    def release(self, *names: str) -> None:
        for name in names:
            self.site.processes[name].held = False

    def allow(self, name: str, *statuses: int) -> None:
        """What this process may end with from now until it ends."""
        self.site.processes[name].allowed.update(statuses)

    def tend(self) -> None:
        for process, status in self.site.reap():
            self.ended(process, status)
        now = time.monotonic()
        for process in self.site.processes.values():
            if process.pid is None and not process.held:
                due = self._due.setdefault(process.name, now + jitter(self.pick, RESTART))
                if now >= due:
                    self.start(process.name)

    def ended(self, process: Process, status: int) -> None:
        """Whether this end is explained; and what a person or another service does after it."""
        if status == -signal.SIGKILL and process.own.fired:
            self.note(f"{process.name} killed itself: {POINTS[process.own.fired - 1].name}")
            return
        self.note(f"{process.name} ended with {status}")
        latched = status == Exit.NO_ENTROPY and self.broken_chip and process.name == "capture"
        if status not in process.allowed and not latched:
            raise Violation(
                f"{process.name} ended with status {status}, which no fault explains:\n{self.tail(process)}"
            )
        if process.name == "capture":
            self._heal_capture(status)

    def tail(self, process: Process) -> str:
        self.site.logs[process.name].drain()
        return (self.site.folder / f"{process.name}.log").read_text(errors="replace")[-TAIL:]

    def wait(self, seconds: float) -> None:
        """Let things go on for a while."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(left, 0.005))

    def waits_for(self, condition: Callable[[], object], seconds: float) -> bool:
        """Let things go on until something holds, or the time is over."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                return False
            self.tend()
            time.sleep(0.005)
        return True

    def until(self, condition: Callable[[], object], otherwise: str) -> None:
        """Let things go on until something holds that has to."""
        if not self.waits_for(condition, PATIENCE):
            logs = "\n".join(f"== {name}\n{self.tail(self.site.processes[name])}" for name in NAMES)
            raise Violation(f"within {PATIENCE:.0f} s {otherwise}\n{logs}")

    def running(self) -> bool:
        return all(process.pid is not None for process in self.site.processes.values())

    def calm(self) -> None:
        """No fault for a while: what was committed so far has to be stored, and something new has to come."""
        self.mend()
        self.until(self.running, "a process did not stay up")
        self.books.check()
        target, owed = len(self.books.committed) + 2, set(self.books.committed)

        def arrived() -> bool:
            self.books.read_outbox()
            if len(self.books.committed) < target:
                return False
            self.books.read_store()
            return not owed & set(self.books.missing())

        self._slowly(arrived, "what was committed was not stored, or nothing new was made")
        self.books.check()

    def mend(self) -> None:
        """Take every fault away that could still be there."""
        self.site.world.camera = 0
        self.site.network.turn(THROUGH)
        (self.site.device / "camera-off").unlink(missing_ok=True)
        for disk in self.site.disks:
            disk.empty()
        for process in self.site.processes.values():
            process.own.armed = 0

    def finish(self) -> None:
        """End in good order: capture first, then everything is delivered, then the others."""
        self.calm()
        self._stop("capture")

        def delivered() -> bool:
            self.books.read_outbox()
            return not self.books.waiting

        self._slowly(delivered, "the outbox was not emptied")
        self._stop("relay")
        self._stop("collector")
        self.books.check()
        self.books.audit()
        self.books.close(gentle=self.gentle)

    def _slowly(self, condition: Callable[[], bool], otherwise: str) -> None:
        """As `until`, for a condition that reads files."""
        looked = 0.0

        def now_and_then() -> bool:
            nonlocal looked
            if time.monotonic() < looked:
                return False
            found = condition()
            looked = time.monotonic() + 0.1
            return found

        self.until(now_and_then, otherwise)

    def _stop(self, name: str) -> None:
        self.hold(name)
        self.until(lambda: self.site.processes[name].pid is not None or name in self._due, f"{name} was not there")
        try:
            status = self.site.end(name, signal.SIGTERM)
        except TimeoutError as error:
            raise Violation(f"{error}\n{self.tail(self.site.processes[name])}") from None
        if status != Exit.OK:
            raise Violation(f"{name} ended with {status} when it was asked to:\n{self.tail(self.site.processes[name])}")

    def _heal_capture(self, status: int) -> None:
        if status == Exit.NO_CAMERA:
            self.site.world.camera = 0
        elif status == Exit.NO_ENTROPY:
            (self.site.device / "capture" / "entropy-failed").unlink(missing_ok=True)
            self.broken_chip = False
        elif status == Exit.RETRY:
            self.site.world.clock_ms = max(self.newest_clock, self.site.world.clock_ms)
        elif status == Exit.DATA:
            self.more["capture"] = ("--new-epoch",)

    def _stored_any(self) -> bool:
        self.books.read_store()
        return bool(self.books.stored)
