import os
from pathlib import Path

RESERVE = 2 * 2**20
"""Bytes: twice what the log holds when it is written back (database.LOG_PAGES)."""


class Reserve:
    """Space on the disk that is kept for acknowledgements by holding it in a file.

    Whoever fills a disk leaves the outbox its reserve: it is let go when an acknowledgement finds no space, and taken
    again when the space has come back.
    """

    def __init__(self, path: Path, size: int = RESERVE) -> None:
        """`size`: in bytes."""
        self._path = path
        self._size = size
        self.held = False

    def hold(self) -> bool:
        """Take the space where it is not held yet. Whether it is held now."""
        if not self.held:
            self.held = self._allocate()
        return self.held

    def release(self) -> bool:
        """Let the space go. Whether there was any, held by this process or by one before it."""
        self.held = False
        try:
            had = self._path.stat().st_size > 0
            self._path.unlink()
        except OSError:
            return False
        return had

    def _allocate(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except OSError:  # a part of it would be of no use to anybody
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)
        return True
