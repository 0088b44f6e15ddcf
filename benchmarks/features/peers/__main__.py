"""Tune the peers on photographs that no table shows, and write tuned.json.

    python -m benchmarks.features.peers DATA [--families sift,orb] [--cells 16,8] [--levels 10,20,40,5,0] [--places 9]

DATA: the folder that holds `photos`. Every third photograph, by name, is for tuning. Each place gives one pair that
was seen from a little aside (features: corners ± 6 %, ± 20°, scale 1/1.2 to 1.2, shift ± 8 %), and every third also one
from the same position; noise is the daemon's, with a seed.
Tuning starts from the nearest level that was tuned already. Families and levels that are not named keep their rows.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.levels import Level
from benchmarks.features.pair import Pair
from benchmarks.features.peers.families import FAMILIES
from benchmarks.features.peers.settings import TABLE, Settings, read, tuned
from benchmarks.features.peers.tune import Points, tune
from benchmarks.features.places import Place
from benchmarks.features.sources import photographs
from benchmarks.features.verify import drift, homography

SEED = 500
STILL = 3
"""One place in so many is also seen again from the same position."""


def pairs_of(places: Sequence[Place], level: Level) -> list[Pair]:
    """Moderate views of all places, and the camera's own view of some."""
    moved = [place.pair("moderate", level, SEED) for place in places]
    return moved + [place.pair("still", level, SEED + 1) for place in places[::STILL]]


def verify(pair: Pair, a: Points, b: Points) -> NDArray[np.bool_]:
    """The benchmark's own check: a drift for a camera that has not moved, else a homography."""
    still = np.array_equal(pair.homography, np.eye(3))
    return (drift if still else homography)(a, b).kept


def write(table: dict[str, object], command: str) -> None:
    """The table with the command that made its newest rows, in the order of its keys."""
    rows = ",\n".join(f"    {json.dumps(key)}: {json.dumps(table[key])}" for key in sorted(table))
    TABLE.write_text(f'{{\n  "command": {json.dumps(command)},\n  "settings": {{\n{rows}\n  }}\n}}\n', encoding="utf-8")


def row(settings: Settings) -> dict[str, object]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(settings).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Tune the peers on photographs that no table shows.")
    parser.add_argument("data", type=Path, help="folder that holds photos")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--cells", default="16,8")
    parser.add_argument("--levels", default="10,20,40,5,0", help="noise of one cell in grey")
    parser.add_argument("--places", type=int, default=9)
    parser.add_argument("--verbose", action="store_true")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    command = "python -m benchmarks.features.peers " + shlex.join(["DATA", *sys.argv[2:]])
    places = list(photographs(flags.data / "photos", flags.places, tuning=True))
    for cell in map(int, flags.cells.split(",")):
        for sd in map(float, flags.levels.split(",")):
            pairs = pairs_of(places, Level(cell, sd))
            for name in flags.families.split(","):
                begun = time.monotonic()
                family = FAMILIES[name]
                table = read()
                start = tuned(name, cell, sd, family.start, table)
                first = not any(key.startswith(f"{name} {cell} ") for key in table)
                log = print if flags.verbose else lambda _: None
                best = tune(family, pairs, start, verify, rounds=2 if first else 1, log=log)
                write({**read(), f"{name} {cell} {sd:g}": row(best)}, command)
                print(f"{name} {cell} {sd:g} {time.monotonic() - begun:.0f} s: {best}", flush=True)


if __name__ == "__main__":
    main()
