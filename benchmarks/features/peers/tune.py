"""The best settings of a family on pairs that no table shows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches
from benchmarks.features.pair import Pair
from benchmarks.features.peers.families import Family
from benchmarks.features.peers.settings import Settings, Value

DISTANCE = 1.0
"""Cells within which a match is correct."""
PRECISION = 0.9
LUCK = 2
"""Correct matches a pair below which they are held for luck."""
SWEPT = frozenset({"blur"})
"""Fields whose every value is tried: with the blur, worth has more than one peak."""
VISIBLE = 64
"""Points of a pair that could have been matched, for the recall in F1: one number for all, so that a setting that
finds few points gains nothing by it."""
SHARES = (1.0, 0.5, 0.25)
"""Of the matches by score that verification is tried with."""

Points = NDArray[np.float64]
Verify = Callable[[Pair, Points, Points], NDArray[np.bool_]]
"""Which matches (m, 2) and (m, 2) agree with one geometry."""
Looks = tuple[Described, Described]
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, order=True)
class Worth:
    """How good settings are: correct matches at PRECISION count first, then F1."""

    correct: int
    f1: float


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One pair's matches, surest first, and which of them are correct. a, b: (m, 2), their ends."""

    pair: Pair
    a: Points
    b: Points
    score: NDArray[np.float64]
    right: NDArray[np.bool_]


def tune(
    family: Family,
    pairs: Sequence[Pair],
    starts: Sequence[Settings],
    verify: Verify,
    *,
    rounds: int = 1,
    log: Log = lambda _: None,
) -> Settings:
    """From the best of `starts`, one field at a time: the best of all blurs; else, while a neighbour is better.

    Args:
        family: whose choices are tried, in their order.
        pairs: of the tuning split, at one level of noise.
        starts: settings of levels already tuned, and the family's own.
        verify: the geometric check that the benchmark uses.
        rounds: over all fields, at most.
        log: told what was tried.
    """
    tried: dict[Settings, tuple[Worth, float]] = {}
    seen: dict[Settings, list[Looks]] = {}

    def measure(settings: Settings) -> Worth:
        if settings not in tried:
            tried[settings] = worth(trials(family, settings, pairs, seen), verify)
            log(f"{tried[settings][0]} {settings}")
        return tried[settings][0]

    best = max((replace(start, margin=0.0) for start in dict.fromkeys(starts)), key=measure)
    for _ in range(rounds):
        before = best
        for field, values in family.choices.items():
            best = (_sweep if field in SWEPT else _climb)(best, field, values, measure)
        if best == before:
            break
    measure(best)
    return replace(best, margin=tried[best][1])


def trials(
    family: Family, settings: Settings, pairs: Sequence[Pair], seen: dict[Settings, list[Looks]] | None = None
) -> list[Trial]:
    """All mutual nearest neighbours under these settings, whatever their margin.

    seen: what was described already, by the settings without those of matching; added to.
    """
    method = family.make(settings.loose())
    memory = {} if seen is None else seen
    key = replace(settings, margin=0.0, apart=0.0)
    if key not in memory:
        memory[key] = [(method.describe(p.a, p.noise_a), method.describe(p.b, p.noise_b)) for p in pairs]
    return [_trial(pair, a, b, method.match) for pair, (a, b) in zip(pairs, memory[key], strict=True)]


def worth(found: Sequence[Trial], verify: Verify) -> tuple[Worth, float]:
    """What the settings are worth, and the margin to use.

    Pairs seen from one position and those seen from two are judged apart and added up: else the easy ones would pay for
    the precision of the others. The margin is the smaller of theirs.
    """
    still = [trial for trial in found if np.array_equal(trial.pair.homography, np.eye(3))]
    moved = [trial for trial in found if not np.array_equal(trial.pair.homography, np.eye(3))]
    parts = [_worth(view, verify) for view in (still, moved) if view]
    total = Worth(sum(part.correct for part, _ in parts), sum(part.f1 for part, _ in parts))
    return total, min(margin for _, margin in parts)


def _worth(found: Sequence[Trial], verify: Verify) -> tuple[Worth, float]:
    """Of one kind of pairs.

    Correct matches are those at PRECISION by a threshold on the score alone, and those after verification from
    that part of SHARES which is best: both are asked of a method, so their sum counts. Fewer than LUCK a pair do not,
    and F1 decides, of verified matches. The margin lets through what either needs.
    """
    score = np.concatenate([trial.score for trial in found])
    right = np.concatenate([trial.right for trial in found])
    alone, least = best_threshold(score, right)
    margins = sorted({float(np.quantile(score, 1 - share)) for share in SHARES}) if len(score) else [0.0]
    checked = [(_verified(found, verify, margin), margin) for margin in margins]
    (kept, correct), margin = max(checked, key=lambda one: _verified_worth(one[0][0], one[0][1], len(found)))
    total = alone + (correct if correct >= PRECISION * kept else 0)
    f1 = 2 * correct / max(kept + VISIBLE * len(found), 1)
    return Worth(total if total >= LUCK * len(found) else 0, f1), max(0.0, min(margin, least))


def best_threshold(score: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[int, float]:
    """Most correct matches of those at or above a score at which PRECISION holds, and that score; else 0 and inf."""
    order = np.argsort(-score, kind="stable")
    correct = np.cumsum(right[order])
    last = np.append(np.diff(score[order]) != 0, True)[: len(order)]
    allowed = np.flatnonzero((correct >= PRECISION * np.arange(1, len(order) + 1)) & last)
    if not len(allowed):
        return 0, np.inf
    best = allowed[correct[allowed].argmax()]
    return int(correct[best]), float(score[order][best])


def _verified(found: Sequence[Trial], verify: Verify, margin: float) -> tuple[int, int]:
    """Matches that pass verification, and the correct ones among them, of those with at least this margin."""
    kept = correct = 0
    for trial in found:
        sure = trial.score >= margin
        agrees = verify(trial.pair, trial.a[sure], trial.b[sure])
        kept += int(agrees.sum())
        correct += int((agrees & trial.right[sure]).sum())
    return kept, correct


def _verified_worth(kept: int, correct: int, pairs: int) -> Worth:
    precise = correct >= PRECISION * kept
    return Worth(correct if precise else 0, 2 * correct / max(kept + VISIBLE * pairs, 1))


def _trial(pair: Pair, a: Described, b: Described, match: Callable[[Described, Described], Matches]) -> Trial:
    found = match(a, b)
    first, second = a.points[found.pairs[:, 0]], b.points[found.pairs[:, 1]]
    right = np.linalg.norm(pair.project(first) - second, axis=1) <= DISTANCE
    return Trial(pair, first, second, found.score, right)


def _sweep(best: Settings, field: str, values: Sequence[Value], measure: Callable[[Settings], Worth]) -> Settings:
    return max([best, *(_with(best, field, value) for value in values)], key=measure)


def _climb(best: Settings, field: str, values: Sequence[Value], measure: Callable[[Settings], Worth]) -> Settings:
    """Step through the values up, and down, while it gets better. A start between the values is put on the nearest."""
    here = min(range(len(values)), key=lambda i: abs(values[i] - getattr(best, field)))
    best = _with(best, field, values[here])
    for way in _ways(here, len(values)):
        for index in way:
            other = _with(best, field, values[index])
            if measure(other) <= measure(best):
                break
            best = other
    return best


def _ways(here: int, count: int) -> Iterator[range]:
    yield range(here + 1, count)
    yield range(here - 1, -1, -1)


def _with(settings: Settings, field: str, value: Value) -> Settings:
    changed: dict[str, Any] = {field: value}
    return replace(settings, **changed)
