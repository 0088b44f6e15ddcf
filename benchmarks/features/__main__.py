"""Which points, descriptors and vectors survive the noise?

    python -m benchmarks.features DATA_FOLDER [--scenes 24] [--seeds 3] [--methods sift,orb] [--jobs 2]
        [--keep FILE] [--write docs/benchmarks/features.md] [--plots FOLDER]
    python -m benchmarks.features --small

docs/benchmarks/features.md has the protocol. DATA_FOLDER holds photos/, clips/ and person.mp4.
"""

import argparse
import datetime as dt
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from benchmarks.features import plots, results, tables
from benchmarks.features.bench import Group, run
from benchmarks.features.levels import CLIP_LEVELS, LEVELS, Level
from benchmarks.features.measure import Make
from benchmarks.features.methods import CONTROLS, line_up
from benchmarks.features.peers.learned import NAMES, learned
from benchmarks.features.rooms import rooms
from benchmarks.features.score import Row
from benchmarks.features.sources import clips, drawn, photographs

MARK = "<!-- Below: written by `python -m benchmarks.features`. -->"
DRAWS = 10
"""Of the noise, on the one clip that is long enough for windows as the daemon has them."""
STRANGERS = 3
FEWEST_TUNING = 8
"""Photographs that thresholds come from, however few are in the tables: from fewer they do not carry over."""
SMALL_METHODS = "sift-dctwiener,log-harris"
SMALL_LEVELS = (Level(16, 0), Level(16, 20), Level(64, 22.5))


def main(given: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(given)
    cv2.setNumThreads(1)
    weights = {name: getattr(flags, name) for name in NAMES}
    for line in learned(weights)[1]:
        sys.stderr.write(f"{line}\n")
    chosen = pick(line_up(weights), flags.methods or (SMALL_METHODS if flags.small else None))
    if not flags.small and flags.data is None:
        raise SystemExit("python -m benchmarks.features: no DATA_FOLDER. Give one, or --small for drawn scenes alone.")
    sys.stderr.write("making scenes ...\n")
    groups = small(flags.scenes or 4) if flags.small else full(flags.data, flags.scenes or 24)
    if flags.levels:
        groups = [replace(group, levels=at(group.levels, flags.levels)) for group in groups]
    rows: list[Row] = []
    if flags.keep and flags.keep.exists():
        again = {(name, level) for name in chosen for group in groups for level in group.levels}
        rows = [
            row for row in results.read(flags.keep)[1] if (tables.method_of(row), tables.level_of(row)) not in again
        ]
    started = time.monotonic()
    for _, more in run(groups, chosen, flags.seeds, flags.jobs):
        rows += more
        if flags.keep:
            results.write(flags.keep, _sorted(rows), about(flags.seeds, groups))
    rows = _sorted(rows)
    stated = _stated(about(flags.seeds, groups), time.monotonic() - started)
    short, long = (f"{stated}\n\n{made}\n" for made in (tables.overview(rows), tables.details(rows)))
    if flags.write:
        write(flags.write, short)
        write(flags.write.with_stem(f"{flags.write.stem}-details"), long)
    else:
        sys.stdout.write(f"{short}\n{long}")
    for path in plots.write(flags.plots, rows) if flags.plots else ():
        sys.stderr.write(f"{path}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, nargs="?", metavar="DATA_FOLDER", help="with photos/, clips/ and person.mp4")
    parser.add_argument("--small", action="store_true", help="a few drawn scenes and three levels: seconds")
    parser.add_argument("--scenes", type=int, help="photographs in the tables (24); half as many for tuning")
    parser.add_argument("--seeds", type=int, default=3, help="draws of the noise (3)")
    parser.add_argument(
        "--methods", help="separated by commas; the controls are always there. All; with --small, two peers"
    )
    for name in NAMES:
        parser.add_argument(f"--{name}", type=Path, help=f"an ONNX file of {name}'s weights, which are not kept here")
    parser.add_argument("--levels", help="cell:sd or cell:sd:tau, separated by commas; all where not given")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    parser.add_argument("--keep", type=Path, help="JSON that rows are added to; methods not chosen keep theirs")
    parser.add_argument(
        "--write",
        type=Path,
        help="page; what stands below its mark, and below that of its -details page, is written again",
    )
    parser.add_argument("--plots", type=Path, help="folder for SVG")
    return parser


def pick(methods: Mapping[str, Make], names: str | None) -> dict[str, Make]:
    """The named methods and the controls; all where none is named. Raises SystemExit for a name that nobody has."""
    wanted = names.split(",") if names else list(methods)
    if unknown := [name for name in wanted if name not in methods]:
        raise SystemExit(f"no method {', '.join(unknown)}. There are: {', '.join(methods)}.")
    return {name: make for name, make in methods.items() if name in wanted or name in CONTROLS}


def at(levels: Sequence[Level], names: str) -> list[Level]:
    """Those levels that are named as cell:sd or cell:sd:tau. Raises SystemExit for a name that says something else."""
    try:
        wanted = {tuple(float(part) for part in name.split(":")) for name in names.split(",")}
    except ValueError as error:
        raise SystemExit(f"--levels {names}: not a list of cell:sd. Write 16:10,8:20 or 16:10:32 with τ.") from error
    return [level for level in levels if (level.cell, level.sd, *([level.tau] if level.tau else [])) in wanted]


def full(data: Path, count: int) -> list[Group]:
    """Photographs, clips and rooms at all levels."""
    photos = data / "photos"
    if not photos.is_dir():
        raise SystemExit(f"{photos}: no such folder. Give the folder that holds photos/, clips/ and person.mp4.")
    tuning = list(photographs(photos, max(FEWEST_TUNING, count // 2), tuning=True))
    held = list(photographs(photos, count, tuning=False))
    groups = [Group("photographs", held, tuning, ("still", "moderate", "wide"), LEVELS, cluster=True, pooled=True)]
    if seen := list(clips(data)):
        person = [place for place in seen if place.name == "person"]
        if person:
            local = [level for level in CLIP_LEVELS if level.local]
            wide = photographs(photos, STRANGERS, tuning=False, size=(768, 432))
            alone = [*person, *(replace(place, stranger=True) for place in wide)]
            groups.append(Group("person.mp4", alone, tuning, ("still",), local, draws=DRAWS))
        groups.append(Group("clips", seen, tuning, ("still",), CLIP_LEVELS, pooled=True))
    half = max(4, count // 2)
    lit = [level for level in LEVELS if level.cell != 32]
    groups.append(
        Group(
            "rooms",
            list(rooms(half, tuning=False)),
            list(rooms(half // 2, tuning=True)),
            ("still", "light"),
            lit,
            cluster=True,
        )
    )
    return groups


def small(count: int) -> list[Group]:
    """Drawn scenes alone, at no noise and much."""
    places, tuning = list(drawn(count, tuning=False)), list(drawn(max(3, count // 2), tuning=True))
    views = ("still", "moderate")
    lit = [list(rooms(count, tuning=side, width=320, height=240)) for side in (False, True)]
    return [
        Group("drawn", places, tuning, views, SMALL_LEVELS),
        Group("rooms", lit[0], lit[1], ("light",), (Level(8, 0), Level(8, 20))),
    ]


def about(seeds: int, groups: Sequence[Group]) -> dict[str, object]:
    """What the numbers depend on."""
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": f"Python {platform.python_version()}, numpy {np.__version__}, OpenCV {cv2.__version__}",
        "seeds": seeds,
        "places": {group.name: sum(not place.stranger for place in group.held) for group in groups},
        "tuning": {group.name: len(group.tuning) for group in groups},
    }


def write(path: Path, text: str) -> None:
    """Put the text below the page's mark; a page without one gets it at its end."""
    before = path.read_text(encoding="utf-8").split(MARK)[0] if path.exists() else ""
    path.write_text(f"{before.rstrip()}\n\n{MARK}\n\n{text}".lstrip(), encoding="utf-8")


def _stated(facts: Mapping[str, object], seconds: float) -> str:
    return (
        f"{facts['date']}, {facts['machine']}, {facts['versions']}. Seeds 0 to {int(str(facts['seeds'])) - 1}. "
        f"Places: {_counted(facts['places'])}. For tuning: {_counted(facts['tuning'])}. "
        f"What was measured last took {seconds / 60:.0f} min."
    )


def _counted(places: object) -> str:
    return ", ".join(f"{name} {n}" for name, n in places.items()) if isinstance(places, dict) else ""


def _sorted(rows: Sequence[Row]) -> list[Row]:
    """By kind of scene and view as measured, then methods in the line-up's order."""
    order = [*line_up(), *NAMES]
    kinds = list(dict.fromkeys((row.group, row.view) for row in rows))

    def place(row: Row) -> tuple[int, int, str]:
        name = tables.method_of(row)
        return kinds.index((row.group, row.view)), order.index(name) if name in order else -1, row.method

    return sorted(rows, key=place)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
