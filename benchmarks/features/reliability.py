"""Do the matcher's probabilities hold? Fit them on the tuning photographs, hold them against the others and the clips.

    python -m benchmarks.features.reliability fit DATA OUT.json [--describer learned] [--scenes 100]
    python -m benchmarks.features.reliability check DATA [--calibration OUT.json] [--plots FOLDER]

`fit` writes a calibration: beside collector/match it is used from then on. `check` prints tables, and draws reliability
diagrams. Ten bins of equal width; the largest deviation is over the bins that have enough: 400 matches, so that a share
of one half has a standard error of 0.025, or 100 pairs of maps. DATA holds photos/, clips/ and person.mp4.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import msgspec
import numpy as np

from benchmarks.features import calibrate, diagrams, patches
from benchmarks.features.diagrams import Diagram
from benchmarks.features.levels import Level
from benchmarks.features.sightings import (
    FINE,
    LEVELS,
    Describe,
    Sighting,
    asked,
    most_in_noise,
    of_clips,
    of_noise,
    photographs,
    plain,
    sightings,
)
from collector.match.calibration import Calibration, find, read
from collector.match.verdict import DIFFERENT, SAME
from collector.match.view import Floats
from collector.match.weigh import says_nothing, weigh
from edge.features.describe import Describer, describer
from edge.features.map import Map
from edge.sections import FeaturesSettings
from wire.schema import Features

BINS = 10
ENOUGH_MATCHES = 400
ENOUGH_PLACES = 100
SEED = 1
WALLS = 8
"""One plain place for so many photographs."""
EVERY = 3
"""Each photograph is seen at one level of so many."""
NOISE_MAPS = 12
"""At each level, for the most keypoints that noise alone gives."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was said and what was so: (n,) probabilities and truths, and where each came from."""

    probability: Floats
    right: calibrate.Bools
    level: list[str]
    kind: list[str]

    def where(self, chosen: calibrate.Bools) -> "Answers":
        """Some of them."""
        kept = np.flatnonzero(chosen)
        return Answers(
            self.probability[kept], self.right[kept], [self.level[i] for i in kept], [self.kind[i] for i in kept]
        )


def diagram(probability: Floats, right: calibrate.Bools, enough: int) -> Diagram:
    """Ten bins of equal width."""
    which = np.minimum((probability * BINS).astype(int), BINS - 1)
    bins = [which == k for k in range(BINS) if (which == k).any()]
    said = tuple(float(probability[one].mean()) for one in bins)
    so = tuple(float(right[one].mean()) for one in bins)
    count = tuple(int(one.sum()) for one in bins)
    off = [abs(a - b) for a, b in zip(said, so, strict=True)]
    error = float(np.average(off, weights=count)) if off else 0.0
    largest = max((d for d, n in zip(off, count, strict=True) if n >= enough), default=0.0)
    return Diagram(said, so, count, error, largest)


def answers(held: Sequence[Sighting], calibration: Calibration) -> tuple[Answers, Answers]:
    """Of every match, and of every place."""
    heard = calibrate.listen(held, calibration)
    matches = [calibration.match.probability(calibrate.match_features(one, calibration)) for one in heard]
    places = [calibration.place.probability(one.evidence.place)[0] for one in heard]
    repeated = [(one.sighting, len(one.right)) for one in heard]
    return (
        Answers(
            np.concatenate(matches),
            np.concatenate([one.right for one in heard]),
            [sighting.level.name for sighting, n in repeated for _ in range(n)],
            [sighting.kind for sighting, n in repeated for _ in range(n)],
        ),
        Answers(
            np.array(places),
            np.array([one.sighting.truth is not None for one in heard]),
            [one.sighting.level.name for one in heard],
            [one.sighting.kind for one in heard],
        ),
    )


def table(title: str, said: Answers, enough: int) -> str:
    """One line for everything, one for each level."""
    lines = [f"| {title} | n | right | ECE | largest deviation | Brier |", "|---|---|---|---|---|---|"]
    for name in ["all", *dict.fromkeys(said.level)]:
        one = said if name == "all" else said.where(np.array([level == name for level in said.level]))
        found = diagram(one.probability, one.right, enough)
        brier = float(((one.probability - one.right) ** 2).mean())
        lines.append(
            f"| {name} | {len(one.right)} | {one.right.mean():.3f} | {found.error:.3f} | {found.largest:.3f} "
            f"| {brier:.3f} |"
        )
    return "\n".join(lines)


def verdicts(said: Answers, silent: calibrate.Bools) -> str:
    """What is answered, by the kind of pair. Wrong: the same for two places, or different for one."""
    lines = ["| pairs | one place | n | same | different | not enough to tell |", "|---|---|---|---|---|---|"]
    kind = np.array(said.kind)
    for name in dict.fromkeys(said.kind):
        here = kind == name
        same = here & ~silent & (said.probability >= SAME)
        different = here & ~silent & (said.probability <= DIFFERENT)
        count = int(here.sum())
        rest = count - int(same.sum()) - int(different.sum())
        one = "yes" if said.right[here].all() else "no"
        lines.append(f"| {name} | {one} | {count} | {same.sum()} | {different.sum()} | {rest} |")
    return "\n".join(lines)


def tuning(data: Path, scenes: int, describe: Describe) -> Calibration:
    """Fit everything on the tuning side of the photographs."""
    places = photographs(data / "photos", scenes, tuning=True)
    walls = plain(max(2, scenes // WALLS), tuning=True)
    seen = sightings(list(asked(places, walls)), LEVELS, describe, SEED, every=EVERY)
    chance = most_in_noise(of_noise(LEVELS, describe, NOISE_MAPS // 2, SEED))
    names = ", ".join(level.name for level in LEVELS)
    fitted = (
        f"{len(places)} photographs of BSDS500 (every third by name) and {len(walls)} plain walls, {len(seen)} pairs "
        f"of maps, each at one in {EVERY} of the levels {names}, seed {SEED}; "
        f"chance over {NOISE_MAPS * len(LEVELS)} maps of pure noise"
    )
    return calibrate.calibrate(seen, chance=chance, fitted=fitted)


def check(held: Sequence[Sighting], calibration: Calibration, title: str, folder: Path | None) -> None:
    """Print what the calibration is worth on these, and draw it."""
    matches, places = answers(held, calibration)
    silent = np.array([any(says_nothing(side, calibration) for side in calibrate.views(one)) for one in held])
    print(f"## {title}\n\n{table('matches', matches, ENOUGH_MATCHES)}\n")
    print(f"{table('places', places, ENOUGH_PLACES)}\n\n{verdicts(places, silent)}\n")
    for what, said, enough in (("matches", matches, ENOUGH_MATCHES), ("places", places, ENOUGH_PLACES)):
        found = diagram(said.probability, said.right, enough)
        print(f"| {what}, said | " + " | ".join(f"{x:.3f}" for x in found.said) + " |")
        print("|---" * (len(found.said) + 1) + "|")
        print("| so | " + " | ".join(f"{x:.3f}" for x in found.so) + " |")
        print("| n | " + " | ".join(str(n) for n in found.count) + " |\n")
        if folder:
            diagrams.draw(folder / f"reliability-{title}-{what}.svg", found, f"{title}: {what}", enough)


def _of_clips(data: Path, levels: Sequence[Level], describe: Describe, seed: int) -> list[Sighting]:
    return sightings(of_clips(data), levels, describe, seed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features.reliability", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("fit", "check"):
        action = actions.add_parser(name)
        action.add_argument("data", type=Path, metavar="DATA")
        action.add_argument("--describer", choices=sorted(DESCRIBERS), default="learned")
        action.add_argument("--scenes", type=int, default=100, help="photographs")
        if name == "fit":
            action.add_argument("out", type=Path, metavar="OUT.json")
        else:
            action.add_argument("--seeds", type=int, default=1, help="draws of the noise")
            action.add_argument("--calibration", type=Path, metavar="FILE", help="instead of the shipped one")
            action.add_argument("--plots", type=Path, metavar="FOLDER")
    return parser


def check_noise(noise: Sequence[Sighting], calibration: Calibration) -> None:
    """What is answered where there is nothing but noise."""
    said = [weigh(*calibrate.views(one), calibration) for one in noise]
    told = [one for one in said if not one.silent]
    same = sum(one.same >= SAME for one in told)
    different = sum(one.same <= DIFFERENT for one in told)
    silent = len(said) - len(told)
    print(f"## Pure noise\n\n{len(said)} pairs: {silent} say nothing, {same} same, {different} different.\n")


def main(given: Sequence[str] | None = None) -> None:
    flags = _parser().parse_args(given)
    cv2.setNumThreads(1)
    describe = DESCRIBERS[flags.describer]
    if flags.action == "fit":
        found = tuning(flags.data, flags.scenes, describe)
        flags.out.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        return
    places = photographs(flags.data / "photos", flags.scenes, tuning=False)
    questions = list(asked(places, plain(max(2, flags.scenes // WALLS), tuning=False)))
    held = [
        one for seed in range(flags.seeds) for one in sightings(questions, LEVELS, describe, 100 + seed, every=EVERY)
    ]
    calibration = read(flags.calibration.read_bytes()) if flags.calibration else find(held[0].a)
    if calibration is None:
        raise SystemExit(f"{held[0].a.method}: no calibration beside collector/match. Fit one, or name it.")
    print(f"{calibration.method}: fitted on {calibration.fitted}\n")
    check(held, calibration, "photographs", flags.plots)
    check_noise(of_noise(LEVELS, describe, NOISE_MAPS, 200), calibration)
    moving = [one for seed in range(3 * flags.seeds) for one in _of_clips(flags.data, FINE, describe, 100 + seed)]
    check(moving, calibration, "clips", flags.plots)


def _learned(source: Map) -> Features:
    return _network().describe(source)


@lru_cache(maxsize=1)
def _network() -> Describer:
    return describer(FeaturesSettings())


DESCRIBERS: dict[str, Describe] = {"patches": patches.describe, "learned": _learned}


if __name__ == "__main__":
    main()
