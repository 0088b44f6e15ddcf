"""Reading, writing and syncing whole files by their descriptor."""

import os
from pathlib import Path
from typing import Final

CHUNK: Final = 2**20


def read_all(fd: int) -> bytes:
    """Everything in a file, wherever its offset is. Raises OSError."""
    parts = []
    offset = 0
    while part := os.pread(fd, CHUNK, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """Write the whole of data. Raises OSError; part of it may be written then."""
    while data:
        data = data[os.write(fd, data) :]


def sync_directory(path: Path) -> None:
    """Make the name of the file at `path` durable. Raises OSError."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
