"""One table for all that an audit found."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HEAD = ("claim", "method", "n", "lower bound", "upper bound", "verdict")


@dataclass(frozen=True, slots=True)
class Row:
    """One claim and what became of it.

    n: how many of what was looked at. lower: what the check found, so the claim is at least that true or the loss at
    least that large. upper: what is promised. Both as text with a unit. gating: whether a failure fails the audit.
    """

    claim: str
    method: str
    n: str
    lower: str
    upper: str
    holds: bool
    gating: bool = True

    @property
    def verdict(self) -> str:
        """In one word, or two where nothing depends on it."""
        word = "holds" if self.holds else "FAILS"
        return word if self.gating else f"{word} (told only)"

    @property
    def fails(self) -> bool:
        """Whether the audit fails because of it."""
        return self.gating and not self.holds


def markdown(rows: Sequence[Row]) -> str:
    """The table, with columns that line up."""
    cells = [HEAD, *((row.claim, row.method, row.n, row.lower, row.upper, row.verdict) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def write(folder: Path, rows: Sequence[Row], facts: dict[str, str]) -> None:
    """report.md and report.json. `facts`: when, where and how it ran."""
    folder.mkdir(parents=True, exist_ok=True)
    about = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    (folder / "report.md").write_text(f"# Audit\n\n{about}\n\n{markdown(rows)}\n", encoding="utf-8")
    told = {"facts": facts, "rows": [{**asdict(row), "verdict": row.verdict} for row in rows]}
    (folder / "report.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
