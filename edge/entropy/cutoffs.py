import decimal
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

INTERMITTENT, PERMANENT = 30, 60
"""Exponents of alpha: 2^-30 asks for new start-up tests, 2^-60 ends the use of the source (as in jitterentropy)."""
_DIGITS = 60


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Counts at which a test fails, one for each tier; intermittent ≤ permanent."""

    intermittent: int
    permanent: int


def repetition_cutoff(entropy: Fraction, exponent: int) -> int:
    """C = 1 + ⌈-log2(alpha) / H⌉ for alpha = 2^-exponent and H bits of min-entropy in a sample (SP 800-90B, 4.4.1)."""
    return 1 + math.ceil(Fraction(exponent) / entropy)


def proportion_cutoff(window: int, entropy: Fraction, exponent: int) -> int:
    """C = 2 + CRITBINOM(W - 1, 2^-H, 1 - alpha), at most W (SP 800-90B, 4.4.2, as corrected).

    The standard prints 1 + CRITBINOM(W, …), which treats the first sample as one more chance to hit; but the first
    sample of a window is the one that is counted, so only W - 1 samples can hit it (jitterentropy, tests/health).
    """
    return min(window, 2 + binomial_quantile(window - 1, entropy, exponent))


def binomial_quantile(trials: int, entropy: Fraction, exponent: int) -> int:
    """CRITBINOM: the least k with P[X > k] ≤ 2^-exponent, for X ~ Binomial(trials, 2^-entropy).

    The upper tail is summed from its smallest term in 60-digit decimals, so no rounding can move a cutoff that is
    not within 1e-50 of its boundary.
    """
    with decimal.localcontext() as context:
        context.prec = _DIGITS
        hit = Decimal(2) ** -(Decimal(entropy.numerator) / entropy.denominator)
        odds = (1 - hit) / hit
        alpha = Decimal(2) ** -exponent
        term, tail = hit**trials, Decimal(0)
        for hits in range(trials, -1, -1):
            tail += term
            if tail > alpha:
                return hits
            term *= odds * hits / (trials - hits + 1)
    return 0
