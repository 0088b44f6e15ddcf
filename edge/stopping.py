"""Ending in the middle of something long."""

import threading

from drivers.qrng.base import Qrng, QrngIdentity
from wire.service.progress import Progress


class Stopping(Exception):
    """The process was asked to end while it waited for a device. Nothing failed."""


class StoppableQrng:
    """A source whose draws end early when the process is to end, and whose reads are steps of a stage.

    `drawn`: bytes read so far. A window's noise can take a slow chip minutes, and a stop must not wait for it.
    """

    def __init__(self, qrng: Qrng, stop: threading.Event, progress: Progress) -> None:
        self._qrng = qrng
        self._stop = stop
        self._progress = progress
        self.drawn = 0

    def open(self) -> QrngIdentity:
        """As Qrng.open."""
        return self._qrng.open()

    def read(self, count: int) -> bytearray:
        """As Qrng.read. Raises Stopping, before anything is read, once the process is to end."""
        if self._stop.is_set():
            raise Stopping
        self._progress.step("entropy")
        samples = self._qrng.read(count)
        self.drawn += count
        return samples

    def close(self) -> None:
        """As Qrng.close."""
        self._qrng.close()
