"""How far the sums of a difference of maps get by chance: Chernoff's bound for noise of a known law.

Noise of a cell is a weighted sum of independent noises of releases, each Laplace, or Gaussian, which has lighter
tails. With variance v, of which no release has more than v/k, its cumulant generating function is at most
-k · ln(1 - v·u²/(2k)): that of k Laplace noises alike, for -ln(1 - x)/x grows with x. The discrete Laplace law of a
mechanism with scale t exceeds the continuous one by terms in 1/t², t being at least 1000 in every profile.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FRACTIONS = np.linspace(0.1, 1.0, 10)
"""Of the exponent that is best for Gaussian noise, and of the largest: any gives a bound, and the least is taken."""


def log_chance(sums: float, deviations: NDArray[np.float64], parts: float) -> float:
    """At least ln P[Σ e ≥ sums] for independent e of these standard deviations, each of `parts` Laplace noises."""
    variance = float(deviations @ deviations)
    if sums <= 0 or variance <= 0:
        return 0.0
    limit = 0.999 * math.sqrt(2 * parts) / float(np.abs(deviations).max())
    exponents = np.concatenate([np.minimum(FRACTIONS * sums / variance, limit), FRACTIONS * limit])
    cumulants = -parts * np.log1p(-np.outer(exponents**2, deviations**2) / (2 * parts)).sum(axis=1)
    return min(0.0, float((cumulants - exponents * sums).min()))


@lru_cache(maxsize=64)
def threshold(cells: int, parts: float, log_chance_of_one: float) -> float:
    """What the sum of `cells` noises of unit variance, over √cells, exceeds with a chance of at most e^log_chance.

    The bound is -K · ln(1 - s²/(2K)) - s·c with K = cells · parts, least at s = K · (√(1 + 2c²/K) - 1) / c.
    """
    low, high = 0.0, 2.0
    while _log_chance_of_mean(high, cells * parts) > log_chance_of_one:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        if _log_chance_of_mean(middle, cells * parts) > log_chance_of_one:
            low = middle
        else:
            high = middle
    return high


def _log_chance_of_mean(c: float, parts: float) -> float:
    if c <= 0:
        return 0.0
    s = parts * (math.sqrt(1 + 2 * c * c / parts) - 1) / c
    return -parts * math.log1p(-s * s / (2 * parts)) - s * c
