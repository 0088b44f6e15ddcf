"""Exact draws one at a time, by integers alone, for the few samples that a table does not settle.

Canonne, Kamath and Steinke, "The discrete Gaussian for differential privacy" (NeurIPS 2020, arXiv 2004.00010),
Algorithm 1. docs/proofs/noise.md proves each function.
"""

from edge.privacy.bits import Bits


def sample_below(source: Bits, bound: int) -> int:
    """Uniform in 0..bound - 1, bound ≥ 1, by rejection. No bits are used where bound is 1."""
    size = (bound - 1).bit_length()
    while True:
        value = source.bits(size)
        if value < bound:
            return value


def sample_bernoulli_exp(source: Bits, numerator: int, denominator: int) -> bool:
    """True with probability exp(-numerator / denominator), numerator ≥ 0, denominator ≥ 1."""
    while numerator > denominator:
        if not survives(source, 1, 1):
            return False
        numerator -= denominator
    return survives(source, numerator, denominator)


def survives(source: Bits, numerator: int, denominator: int, k: int = 1) -> bool:
    """Whether the first k' ≥ k with no event of probability γ / k' is odd, γ = numerator / denominator ≤ k.

    With k = 1 that has probability e^-γ; k = 2 goes on where an event of probability γ has happened already.
    """
    while sample_below(source, denominator * k) < numerator:
        k += 1
    return k % 2 == 1
