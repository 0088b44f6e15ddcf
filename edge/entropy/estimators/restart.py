import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESTARTS = 1000
SAMPLES = 1000
"""Restarts, and samples from the beginning of each (SP 800-90B, 3.1.4.1)."""
_SIGNIFICANCE = 0.01
"""Probability with which a sound source fails the check, shared among all rows and columns (3.1.4.3)."""


@dataclass(frozen=True, slots=True)
class RestartCheck:
    """The sanity check of restarts (SP 800-90B, 3.1.4.3): `largest` count of a value in a row or column.

    passed: `largest` is below `cutoff`. entropy: bits per sample that were assumed.
    """

    restarts: int
    samples: int
    entropy: float
    largest: int
    cutoff: int

    @property
    def passed(self) -> bool:
        """Whether no value is commoner at the same place, or in one restart, than the entropy allows."""
        return self.largest < self.cutoff


def restart_check(matrix: NDArray[np.uint8], entropy: float, *, alphabet: int = 256) -> RestartCheck:
    """Look for values that come back with each restart (SP 800-90B, 3.1.4.3).

    A value of a source with H bits per sample comes with probability at most 2^-H. In no row (one restart) and no
    column (the same place in all restarts) may any value be so common that the binomial tail says less than
    alpha = 0.01 / (k (rows + columns)), k being the number of possible values.

    Args:
        matrix: (restarts, samples) uint8, row by row as the source gave it after each restart; at least 2 by 2.
        entropy: H, bits per sample of the assessment, 0 or more.
        alphabet: k, possible values of a sample.
    """
    restarts, samples = matrix.shape
    rows = max(int(np.bincount(row).max()) for row in matrix)
    columns = max(int(np.bincount(column).max()) for column in matrix.T)
    alpha = _SIGNIFICANCE / (alphabet * (restarts + samples))
    cuts = [tail_cutoff(size, entropy, alpha) for size in (samples, restarts)]
    # Rows and columns are equally long in the standard; where not, the side that is nearer its cutoff is reported.
    largest, cutoff = max(zip((rows, columns), cuts, strict=True), key=lambda side: side[0] - side[1])
    return RestartCheck(restarts, samples, entropy, largest, cutoff)


def tail_cutoff(trials: int, entropy: float, alpha: float) -> int:
    """The least count c with P[X ≥ c] < alpha, X ~ Binomial(trials, 2^-entropy); trials + 1 if there is none."""
    cutoff, tail = trials + 1, 0.0
    for count, probability in _from_the_top(trials, 2.0**-entropy):
        tail += probability
        if tail >= alpha:
            break
        cutoff = count
    return cutoff


def _from_the_top(trials: int, hit: float) -> Iterator[tuple[int, float]]:
    if hit >= 1:
        yield trials, 1.0
        return
    ln_hit, ln_miss = math.log(hit), math.log1p(-hit)
    for count in range(trials, -1, -1):
        ways = math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
        yield count, math.exp(ways + count * ln_hit + (trials - count) * ln_miss)
