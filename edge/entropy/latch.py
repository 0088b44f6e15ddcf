import os
from pathlib import Path


class Latch:
    """Remembers across restarts that the tests condemned a source, in a file that an operator removes."""

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
        """Write `reason` durably. Raises OSError."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, reason.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
