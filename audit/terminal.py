from typing import TextIO


class Terminal:
    """Progress for a person: one line a check, with a share that moves where somebody watches."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._moves = stream.isatty()
        self._name = ""

    def begin(self, name: str) -> None:
        """Say what is checked now."""
        self._name = name
        self._stream.write(f"checking {name} ...\n")
        self._stream.flush()

    def share(self, done: int, of: int) -> None:
        """How far it is."""
        if self._moves:
            self._stream.write(f"\r{self._name}: {done} of {of} ")
            self._stream.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._moves:
            self._stream.write("\r\033[K")
