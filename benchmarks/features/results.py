"""Rows on disk, so that a method can be added without measuring the others again."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from benchmarks.features.intervals import Interval
from benchmarks.features.score import Row


def write(path: Path, rows: Iterable[Row], about: dict[str, object]) -> None:
    """All rows and what they were measured with, as JSON; a number that is not finite becomes null."""
    listed = [asdict(row) for row in rows]
    for row in listed:
        row["values"] = {name: [_finite(v) for v in one.values()] for name, one in row["values"].items()}
    path.write_text(json.dumps({"about": about, "rows": listed}) + "\n", encoding="utf-8")


def read(path: Path) -> tuple[dict[str, object], list[Row]]:
    """What `write` wrote. Raises SystemExit where the file is something else."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            Row(**{**row, "values": {name: _interval(one) for name, one in row["values"].items()}})
            for row in held["rows"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{path}: no results of this benchmark. Remove it or name another file.") from error
    return held["about"], rows


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interval(values: list[float | None]) -> Interval:
    value, low, high = (math.nan if one is None else float(one) for one in values[:3])
    return Interval(value, low, high, int(values[3] or 0))
