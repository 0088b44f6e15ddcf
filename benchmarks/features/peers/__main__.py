"""Tune the peers on photographs that no table shows, and write tuned.json.

    python -m benchmarks.features.peers DATA [--families sift,orb] [--cells 16,8] [--levels 10,20,40,0,5,2.5]
        [--fields blur,upright] [--places 9] [--held] [--xfeat PATH] [--superpoint PATH]

DATA: the folder that holds `photos`. Every third photograph, by name, is for tuning. Each place gives one pair that
was seen from a little aside (features: corners ± 6 %, ± 20°, scale 1/1.2 to 1.2, shift ± 8 %), and every third also one
from the same position; noise is the daemon's, with a seed.
Tuning starts from the best of the levels that were tuned already; what is not named keeps its rows.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.levels import Level
from benchmarks.features.pair import Pair
from benchmarks.features.peers import held
from benchmarks.features.peers.families import FAMILIES, Family
from benchmarks.features.peers.learned import NAMES, family
from benchmarks.features.peers.settings import TABLE, Settings, parse, read
from benchmarks.features.peers.tune import Log, Points, tune
from benchmarks.features.places import Place
from benchmarks.features.sources import photographs
from benchmarks.features.verify import drift, homography

SEED = 500
STILL = 3
"""One place in so many is also seen again from the same position."""
Fitted = tuple[str, Level, Settings]


def pairs_of(places: Sequence[Place], level: Level) -> list[Pair]:
    """Moderate views of all places, and the camera's own view of some."""
    moved = [place.pair("moderate", level, SEED) for place in places]
    return moved + [place.pair("still", level, SEED + 1) for place in places[::STILL]]


def verify(pair: Pair, a: Points, b: Points) -> NDArray[np.bool_]:
    """The benchmark's own check: a drift for a camera that has not moved, else a homography."""
    still = np.array_equal(pair.homography, np.eye(3))
    return (drift if still else homography)(a, b).kept


def write(table: Mapping[str, object], command: str) -> None:
    """The table with the command that made its newest rows, in the order of its keys, a row to a line."""
    rows = ",\n".join(f"    {json.dumps(key)}: {json.dumps(table[key])}" for key in sorted(table))
    TABLE.write_text(f'{{\n  "command": {json.dumps(command)},\n  "settings": {{\n{rows}\n  }}\n}}\n', encoding="utf-8")


def row(settings: Settings) -> dict[str, object]:
    return {
        name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in asdict(settings).items()
    }


def fit(families: Mapping[str, Family], places: Sequence[Place], levels: Sequence[Level], log: Log) -> Iterator[Fitted]:
    """Tune level by level, each family from the best of its levels tuned so far."""
    for level in levels:
        pairs = pairs_of(places, level)
        for name, one in families.items():
            table = read()
            starts = {parse(settings) for key, settings in table.items() if key.startswith(f"{name} ")} | {one.start}
            best = tune(one, pairs, sorted(starts, key=repr), verify, rounds=1 if len(starts) > 1 else 2, log=log)
            yield name, level, best


def main() -> None:
    flags = parser().parse_args()
    cv2.setNumThreads(1)
    families = chosen(flags)
    levels = [Level(int(cell), float(sd)) for cell in flags.cells.split(",") for sd in flags.levels.split(",")]
    places = list(photographs(flags.data / "photos", flags.places, tuning=not flags.held))
    if flags.held:
        for line in held.table(families, places, levels, verify):
            print(line, flush=True)
        return
    command = "python -m benchmarks.features.peers " + shlex.join(["DATA", *sys.argv[2:]])
    begun = time.monotonic()
    for name, level, best in fit(families, places, levels, print if flags.verbose else lambda _: None):
        write({**read(), f"{name} {level.cell} {level.sd:g}": row(best)}, command)
        print(f"{time.monotonic() - begun:.0f} s: {name} {level.name}: {best}", flush=True)


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(description="Tune the peers on photographs that no table shows.")
    out.add_argument("data", type=Path, help="folder that holds photos")
    out.add_argument("--families", help=f"with commas, of {', '.join(FAMILIES)}")
    out.add_argument("--cells", default="16,8")
    out.add_argument("--levels", default="10,20,40,0,5,2.5", help="noise of one cell in grey")
    out.add_argument("--fields", help="what to tune, with commas; all that the family has if not given")
    out.add_argument("--places", type=int, default=9)
    out.add_argument("--held", action="store_true", help="show what the tuned peers do on other photographs")
    out.add_argument("--verbose", action="store_true")
    for name in NAMES:
        out.add_argument(f"--{name}", type=Path, help="ONNX file of its weights")
    return out


def chosen(flags: argparse.Namespace) -> dict[str, Family]:
    """The families by name; networks where a file was named."""
    named = {name: getattr(flags, name) for name in NAMES}
    every = {**FAMILIES, **{name: family(name, path) for name, path in named.items() if path}}
    if flags.families:
        every = {name: every[name] for name in flags.families.split(",")}
    return (
        {name: limited(one, flags.fields.split(",")) for name, one in every.items()}
        if flags.fields is not None
        else every
    )


def limited(one: Family, names: Sequence[str]) -> Family:
    """With choices for these fields only."""
    return replace(one, choices={name: values for name, values in one.choices.items() if name in names})


if __name__ == "__main__":
    main()
