import math

Z = 2.5758293035489008
"""The 0.995 quantile of the normal distribution: the ends of a two-sided interval of 99 % (SP 800-90B, 6.3)."""


def upper(probability: float, count: int) -> float:
    """The upper end, at most 1, of the 99 % interval of a probability that was seen in `count` ≥ 2 trials."""
    return min(1.0, probability + Z * math.sqrt(probability * (1 - probability) / (count - 1)))


def bits(probability: float) -> float:
    """Min-entropy -log2(p) of a guess that succeeds with probability 0 < p ≤ 1; never -0.0."""
    return abs(math.log2(probability))
