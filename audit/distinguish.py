"""An attacker with the released numbers of two neighbouring videos, and what he proves about ε."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from audit.daemon import open_daemon, tables_made_once
from audit.statistics import Interval, epsilon_interval, one_run_epsilon
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
EPSILON = 1
"""What the audited windows promise for one exposure."""
FRAMES, CELL = 2, 2
EXPOSURE = FRAMES * CELL**2
"""A visit to all of one cell in all frames: the largest change that one cell can see."""
WORST = Mechanism(LinearLut(1), CELL, 1, 2, FRAMES, EXPOSURE // EPSILON)
"""Range 1, so t = 8: the smallest numbers that have ε = 1 at that exposure, and so the fastest to draw.

Two cells: the visit is in one of them, the other is never looked at.
"""
_CAUTION = 5.0
"""Standard deviations: of some hundred events the one that was luckiest in training looks two or three too good."""
_FEWEST = 30
Progress = Callable[[float], None]
Sums = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Event:
    """What the attacker waits for: a released sum of at least `threshold`, or (`above` false) of at most that."""

    threshold: int
    above: bool

    def hits(self, sums: Sums) -> int:
        """How many of the sums show it."""
        return int(np.count_nonzero(sums >= self.threshold if self.above else sums <= self.threshold))


def best_event(visited: Sums, empty: Sums) -> Event:
    """The event with the largest lower bound on ln(P[event | visited] / P[event | empty]) in these sums.

    A rare event has counts too small to prove much, a common one a small ratio. Theory says which is best, S' itself:
    from there on the ratio is e^ε and the chance above one half. The search need not be told.
    """
    low, high = int(min(visited.min(), empty.min())), int(max(visited.max(), empty.max()))
    # Beyond ± 64 of the middle no video of these windows has enough releases to matter.
    middle = (low + high) // 2
    events = [
        Event(threshold, above)
        for threshold in range(max(low, middle - 64), min(high, middle + 64) + 1)
        for above in (True, False)
    ]
    return max(events, key=lambda event: _cautious(event.hits(visited), event.hits(empty), len(visited)))


def releases(mechanism: Mechanism, value: int, count: int, progress: Progress = lambda _: None) -> Sums:
    """The sum of the first cell in `count` releases of a video whose first cell is `value` throughout: (count,)."""
    video = np.zeros((mechanism.frames, mechanism.rows * mechanism.cell, mechanism.columns * mechanism.cell), np.uint8)
    video[:, : mechanism.cell, : mechanism.cell] = value
    out = np.zeros(count, np.int64)
    with tables_made_once(), open_daemon(mechanism.slope) as daemon:
        for i in range(count):
            out[i] = daemon.release(mechanism, video)[0, 0]
            if i % 1000 == 0:
                progress(i / count)
    return out


@dataclass(frozen=True, slots=True)
class Proof:
    """What an attacker proves. epsilon: bounds of the log ratio of his event. event: in words."""

    epsilon: Interval
    event: str


def prove(visited: Sums, empty: Sums, train: int, alpha: float = ALPHA) -> Proof:
    """Choose an event on the first `train` releases of each video and test it on the others, as many of each."""
    event = best_event(visited[:train], empty[:train])
    tested = len(visited) - train
    interval = epsilon_interval(event.hits(visited[train:]), event.hits(empty[train:]), tested, alpha)
    return Proof(interval, f"sum {'≥' if event.above else '≤'} {event.threshold}")


@dataclass(frozen=True, slots=True)
class Guessed:
    """What came of guessing canaries. epsilon: the largest that the right guesses refute."""

    canaries: int
    guesses: int
    correct: int
    epsilon: float


def guess_canaries(rows: int, columns: int, coins: NDArray[np.bool_], alpha: float = ALPHA) -> Guessed:
    """One release of a video in which every cell has been visited or not by a coin, and a guess at each coin.

    coins: (rows, columns). Guessed are the cells whose sum lies outside of what an empty and a visited cell sum to,
    as all confidence is alike there; the rule was set before the release was seen.
    """
    mechanism = Mechanism(LinearLut(1), CELL, rows, columns, FRAMES, EXPOSURE // EPSILON)
    video = np.kron(np.repeat(coins[None].astype(np.uint8), FRAMES, 0), np.ones((CELL, CELL), np.uint8))
    with open_daemon(mechanism.slope) as daemon:
        sums = daemon.release(mechanism, video.astype(np.uint8))
    there, absent = sums >= EXPOSURE, sums <= 0
    guesses = int(np.count_nonzero(there | absent))
    correct = int(np.count_nonzero(coins & there) + np.count_nonzero(~coins & absent))
    return Guessed(rows * columns, guesses, correct, one_run_epsilon(correct, guesses, alpha))


def expected_bound(count: int, quantile: float = 2.241) -> float:
    """About what the lower bound of ε = 1 comes to with `count` tested releases of each video.

    quantile: of the normal law at 1 - ALPHA / 4, what each of the two counts may err by. The event is sum ≥ S', so
    p = 1 / (1 + e^(-1/t)) where a visit was, and e^-1 times that where none was.
    """
    p = 1 / (1 + math.exp(-1 / WORST.scale))
    return EPSILON - quantile * sum(math.sqrt((1 - q) / (q * count)) for q in (p, p / math.e))


def true_epsilon() -> Fraction:
    """What the audited mechanism promises for the exposure."""
    return WORST.slope * EXPOSURE


def _cautious(hits: int, other: int, n: int) -> float:
    """A lower bound of the log ratio that is far too low, so that no event is chosen for its luck."""
    if hits < _FEWEST or other < _FEWEST:
        return -math.inf
    spreads = [math.sqrt((n - count) / (n * count)) for count in (hits, other)]
    return math.log(hits / other) - _CAUTION * sum(spreads)
