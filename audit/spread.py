import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from audit.daemon import open_daemon
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism


@dataclass(frozen=True, slots=True)
class Spread:
    """A chi-square statistic, and what it stays below in 999 of 1000 runs of a right sampler."""

    samples: int
    bins: int
    statistic: float
    limit: float


def compare_with_law(scale: Fraction, samples: int) -> Spread:
    """The noise of one window of a black video, whole scale t, against P[z] = (1 - p) / (1 + p) · p^|z|.

    Bins are the integers with at least 50 expected samples, and one for all others. The limit is Wilson and Hilferty's
    approximation of the chi-square law ("The distribution of chi-square", PNAS 17, 1931).
    """
    rows = math.isqrt(samples)
    columns = samples // rows
    mechanism = Mechanism(LinearLut(1), 1, rows, columns, 1, int(scale))
    with open_daemon(mechanism.slope) as daemon:
        drawn = daemon.release(mechanism, np.zeros((1, rows, columns), np.uint8)).ravel()
    p = math.exp(-1 / scale)
    last = int(scale * math.log(drawn.size * (1 - p) / (1 + p) / 50))
    z = np.arange(-last, last + 1)
    expected = drawn.size * (1 - p) / (1 + p) * p ** np.abs(z)
    inside = drawn[np.abs(drawn) <= last]
    counts = np.bincount(inside + last, minlength=len(z))
    rest = drawn.size - expected.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum() + (drawn.size - inside.size - rest) ** 2 / rest)
    freedom = len(z)
    limit = freedom * (1 - 2 / (9 * freedom) + 3.0902 * math.sqrt(2 / (9 * freedom))) ** 3
    return Spread(drawn.size, len(z) + 1, statistic, limit)
