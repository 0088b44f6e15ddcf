"""From outcomes to the numbers of a table, with intervals over places."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.intervals import Interval, ratio
from benchmarks.features.measure import BOUNDS, Outcome
from benchmarks.features.metrics import Threshold, area, threshold_at

PRECISION = 0.9
EACH = ("tuned", "verified", "apart", "accepted")
"""Kinds of correct matches that rows keep for each place."""
Values = Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results. cell and sd name the level; tau is 0 unless it is of a residual window.

    each: by place (or draw), in the order of EACH, sums over its pairs: what two methods are compared by on the same
    places.
    """

    group: str
    view: str
    cell: int
    sd: float
    tau: int
    method: str
    values: Values
    each: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the tuning places say of one view. score: of a match. count: of verified matches of a pair."""

    score: Threshold
    count: Threshold


def tune(found: Iterable[Outcome]) -> Tuned:
    """A bound on scores and one on counts.

    Scores: what keeps most right matches of pairs of one place, nine in ten of what is kept being right. Counts: one
    more than any pair of different places has.
    """
    pairs = list(found)
    strangers = [int(one.verified.sum()) for one in pairs if one.other]
    return Tuned(_at_precision([one for one in pairs if not one.other]), Threshold(max(strangers, default=0) + 1))


def _at_precision(pairs: Sequence[Outcome]) -> Threshold:
    score = np.concatenate([np.empty(0), *(one.score for one in pairs)])
    good = np.concatenate([np.empty(0), *(one.right for one in pairs)])
    return threshold_at(score, good, np.ones(len(score)), PRECISION)


def scores(found: Iterable[Outcome], tuned: Tuned, *, by_draw: bool = False) -> Values:
    """All measures of points and matches, over pairs of one place; and, after "other", over pairs of two places.

    by_draw: of one place alone, so that intervals can only be over draws of the noise.
    """
    pairs = [replace(one, place=f"{one.place} {one.seed}") if by_draw else one for one in found]
    same = [one for one in pairs if not one.other]
    other = [one for one in pairs if one.other]
    out = {
        "points": _mean(same, lambda one: one.points),
        "rep@0.5": _mean(same, lambda one: one.again[0]),
        "rep@1": _mean(same, lambda one: one.again[1]),
        "matches": _mean(same, lambda one: len(one.score)),
        "correct": _mean(same, lambda one: one.right.sum()),
        "precision": _share(same, lambda one: one.right.sum(), lambda one: len(one.score)),
        "mma@1": _mean(same, lambda one: one.right.mean() if len(one.right) else 0.0),
    }
    best = Tuned(_at_precision(same), tuned.count)
    kinds: dict[str, Keep] = {
        "tuned": _sure(tuned),
        "best": _sure(best),
        "verified": lambda one: one.verified,
        "apart": lambda one: one.apart,
        "accepted": _accepted(tuned),
    }
    for name, kept in kinds.items():
        out |= _kept(name, kept, same, other)
    for bound in BOUNDS:
        out[f"auc@{bound:g}"] = ratio((one.place, area(one.corner, bound), 1.0) for one in same)
    accepted = _accepted(tuned)
    out["accepted places"] = _mean(same, lambda one: accepted(one).any())
    out["other accepted places"] = _mean(other, lambda one: accepted(one).any())
    out["other rep@1"] = _mean(other, lambda one: one.again[1])
    out["other matches"] = _mean(other, lambda one: len(one.score))
    out["other here"] = _mean([one for one in other if len(one.score)], lambda one: one.here)
    return out


def each(found: Iterable[Outcome], tuned: Tuned, *, by_draw: bool = False) -> dict[str, list[float]]:
    """Correct matches of each place in the order of EACH, summed over its pairs with itself."""
    out: dict[str, list[float]] = {}
    for one in found:
        if not one.other:
            name = f"{one.place} {one.seed}" if by_draw else one.place
            kept = (_sure(tuned)(one), one.verified, one.apart, _accepted(tuned)(one))
            before = out.get(name, [0.0] * len(EACH))
            out[name] = [old + float((keep & one.right).sum()) for old, keep in zip(before, kept, strict=True)]
    return out


def gain(ours: Row, other: Row, kind: str) -> Interval:
    """How many times as many correct matches of a kind, on the places that both rows have; the interval is paired."""
    index = EACH.index(kind)
    both = [name for name in ours.each if name in other.each]
    return ratio((name, ours.each[name][index], other.each[name][index]) for name in both)


def found_again(per_seed: Sequence[Mapping[str, int]]) -> Values:
    """Recall@1 and mean average precision. One view of each place is in the gallery, so an average precision is 1/rank.

    per_seed: ranks by place.
    """
    parts = [(name, rank) for ranks in per_seed for name, rank in ranks.items()]
    return {
        "recall@1": ratio((name, float(rank == 1), 1.0) for name, rank in parts),
        "map": ratio((name, 1 / rank, 1.0) for name, rank in parts),
    }


def spread(values: Sequence[float]) -> Interval:
    """Mean, least and most over seeds: of measures that are of all places at once and cannot be resampled."""
    return Interval(float(np.mean(values)), min(values), max(values), len(values))


Count = Callable[[Outcome], SupportsFloat]
Keep = Callable[[Outcome], NDArray[np.bool_]]


def _kept(name: str, keep: Keep, same: Sequence[Outcome], other: Sequence[Outcome]) -> Values:
    """What is left where a match must pass `keep`."""
    return {
        f"{name} correct": _mean(same, lambda one: (keep(one) & one.right).sum()),
        f"{name} precision": _share(same, lambda one: (keep(one) & one.right).sum(), lambda one: keep(one).sum()),
        f"other {name}": _mean(other, lambda one: keep(one).sum()),
    }


def _sure(tuned: Tuned) -> Keep:
    return lambda one: one.score >= tuned.score.least


def _accepted(tuned: Tuned) -> Keep:
    return lambda one: one.verified & bool(one.verified.sum() >= tuned.count.least)


def _mean(pairs: Sequence[Outcome], count: Count) -> Interval:
    return ratio((one.place, float(count(one)), 1.0) for one in pairs)


def _share(pairs: Sequence[Outcome], top: Count, bottom: Count) -> Interval:
    return ratio((one.place, float(top(one)), float(bottom(one))) for one in pairs)
