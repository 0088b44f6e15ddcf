"""Exact discrete Laplace samples by integers alone.

Canonne, Kamath and Steinke, "The discrete Gaussian for differential privacy" (NeurIPS 2020, arXiv 2004.00010),
Algorithms 1 and 2 with an integer scale. docs/proofs/noise.md proves each function.
"""

from edge.privacy.bits import Bits


def sample_discrete_laplace(source: Bits, scale: int) -> int:
    """Z with P[Z = z] = (e^(1/t) - 1) / (e^(1/t) + 1) · e^(-|z|/t), t = scale ≥ 1. Any integer may come."""
    while True:
        remainder = sample_below(source, scale)
        if not sample_bernoulli_exp(source, remainder, scale):
            continue
        quotient = 0
        while sample_bernoulli_exp(source, 1, 1):
            quotient += 1
        magnitude = remainder + scale * quotient
        negative = source.bits(1)
        if negative and not magnitude:
            continue
        return -magnitude if negative else magnitude


def sample_bernoulli_exp(source: Bits, numerator: int, denominator: int) -> bool:
    """True with probability exp(-numerator / denominator), for 0 ≤ numerator ≤ denominator, denominator ≥ 1."""
    k = 1
    while sample_below(source, denominator * k) < numerator:
        k += 1
    return k % 2 == 1


def sample_below(source: Bits, bound: int) -> int:
    """Uniform in 0..bound - 1, bound ≥ 1, by rejection. No bits are used where bound is 1."""
    size = (bound - 1).bit_length()
    while True:
        value = source.bits(size)
        if value < bound:
            return value
