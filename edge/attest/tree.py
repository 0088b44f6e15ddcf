import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a machine below `root`: the real ones below /, made-up ones in a test."""

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """Where an absolute path of that machine is."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str | None:
        """What a file says, or None where it is missing or may not be read."""
        try:
            return self.at(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def line(self, path: str) -> str | None:
        """The first line of a file, without the space around it, or None as for `text`."""
        text = self.text(path)
        return None if text is None else text.partition("\n")[0].strip()

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted; nothing where it is missing or may not be read."""
        try:
            return sorted(path.name for path in self.at(folder).iterdir())
        except OSError:
            return []


def number(text: str | None) -> int | None:
    """A decimal number of at most 18 digits; None for everything else."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
