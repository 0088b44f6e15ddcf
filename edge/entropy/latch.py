import os
from pathlib import Path


class Latch:
    """Remembers across restarts that the tests condemned a source, until the source has passed them anew.

    `speckled qrng test --clear-latch` clears it after identification, link test and start-up tests; an operator who
    removes the file by hand skips them until the next start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str | None:
        """The reason that was written, or None. A file that cannot be read counts as a failure: it may hold one."""
        try:
            return self.path.read_text(encoding="utf-8").strip() or "unknown"
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return "unreadable"

    def write(self, reason: str) -> None:
        """Write `reason` durably: the file and its name in the folder. Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, reason.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._sync_folder()

    def clear(self) -> None:
        """Forget the failure, durably. Nothing happens where there is none. Raises OSError."""
        self.path.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
