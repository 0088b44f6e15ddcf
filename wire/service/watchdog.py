import logging
import threading

from wire.service.notify import Notifier
from wire.service.progress import Progress

log = logging.getLogger("speckled.watchdog")

LOOKS = 3
"""Looks within the service manager's patience: one that comes late must not end a healthy service."""


class Watchdog:
    """Winds the service manager's watchdog up, but only while every stage that has something to do gets on.

    A timer alone would go on winding while the process hangs. Where one stage does, this falls silent, the service
    manager ends the process with SIGABRT after its patience, and faulthandler writes where each thread stood.
    """

    def __init__(self, notifier: Notifier, progress: Progress, patience: float | None) -> None:
        """`patience`: seconds, from `watchdog_seconds`; without it nothing is wound up, and nothing runs.

        `signs` counts how often it was wound up.
        """
        self._notifier = notifier
        self._progress = progress
        self._patience = patience
        self.signs = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin, where somebody watches."""
        if self._patience is not None:
            self._thread.start()

    def stop(self) -> None:
        """End. The service manager has been told that the service is stopping, and waits for that instead."""
        self._stopping.set()

    def look(self) -> bool:
        """Wind the watchdog up, unless something stands still. Whether it did."""
        stuck = self._progress.stuck()
        if stuck:
            log.error("no progress: %s. The service manager will start this process again", ", ".join(stuck))
        else:
            self._notifier.alive()
            self.signs += 1
        return not stuck

    def _run(self) -> None:
        period = (self._patience or 0.0) / LOOKS
        while not self._stopping.wait(period):
            self.look()
