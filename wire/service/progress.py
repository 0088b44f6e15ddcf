import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Which stages of a process are at work, and whether they get on. Stages may run in different threads.

    It knows names and counts of steps, nothing of what is worked on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: dict[str, int] = {}
        self._working: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        self._were_working: set[str] = set()

    def step(self, stage: str) -> None:
        """The stage has got on."""
        with self._lock:
            self._steps[stage] = self._steps.get(stage, 0) + 1

    @contextmanager
    def working(self, stage: str) -> Iterator[None]:
        """The stage has something to do until this ends; ending is a step."""
        with self._lock:
            self._working[stage] = self._working.get(stage, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._working[stage] -= 1
                self._steps[stage] = self._steps.get(stage, 0) + 1

    def stuck(self) -> list[str]:
        """Stages that were at work at the last call, still are, and have made no step since.

        Where no stage at all has made a step since then, the process as a whole stands still: `["everything"]`.
        """
        with self._lock:
            working = {stage for stage, depth in self._working.items() if depth}
            still = {stage for stage in self._steps.keys() | working if self._steps.get(stage) == self._seen.get(stage)}
            stuck = sorted(working & self._were_working & still)
            moved = bool(self._steps.keys() - still)
            self._seen, self._were_working = dict(self._steps), working
        return stuck or ([] if moved else ["everything"])
