from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from wire.service.notify import Notifier, watchdog_seconds
from wire.service.progress import Progress
from wire.service.watchdog import Watchdog

STATUS_SECONDS = 5.0
"""Between two status lines: the manager keeps only the last."""


class Attendance:
    """Tells the service manager of a service that is one loop: ready, alive while the loop turns, and how it stands.

    Use it around the loop (`with`), and call `turn` in each turn.
    """

    def __init__(self, environment: Mapping[str, str], *, clock: Callable[[], float]) -> None:
        """`environment`: of the process, as systemd made it. `clock`: seconds that only grow."""
        self._notifier = Notifier(environment.get("NOTIFY_SOCKET", ""))
        self._progress = Progress()
        self._watchdog = Watchdog(self._notifier, self._progress, watchdog_seconds(environment))
        self._clock = clock
        self._next_status = clock()

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._watchdog.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """The service has begun to end."""
        self._notifier.stopping()
        self._watchdog.stop()

    def turn(self, status: Callable[[], str]) -> None:
        """The loop has turned once more. `status` is asked for a line when one is due."""
        self._progress.step("loop")
        self._notifier.ready()
        now = self._clock()
        if now >= self._next_status:
            self._next_status = now + STATUS_SECONDS
            self._notifier.status(status())
