"""When somebody aimed the camera: a line for each beginning and end, with nothing of what was seen."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from edge.errors import ConfigError, Reason
from edge.privacy.files import sync_directory, write_all

NAME = "aimed.jsonl"


class Record:
    """Appends to `aimed.jsonl` in capture's state directory, through to the disk."""

    def __init__(self, state: Path, wall_ms: Callable[[], int]) -> None:
        """wall_ms: Unix time in ms."""
        self._path = state / NAME
        self._wall_ms = wall_ms

    def began(self) -> None:
        """Before the camera is opened: nobody aims without a trace. Raises ConfigError where it cannot be written."""
        try:
            self._append("began")
        except OSError as error:
            remedy = "run this as root: `sudo speckled aim`"
            raise ConfigError(Reason.CONFIG, f"{self._path}: {error.strerror}", remedy) from None

    def ended(self) -> None:
        """After the camera was closed. A disk that is full by now does not change what happened."""
        try:
            self._append("ended")
        except OSError:
            return

    def _append(self, event: str) -> None:
        line = json.dumps({"event": event, "time": self._wall_ms()}) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if os.getuid() == 0:  # capture, whose folder this is, counts the lines
                owner = self._path.parent.stat()
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            write_all(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(self._path)


def times_aimed(state: Path) -> int:
    """How often aiming was begun on this device. 0 where it never was. Raises OSError where that cannot be read."""
    try:
        lines = (state / NAME).read_bytes().splitlines()
    except FileNotFoundError:
        return 0
    return sum(b'"began"' in line for line in lines)
