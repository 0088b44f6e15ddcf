"""How far the windows are, from the status line that capture gives the service manager."""

import re
import socket
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """`frames` taken so far, and for each level how many of its window's frames are in."""

    frames: int
    levels: dict[str, tuple[int, int]]


class ProgressListener:
    """Stands where systemd would: a datagram socket that NOTIFY_SOCKET names."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.address = str(path.resolve())
        self.latest = Progress(0, {})
        self.ended = False
        self.released = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        threading.Thread(target=self._listen, name="progress", daemon=True).start()

    def _listen(self) -> None:
        while True:
            text = self._socket.recv(4096).decode()
            if frames := re.search(r"STATUS=frame (\d+), released (\d+)", text):
                levels = {
                    name: (int(done), int(size)) for name, done, size in re.findall(r"([\w-]+) (\d+)/(\d+)", text)
                }
                self.latest = Progress(int(frames[1]), levels)
                self.released = int(frames[2])
            self.ended = self.ended or "STATUS=ended" in text
