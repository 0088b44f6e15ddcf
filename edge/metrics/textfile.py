"""The file that node_exporter's textfile collector reads: capture has no network to be asked over."""

import contextlib
import logging
import os
from pathlib import Path

from edge.metrics.capture import CaptureFigures, capture_text
from edge.privacy.files import write_all

log = logging.getLogger("speckled.capture")

MODE = 0o644
"""node_exporter runs as a user of its own."""


class Textfile:
    """Writes figures to one path, whole or not at all, and never raises: a trouble is said once until it is over.

    Nothing is synced: after a power cut the next figures come soon, and an SD card wears.
    """

    def __init__(self, path: Path) -> None:
        """`path` should end in `.prom`, which is what node_exporter reads."""
        self._path = path
        self._trouble = ""

    def write(self, figures: CaptureFigures) -> bool:
        """Whether the file now holds these figures."""
        try:
            _replace(self._path, capture_text(figures).encode())
        except OSError as error:
            trouble = error.strerror or type(error).__name__
            if trouble != self._trouble:
                log.warning(
                    "no figures in %s: %s. Let this user write to its folder, or leave textfile out of [metrics]",
                    self._path,
                    trouble,
                )
            self._trouble = trouble
            return False
        self._trouble = ""
        return True


def resident_bytes(status: Path = Path("/proc/self/statm")) -> int | None:
    """Memory of this process that is in RAM (proc(5), statm, second field); None where the kernel does not tell."""
    try:
        pages = int(status.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGESIZE")


def _replace(path: Path, data: bytes) -> None:
    """Write beside `path` and rename over it. The name in between does not end in .prom: nobody reads half a file."""
    beside = path.with_name(f".{path.name}.new")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, MODE), "wb", buffering=0) as file:
            os.fchmod(file.fileno(), MODE)
            write_all(file.fileno(), data)
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
