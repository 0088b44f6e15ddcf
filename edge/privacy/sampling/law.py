"""The laws of the noise as profiles: how the weight of an integer falls with its distance from 0.

A profile works in steps of s = 2^j integers: `weights` are those of the multiples s·h, and `exponent` says how much
less an integer between two multiples weighs. So a table needs a few hundred entries at any scale.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

from edge.privacy.sampling.exponential import exp_bounds

STEPS: Final = 8
"""A scale of at least 2^8 is 2^7 to 2^8 steps long."""
_GUARD = 64


class Law(Protocol):
    """P[z] is proportional to w(|z|), with w(0) = 1 and w falling.

    width: j, the base-2 logarithm of the step s; 0 where the law is narrow enough for one table.
    """

    @property
    def width(self) -> int:
        """j, in 0..57."""
        ...

    def weights(self, bits: int) -> tuple[list[int], int]:
        """Lower bounds of 2^bits · w(s·h) for h = 0, 1, ... down to the last above 0, and an upper bound of all.

        The second is at least 2^bits · Σ w(s·h) over all h ≥ 0. Divided by 2^bits both tend to what they bound.
        """
        ...

    def exponent(self, h: int, rest: int) -> tuple[int, int]:
        """γ ≥ 0 as a ratio of integers, with w(s·h + rest) = w(s·h) · e^-γ, for 0 ≤ rest ≤ s. It rises with rest."""
        ...


@dataclass(frozen=True, slots=True)
class Laplace:
    """Discrete Laplace: w(m) = e^(-m/t), t = scale, a rational number above 0 and at most 2^64.

    steps: other numbers of steps are for proofs by exhaustion.
    """

    scale: Fraction
    steps: int = STEPS

    def __post_init__(self) -> None:
        """Raise ValueError for a scale that is out of range."""
        if not 0 < self.scale <= 2**64:
            raise ValueError("a scale is above 0 and at most 2^64")

    @property
    def width(self) -> int:
        """As Law.width."""
        return max(0, math.floor(self.scale).bit_length() - self.steps)

    def weights(self, bits: int) -> tuple[list[int], int]:
        """As Law.weights. The sum is that of a geometric series."""
        precision = bits + _GUARD
        low, high = exp_bounds(self.scale.denominator << self.width, self.scale.numerator, precision)
        powers, power = [], 1 << precision
        while power >> _GUARD:
            powers.append(power >> _GUARD)
            power = power * low >> precision
        total = -(-(1 << precision + bits) // ((1 << precision) - high))
        return powers, total

    def exponent(self, h: int, rest: int) -> tuple[int, int]:  # noqa: ARG002 - Law: here h does not matter
        """As Law.exponent: rest / t."""
        return rest * self.scale.denominator, self.scale.numerator


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Discrete Gaussian: w(m) = e^(-m²/(2σ²)), σ² = variance, a rational number above 0 and at most 2^128.

    steps: other numbers of steps are for proofs by exhaustion.
    """

    variance: Fraction
    steps: int = STEPS

    def __post_init__(self) -> None:
        """Raise ValueError for a variance that is out of range."""
        if not 0 < self.variance <= 2**128:
            raise ValueError("a variance is above 0 and at most 2^128")

    @property
    def width(self) -> int:
        """As Law.width."""
        return max(0, math.isqrt(math.floor(self.variance)).bit_length() - self.steps)

    def weights(self, bits: int) -> tuple[list[int], int]:
        """As Law.weights. w(s(h+1)) = w(sh) · r_h and r_(h+1) = r_h · q, with r_0 = e^-c, q = e^-2c, c = s²/(2σ²).

        From the first weight that is left out the ratios are at most r, so all of those are at most it / (1 - r).
        """
        precision = bits + _GUARD
        numerator, denominator = self.exponent(0, 1 << self.width)
        ratio_low, ratio = exp_bounds(numerator, denominator, precision)
        square_low, square = exp_bounds(2 * numerator, denominator, precision)
        weights, total = [], 0
        low = high = 1 << precision
        while low >> _GUARD:
            weights.append(low >> _GUARD)
            total += high
            low, high = low * ratio_low >> precision, -(-high * ratio >> precision)
            ratio_low, ratio = ratio_low * square_low >> precision, -(-ratio * square >> precision)
        total += -(-(high << precision) // ((1 << precision) - ratio))
        return weights, -(-total >> _GUARD)

    def exponent(self, h: int, rest: int) -> tuple[int, int]:
        """As Law.exponent: (2·s·h·rest + rest²) / (2σ²)."""
        scaled = ((h << self.width + 1) + rest) * rest
        return scaled * self.variance.denominator, 2 * self.variance.numerator
