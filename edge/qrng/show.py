"""How the qrng commands speak: steps on standard output, progress on the terminal."""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TextIO

Outcome = Literal["ok", "FAILED", "skipped"]
_WIDTH = 100
_LABEL = 14


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a command did. remedy: one sentence where it failed."""

    name: str
    outcome: Outcome
    detail: str
    remedy: str = ""


@dataclass(slots=True)
class Report:
    """Steps as they happen, and at the end everything again as JSON where that was asked for."""

    as_json: bool
    out: TextIO = field(default_factory=lambda: sys.stdout)
    steps: list[Step] = field(default_factory=list)

    def title(self, text: str) -> None:
        """The first line."""
        self.say(text)
        self.say()

    def step(self, name: str, outcome: Outcome, detail: str, remedy: str = "") -> None:
        """Record and print one step."""
        self.steps.append(Step(name, outcome, detail, remedy))
        self.row(name, f"{outcome:<8}{detail}", indent=8)
        if remedy:
            self.row("", f"{'to do':<8}{remedy}", indent=8)

    def row(self, label: str, text: str, *, indent: int = 0) -> None:
        """A label and a text beside it, wrapped under itself."""
        width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)
        lines = textwrap.wrap(
            text,
            max(40, width - _LABEL - 4),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for number, line in enumerate(lines):
            self.say(f"  {'' if number else label:<{_LABEL}}{line}")

    def say(self, text: str = "") -> None:
        """A line, unless JSON was asked for."""
        if not self.as_json:
            self.out.write(text + "\n")
            self.out.flush()

    def finish(self, **facts: Any) -> None:
        """Write the JSON document, if that was asked for: `facts` and the steps."""
        if self.as_json:
            json.dump({**facts, "steps": [asdict(step) for step in self.steps]}, self.out, indent=1)
            self.out.write("\n")


class Progress:
    """How far a long step is, on one line of a terminal that is rewritten; nothing where there is no terminal."""

    def __init__(self, clock: Callable[[], float], stream: TextIO | None = None) -> None:
        """clock: seconds. stream: standard error where None."""
        self._clock = clock
        self._stream = sys.stderr if stream is None else stream
        self._start = self._shown = clock()
        self._width = 0

    def update(self, text: str, share: float) -> None:
        """Show `text` and that `share` (0 to 1) of all is done, at most five times a second."""
        now = self._clock()
        if now - self._shown < 0.2 or not self._stream.isatty():
            return
        self._shown = now
        share = min(1.0, share)
        left = f", {duration((now - self._start) * (1 - share) / share)} left" if share > 0 else ""
        self._write(f"  {100 * share:3.0f} %  {text}{left}")

    def clear(self) -> None:
        """Take the line away."""
        if self._width:
            self._write("")
            self._width = 0

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text:<{self._width}}" + ("" if text else "\r"))
        self._stream.flush()
        self._width = len(text)


def duration(seconds: float) -> str:
    """A time for people: `0.4 ms`, `12 s`, `3 min`, `5 h`."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 86400:.3g} d"


def rate(number: float, unit: str) -> str:
    """A speed for people: `61.2 k` and the unit."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {letter}{unit}"
    return f"{number:.3g} {unit}"
