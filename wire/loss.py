"""What a window costs, and what the costs add up to: exact rationals, on the device and with whoever checks.

Two kinds of noise, each with its own currency. For a window with slope λ = range / scale, λ_r of them in a row:

* discrete Laplace of scale t: the loss is at most λ · E for an exposure E (pure ε).
* discrete Gaussian of variance t²: ρ-zCDP with ρ = λ² · Σ e_c² / 2 ≤ λ² · A · E / 2, where e_c is the exposure in one
  cell and A the most that a unit can put there.

So a window costs each frame that it uses λ or λ² · A, the ledger adds up costs frame by frame, and no sum passes
`cost_total`; ε = cost_total · E0 or ρ = cost_total · E0 / 2 follows (docs/proofs/accounting.md).
"""

import math
from collections.abc import Iterator
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from wire.schema import Unit

Noise = Literal["discrete-laplace", "discrete-gaussian"]

DIGITS = 40
"""Of the logarithms that bound ε."""
MICRO = 10**6
"""ε of a ρ is rounded up to millionths."""


def most_pairs(unit: Unit, cell: int, frames: int) -> int:
    """A: the most (pixel, frame) pairs of one unit in one cell of one window.

    In each frame a cell has b² pixels, and the unit touches at most `visits · frames` frames of the N. Each visit has
    at most `pixels` in each frame, wherever they lie. docs/proofs/sensitivity.md, Lemma 6.

    Args:
        unit: what is protected.
        cell: b, side of a cell in pixels.
        frames: N of the window.
    """
    inside = cell**2 * min(frames, unit.visits * unit.frames)
    return min(inside, unit.visits * unit.pixels * min(frames, unit.frames))


def cost(noise: Noise, slope: Fraction, unit: Unit, cell: int, frames: int) -> Fraction:
    """What a window costs each frame that it uses: λ for Laplace, λ² · A for Gaussian noise."""
    return slope if noise == "discrete-laplace" else slope**2 * most_pairs(unit, cell, frames)


def zcdp(cost_total: Fraction, unit: Unit) -> Fraction:
    """ρ of a unit where every frame costs at most this, with Gaussian noise."""
    return cost_total * unit.exposure / 2


def epsilon(noise: Noise, cost_total: Fraction, unit: Unit, delta: Fraction) -> Fraction:
    """ε of a unit where every frame costs at most this; together with δ for Gaussian noise."""
    if noise == "discrete-laplace":
        return cost_total * unit.exposure
    return approximate(zcdp(cost_total, unit), delta)


def approximate(rho: Fraction, delta: Fraction) -> Fraction:
    """An ε for which ρ-zCDP gives (ε, δ)-DP: the least over a grid of orders α, rounded up to a millionth.

    For each α > 1, ε = α·ρ + (ln(1/δ) + (α-1)·ln(α-1) - α·ln α) / (α-1) is valid (Canonne, Kamath, Steinke, NeurIPS
    2020, corollary 13). Logarithms are rounded upwards, so the result is an upper bound, not an approximation.

    Args:
        rho: at least 0.
        delta: above 0 and below 1.

    Raises:
        ValueError: an argument is out of range.
    """
    if rho < 0 or not 0 < delta < 1:
        raise ValueError("rho is at least 0, and delta lies between 0 and 1")
    if not rho:
        return Fraction(0)
    odds = _ln(delta.denominator)[1] - _ln(delta.numerator)[0]
    least = min(rho + beta * rho + (odds + rest) / beta for beta, rest in _orders())
    return max(Fraction(0), Fraction(math.ceil(least * MICRO), MICRO))


def budget(target: Fraction, delta: Fraction) -> Fraction:
    """The largest ρ in steps of 2^-40 of the target whose `approximate` is at most the target ε. Raises ValueError."""
    low, high = 0, 2**40
    while low + 1 < high:
        middle = (low + high) // 2
        if approximate(target * Fraction(middle, 2**40), delta) <= target:
            low = middle
        else:
            high = middle
    return target * Fraction(low, 2**40)


@lru_cache(maxsize=1)
def _orders() -> tuple[tuple[Fraction, Fraction], ...]:
    """For each β = α - 1 of the grid, β and an upper bound of β·ln β - (1+β)·ln(1+β)."""
    return tuple((beta, beta * _ln_ratio(beta)[1] - (1 + beta) * _ln_ratio(1 + beta)[0]) for beta in _grid())


def _grid() -> Iterator[Fraction]:
    """β in steps of at most an eighth, from 2^-7 to 2^26."""
    for exponent in range(-7, 26):
        for eighths in range(8, 16):
            yield Fraction(eighths, 8) * Fraction(2) ** exponent


def _ln_ratio(value: Fraction) -> tuple[Fraction, Fraction]:
    above, below = _ln(value.numerator), _ln(value.denominator)
    return above[0] - below[1], above[1] - below[0]


def _ln(n: int) -> tuple[Fraction, Fraction]:
    """Bounds of ln n for an integer n ≥ 1. `Decimal.ln` is correctly rounded, so its neighbours are on both sides."""
    if n == 1:
        return Fraction(0), Fraction(0)
    context = Context(prec=DIGITS)
    nearest = Decimal(n).ln(context)
    return Fraction(nearest.next_minus(context)), Fraction(nearest.next_plus(context))
