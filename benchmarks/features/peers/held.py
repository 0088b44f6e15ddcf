"""What the tuned peers do on photographs that they were not tuned on: a check of the tuning, not the benchmark."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.features.levels import Level
from benchmarks.features.pair import Pair
from benchmarks.features.peers.families import Family
from benchmarks.features.peers.settings import read, tuned
from benchmarks.features.peers.tune import Verify, trials
from benchmarks.features.places import Place

SEED = 900
VIEWS = ("moderate", "still")


def table(
    families: Mapping[str, Family], places: Sequence[Place], levels: Sequence[Level], verify: Verify
) -> Iterator[str]:
    """Lines of Markdown: correct of all matches that pass verification, a pair, and their pooled precision."""
    yield "| b | sd | view | " + " | ".join(families) + " |"
    yield "|---|---|---|" + "---|" * len(families)
    for level in levels:
        for view in VIEWS:
            pairs = [place.pair(view, level, SEED) for place in places]
            cells = [_cell(name, family, pairs, level, verify) for name, family in families.items()]
            yield f"| {level.cell} | {level.sd:g} | {view} | " + " | ".join(cells) + " |"


def _cell(name: str, family: Family, pairs: Sequence[Pair], level: Level, verify: Verify) -> str:
    settings = tuned(name, level.cell, level.sd, family.start, read())
    kept = correct = 0
    for trial in trials(family, settings, pairs):
        sure = trial.score >= settings.margin
        agrees = verify(trial.pair, trial.a[sure], trial.b[sure])
        kept += int(agrees.sum())
        correct += int((agrees & trial.right[sure]).sum())
    return f"{correct / len(pairs):.1f}/{kept / len(pairs):.1f} {correct / kept if kept else 0:.2f}"
