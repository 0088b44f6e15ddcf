import os
from pathlib import Path


class FileSwitch:
    """A file that says by being there that the camera is to be closed: it outlives restarts and power cuts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False

    def off(self) -> bool:
        """Whether the file is there, or nobody can tell."""
        if self._closed:
            return True
        try:
            os.lstat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """As PrivacySwitch.close."""
        self._closed = True


def turn_off(path: Path) -> bool:
    """Make the file, and see that it is on the disk. Whether it was not there before. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return False
    os.close(descriptor)
    _sync(path.parent)
    return True


def turn_on(path: Path) -> bool:
    """Remove the file. Whether it was there. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _sync(path.parent)
    return True


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
