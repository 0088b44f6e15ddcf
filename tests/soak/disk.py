"""Small file systems that can be filled to the last byte and emptied again; only root may mount one."""

import ctypes
import os
from pathlib import Path

CLONE_NEWNS = 0x00020000
MS_REMOUNT, MS_REC, MS_PRIVATE = 32, 16384, 1 << 18
SIZE = 512 * 2**20
_LIBC = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    if _LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def own_mounts() -> bool:
    """Give this process mounts of its own, which end with it. False where that is not allowed."""
    if _LIBC.unshare(CLONE_NEWNS):
        return False
    try:
        _mount("none", "/", "none", MS_REC | MS_PRIVATE, "")
    except OSError:
        return False
    return True


class SmallDisk:
    """A file system in memory at `path`."""

    def __init__(self, path: Path) -> None:
        """Raise OSError where mounting is not allowed."""
        self.path = path
        _mount("soak", str(path), "tmpfs", 0, f"size={SIZE},mode=700")

    def fill(self, slack: int) -> None:
        """Leave `slack` bytes, a few pages more or less, where somebody writes at the same time."""
        for _ in range(100):
            stat = os.statvfs(self.path)
            used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize
            try:
                self._resize(used + slack)
            except OSError:  # it grew meanwhile, and may not be made smaller than what is in it
                continue
            return
        raise RuntimeError("the disk could not be filled")

    def empty(self) -> None:
        """Give all space back."""
        self._resize(SIZE)

    def _resize(self, size: int) -> None:
        _mount("soak", str(self.path), "tmpfs", MS_REMOUNT, f"size={max(size, 4096)}")
