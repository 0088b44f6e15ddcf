"""Which further mechanisms would make the maps better at the same epsilon?

    python -m benchmarks.gains [--only tables,tau] [--photos FOLDER] [--clip VIDEO] [--write FILE] [--picture FILE]

LUTs, references, denoiser, keypoints, matching and grid vector are the product's. The mechanisms are prototypes in
integers (mechanisms.py); their noise has the product's law, but comes from numpy with a seed, so that thousands of
releases take minutes and every table can be made again.
"""

import argparse
import datetime as dt
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from benchmarks.gains import chains, grids, kernels, levels, picture, references, scenes, tables

Make = Callable[[], list[scenes.Scene]]
Candidate = Callable[[Mapping[str, Make], Fraction], str]
REPEATS = 8
"""Draws of the noise on a clip, which is one place."""


def main() -> None:
    parser = argparse.ArgumentParser(description="What further mechanisms would gain at the same epsilon.")
    parser.add_argument("--only", help=f"candidates, separated by commas: {', '.join(CANDIDATES)}")
    parser.add_argument("--drawn", type=int, default=16, help="how many drawn places")
    parser.add_argument("--photos", type=Path, help="a folder of photographs")
    parser.add_argument("--take", type=int, default=48, help="how many of the photographs")
    parser.add_argument("--clip", type=Path, help="a clip from a fixed camera")
    parser.add_argument("--epsilon", type=Fraction, default=Fraction(1, 2), help="for the unit")
    parser.add_argument("--write", type=Path, help="also write the tables to this file")
    parser.add_argument("--picture", type=Path, help="only write a PNG of a drawn place and its maps")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    if flags.picture:
        picture.write(flags.picture, flags.epsilon)
        return
    groups: dict[str, Make] = {"drawn": lambda: list(scenes.drawn(flags.drawn))}
    if flags.photos:
        groups["photographs"] = lambda: list(scenes.photographs(flags.photos, flags.take))
    if flags.clip:
        groups["clip"] = lambda: [scenes.clip(flags.clip)] * REPEATS
    parts = [_machine()]
    for name in flags.only.split(",") if flags.only else CANDIDATES:
        sys.stderr.write(f"measuring: {name} ...\n")
        parts.append(f"## {name}\n\n{CANDIDATES[name](groups, flags.epsilon)}")
        sys.stdout.write(parts[-1] + "\n\n")
        sys.stdout.flush()
    if flags.write:
        flags.write.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _kernels(groups: Mapping[str, Make], epsilon: Fraction) -> str:
    """Also with an eighth of the noise, as a residual window with tau = 16 has."""
    both = (epsilon, 8 * epsilon)
    rows = [row for name, make in groups.items() for row in kernels.lines(name, make(), both)]
    return "\n".join([kernels.HEAD, *rows])


def _grids(groups: Mapping[str, Make], epsilon: Fraction) -> str:
    rows = [row for name, make in groups.items() for row in grids.lines(name, make(), epsilon)]
    return "\n".join([grids.HEAD, *rows])


def _levels(groups: Mapping[str, Make], epsilon: Fraction) -> str:
    tree = [levels.TREE_HEAD, *levels.tree(), "", chains.HEAD]
    return "\n".join([*tree, *_rows(groups, lambda places: levels.joined(places, epsilon))])


def _chained(variants: Mapping[str, chains.Variant], *, dimmed: float = 1.0) -> Candidate:
    def table(groups: Mapping[str, Make], epsilon: Fraction) -> str:
        rows = _rows(groups, lambda places: chains.scores(places, variants, epsilon, dimmed=dimmed))
        return "\n".join([chains.HEAD, *rows])

    return table


def _rows(groups: Mapping[str, Make], measured: Callable[[Iterable[scenes.Scene]], chains.Kept]) -> Iterable[str]:
    for name, make in groups.items():
        yield from chains.lines(name, measured(make()))


def _machine() -> str:
    return (
        f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}, OpenCV {cv2.__version__}."
    )


CANDIDATES: Mapping[str, Candidate] = {
    "kernels": _kernels,
    "redescending": _chained(references.redescending()),
    "tau": _chained(references.own_tau()),
    "tables": _chained(tables.public()),
    "sub-cell": _chained(references.sub_cell()),
    "grids": _grids,
    "levels": _levels,
    "logarithm": _chained(tables.offsets()),
    "logarithm-dimmed": _chained(tables.offsets(), dimmed=0.6),
}


if __name__ == "__main__":
    main()
