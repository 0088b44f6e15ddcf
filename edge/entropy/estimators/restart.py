import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators.assess import LEAST, assess
from edge.entropy.estimators.progress import Progress, silent, within

RESTARTS = 1000
SAMPLES = 1000
"""Restarts, and samples from the beginning of each (SP 800-90B, 3.1.4.1)."""
_SIGNIFICANCE = 0.01
"""Probability with which a sound source fails the check, shared among all rows and columns (3.1.4.3)."""


@dataclass(frozen=True, slots=True)
class RestartCheck:
    """What restarts say (SP 800-90B, 3.1.4).

    entropy: H, bits per sample that were assumed. largest: the greatest count of a value in a row or column, which
    must stay below `cutoff`. rows, columns: estimates of all samples row by row and column by column, in bits per
    sample, which must reach H / 2; None where there are too few samples for them.
    """

    restarts: int
    samples: int
    entropy: float
    largest: int
    cutoff: int
    rows: float | None
    columns: float | None

    @property
    def passed(self) -> bool:
        """Whether both the sanity check (3.1.4.3) and the validation test (3.1.4.2) allow the entropy assumed."""
        return self.largest < self.cutoff and 2 * self.validated >= self.entropy

    @property
    def validated(self) -> float:
        """The least of H and the two estimates, in bits per sample."""
        return min(each for each in (self.entropy, self.rows, self.columns) if each is not None)


def restart_check(
    matrix: NDArray[np.uint8],
    entropy: float,
    sample_bits: int = 8,
    *,
    bit_limit: int | None = None,
    progress: Progress = silent,
) -> RestartCheck:
    """Look for what comes back with each restart (SP 800-90B, 3.1.4).

    A value of a source with H bits per sample comes with probability at most 2^-H. In no row (one restart) and no
    column (the same place in all restarts) may any value be so common that the binomial tail says less than
    alpha = 0.01 / (2^H (rows + columns)): no more than 2^H values can be that likely. Then all estimators assess the
    samples row by row and column by column, where there are enough of them.

    Args:
        matrix: (restarts, samples) uint8, row by row as the source gave it after each restart; at least 2 by 2.
        entropy: H, bits per sample of the assessment, 0 or more.
        sample_bits: 1 to 8.
        bit_limit: as in assess().
        progress: told what is being done.
    """
    restarts, samples = matrix.shape
    rows = max(int(np.bincount(row).max()) for row in matrix)
    columns = max(int(np.bincount(column).max()) for column in matrix.T)
    alpha = _SIGNIFICANCE / (min(1 << sample_bits, math.ceil(2.0**entropy)) * (restarts + samples))
    cuts = [tail_cutoff(size, entropy, alpha) for size in (samples, restarts)]
    # Rows and columns are equally long in the standard; where not, the side that is nearer its cutoff is reported.
    largest, cutoff = max(zip((rows, columns), cuts, strict=True), key=lambda side: side[0] - side[1])
    by_rows = by_columns = None
    if matrix.size >= LEAST:
        by_rows = assess(matrix.ravel(), sample_bits, bit_limit=bit_limit, progress=within(progress, 0.0, 0.5)).entropy
        transposed = matrix.T.ravel()
        by_columns = assess(transposed, sample_bits, bit_limit=bit_limit, progress=within(progress, 0.5, 1.0)).entropy
        transposed.fill(0)
    return RestartCheck(restarts, samples, entropy, largest, cutoff, by_rows, by_columns)


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
