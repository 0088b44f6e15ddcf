"""The Rényi divergence of two shifted discrete Gaussians, by interval arithmetic: what zCDP rests on.

For P centred at an integer s and Q at 0, with weights e^(-x² / 2σ²), and any rational order α > 1,

    Σ P(x)^α · Q(x)^(1-α) = e^(α(α-1)s² / 2σ²) · θ(αs) / θ(0),  θ(c) = Σ e^(-(x-c)² / 2σ²) over all integers x,

as α(x-s)² + (1-α)x² = (x-αs)² - α(α-1)s². So the divergence is at most α·s²/2σ² exactly where θ(αs) ≤ θ(0).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from edge.privacy.sampling.exponential import exp_bounds

BITS = 900
VARIANCES = (Fraction(1, 4), Fraction(1), Fraction(10, 3), Fraction(4), Fraction(25))
ORDERS = tuple(Fraction(n, 16) for n in (17, 20, 24, 31, 32, 40, 57, 129, 401, 1024))


@dataclass(frozen=True, slots=True)
class Thetas:
    """How θ(αs) compares with θ(0), for many σ², s and α.

    equal: αs is an integer. below: proved to be less. above: proved to be more. The others are undecided at BITS bits.
    """

    tried: int
    equal: int
    below: int
    above: int

    @property
    def undecided(self) -> int:
        """What is left."""
        return self.tried - self.equal - self.below - self.above


def compare(variances: Iterable[Fraction], shifts: Iterable[int], orders: Iterable[Fraction]) -> Thetas:
    """Every combination, in rationals and with rational bounds of the exponential."""
    shifts, orders = tuple(shifts), tuple(orders)
    tried = equal = below = above = 0
    for variance in variances:
        low, high = theta(variance, Fraction(0))
        for centre in (order * shift for shift in shifts for order in orders):
            tried += 1
            at_least, at_most = theta(variance, centre)
            equal += centre.denominator == 1
            below += centre.denominator != 1 and at_most < low
            above += at_least > high
    return Thetas(tried, equal, below, above)


def theta(variance: Fraction, centre: Fraction) -> tuple[int, int]:
    """Bounds of θ(centre), in units of 2^-BITS.

    θ has period 1, so the centre may be moved next to 0. From m ≥ σ² on, each weight is at most half of the one before,
    since (2m + 1) / 2σ² ≥ 1 > ln 2; so all beyond the last one that is added are at most twice that, on either side.
    """
    centre -= round(centre)
    reach = math.ceil(variance) + math.isqrt(math.ceil(2 * variance * BITS)) + 1
    bounds = [_weight(variance, x - centre) for x in range(-reach, reach + 1)]
    tail = 2 * (bounds[0][1] + bounds[-1][1])
    return sum(low for low, _ in bounds), sum(high for _, high in bounds) + tail


def _weight(variance: Fraction, distance: Fraction) -> tuple[int, int]:
    exponent = distance**2 / (2 * variance)
    return exp_bounds(exponent.numerator, exponent.denominator, BITS)
