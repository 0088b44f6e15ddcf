"""The terminal that edges are drawn on, and that nothing stays on."""

import os
import select
import shutil
import time
from collections.abc import Callable, Sequence

from edge.errors import ConfigError, Reason

ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
"""The alternate screen, which has no scrollback; no cursor; nothing on it (xterm's control sequences)."""
LEAVE = "\x1b[2J\x1b[H\x1b[?25h\x1b[?1049l"
PATIENCE = 1.0
"""Seconds that a terminal may take for one picture. One that was stopped by Ctrl-S takes none."""


class Terminal:
    """Draws from the top, each line at its place: nothing ever scrolls, so nothing reaches the scrollback.

    It has a file description of its own, so that a terminal that takes nothing cannot hold up the end, and the shell's
    own is left as it is.
    """

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.monotonic) -> None:
        """The terminal behind a descriptor. Raises ConfigError where it is none, or cannot be opened."""
        self._clock = clock
        self._fd = _open(descriptor)
        self._write(ENTER)

    def size(self) -> tuple[int, int]:
        """Lines and columns, now."""
        try:
            columns, lines = os.get_terminal_size(self._fd)
        except OSError:
            columns, lines = 0, 0
        known = shutil.get_terminal_size()
        return lines or known.lines, columns or known.columns

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what is on the screen; what does not fit is left out."""
        height, width = self.size()
        shown = (f"\x1b[{row};1H{line[:width]}\x1b[K" for row, line in enumerate(lines[:height], 1))
        self._write("".join(shown) + "\x1b[J")

    def close(self) -> None:
        """Take away what was drawn. Safe to call twice."""
        if self._fd >= 0:
            self._write(LEAVE)
            os.close(self._fd)
            self._fd = -1

    def _write(self, text: str) -> None:
        """As much as the terminal takes in PATIENCE seconds. A terminal that is gone takes nothing, and that is all."""
        data, until = text.encode(), self._clock() + PATIENCE
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                left = until - self._clock()
                if left <= 0:
                    return
                select.select([], [self._fd], [], left)
            except OSError:
                return


def _open(descriptor: int) -> int:
    if not os.isatty(descriptor):
        raise ConfigError(
            Reason.CONFIG, "the output is not a terminal", "run this in a terminal, without a pipe or a file behind it"
        )
    for name in (os.ttyname(descriptor), "/dev/tty"):
        try:
            return os.open(name, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:  # after `su`, the terminal's node is another user's, and /dev/tty still leads to it
            continue
    raise ConfigError(Reason.CONFIG, "the terminal cannot be opened", "log in as this user, or use `sudo -u`")
