"""Ratios of sums over places, with bootstrap intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and its 95 % interval, from n places. NaN where there is nothing to divide by."""

    value: float
    low: float
    high: float
    n: int


def ratio(parts: Iterable[tuple[str, float, float]], seed: int = 0) -> Interval:
    """Σ top / Σ bottom, and the percentile bootstrap's 95 % interval (Efron and Tibshirani 1993, chapter 13).

    Places are drawn with replacement, each with all it has: its seeds, views and points are not independent.

    Args:
        parts: (place, top, bottom), any number for each place.
        seed: of the bootstrap.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    for place, top, bottom in parts:
        sums[place] = sums.get(place, np.zeros(2)) + np.array([top, bottom])
    if not sums:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    table = np.stack(list(sums.values()))
    drawn = np.random.default_rng(seed).multinomial(len(table), np.full(len(table), 1 / len(table)), ROUNDS) @ table
    with np.errstate(invalid="ignore", divide="ignore"):
        rounds = drawn[:, 0] / drawn[:, 1]
        value = float(np.divide(*table.sum(axis=0)))
    rounds = rounds[np.isfinite(rounds)]
    low, high = np.percentile(rounds, [2.5, 97.5]) if len(rounds) else (float("nan"), float("nan"))
    return Interval(value, float(low), float(high), len(table))
