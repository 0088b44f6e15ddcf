"""e^-x in integers, from below and from above, as closely as one asks."""


def exp_bounds(numerator: int, denominator: int, bits: int) -> tuple[int, int]:
    """Integers low ≤ 2^bits · e^(-numerator / denominator) ≤ high. docs/proofs/noise.md, section 3.

    numerator ≥ 0, denominator ≥ 1. For x = numerator / denominator ≤ 1 they differ by less than 2^8 for up to 1000
    bits, and by at most twice as much for each halving that brings x below 1.
    """
    halvings = 0
    while numerator > denominator << halvings:
        halvings += 1
    low, high = _alternating(numerator, denominator << halvings, bits)
    for _ in range(halvings):
        low, high = low * low >> bits, -(-high * high >> bits)
    return low, high


def _alternating(numerator: int, denominator: int, bits: int) -> tuple[int, int]:
    """The series 1 - x + x²/2! - ... for 0 ≤ x ≤ 1, whose terms fall, up to the first that is below 1."""
    low = high = 0
    term_low = term_high = 1 << bits
    k = 0
    while term_high > 1:
        if k % 2:
            low, high = low - term_high, high - term_low
        else:
            low, high = low + term_low, high + term_high
        k += 1
        term_low = term_low * numerator // (denominator * k)
        term_high = -(-term_high * numerator // (denominator * k))
    return max(0, low - 1), min(1 << bits, high + 1)
