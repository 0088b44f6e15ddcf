"""What the four predictors of SP 800-90B (6.3.7 to 6.3.10) share: who predicts, and what the hits are worth."""

import math

import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators import bound
from edge.entropy.estimators.solve import falling

Hits = NDArray[np.bool_]
_CONFIDENCE = math.log(0.99)


class Scoreboard:
    """Several predictors of which the one with the most hits so far predicts; among equals, the last to hit."""

    def __init__(self, predictors: int) -> None:
        self._scores = np.zeros(predictors, np.int32)
        self._winner = 0
        self._hits = 0
        self._run = 0
        self._longest = 0
        self._predictions = 0

    def feed(self, hits: Hits) -> None:
        """Judge the next m predictions: `hits` (predictors, m) says which predictor was right at which of them."""
        rows, columns = hits.shape
        if columns == 0:
            return
        scores = np.cumsum(hits, axis=1, dtype=np.int32)
        scores += self._scores[:, None]
        leads = hits & (scores == scores.max(axis=0))
        leader = np.where(leads, np.arange(rows, dtype=np.int16)[:, None], np.int16(-1)).max(axis=0)
        since = np.maximum.accumulate(np.where(leader >= 0, np.arange(columns), -1))
        after = np.where(since >= 0, leader[since], self._winner)
        before = np.concatenate(([self._winner], after[:-1]))
        self._scores = scores[:, -1].copy()
        self._winner = int(after[-1])
        self._count(hits[before, np.arange(columns)])

    def _count(self, right: Hits) -> None:
        misses = np.concatenate(([-1 - self._run], np.flatnonzero(~right), [right.size]))
        self._longest = max(self._longest, int(np.diff(misses).max()) - 1)
        self._run = int(misses[-1] - misses[-2]) - 1
        self._hits += int(np.count_nonzero(right))
        self._predictions += right.size

    def entropy(self, alphabet: int) -> float:
        """The estimate in bits per symbol, for `alphabet` different symbols."""
        return predictability(self._hits, self._predictions, self._longest, alphabet)


def predictability(hits: int, predictions: int, longest: int, alphabet: int) -> float:
    """H = -log2 max(P'_global, P_local, 1/k) (SP 800-90B, 6.3.7, steps 5 to 8), in bits per symbol.

    P'_global is the upper 99 % bound of the share of hits; with no hit, 1 - 0.01^(1/N). P_local is the probability
    of a hit with which N predictions have no run of longest + 1 hits with probability 0.99 (Feller 1950, XIII.7).

    Args:
        hits: right predictions.
        predictions: all predictions, N ≥ 2.
        longest: the longest run of right predictions.
        alphabet: k, the number of different symbols.
    """
    everywhere = bound.upper(hits / predictions, predictions) if hits else 1 - 0.01 ** (1 / predictions)
    likeliest = max(everywhere, 1 / alphabet)
    if likeliest < 1:
        run = falling(lambda p: _no_run(p, longest + 1, predictions), _CONFIDENCE, likeliest, 1.0)
        likeliest = likeliest if run is None else run
    return bound.bits(likeliest)


def _no_run(p: float, length: int, trials: int) -> float:
    """The ln of the probability that `trials` trials of probability p contain no run of `length` hits.

    x = 1 + e is the smallest root above 1 of x = 1 + q p^r x^(r+1); e is kept, not x, because it is often below
    the spacing of numbers around 1.
    """
    q = 1 - p
    if q <= 0:
        return -math.inf
    e, steady = 0.0, math.log(q) + length * math.log(p)
    for _ in range(100):
        grown = math.exp(steady + (length + 1) * math.log1p(e))
        if grown - e <= 1e-16 * grown:
            break
        e = grown
    rest, scale = q - p * e, (1 - length * e) * q
    if rest <= 0 or scale <= 0:
        return -math.inf
    return math.log(rest / scale) - (trials + 1) * math.log1p(e)
