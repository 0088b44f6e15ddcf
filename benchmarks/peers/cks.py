"""Discrete Laplace and Gaussian as published by Canonne, Kamath and Steinke (arXiv 2004.00010), Algorithms 1 to 3.

One sample at a time, with integers of Python. Written from the paper for comparison and as a second opinion in tests;
it shares nothing with the product.
"""

import math
from collections.abc import Callable
from fractions import Fraction

Below = Callable[[int], int]


class CountedBits:
    """Uniform integers from bytes, counting the bits they take."""

    def __init__(self, take: Callable[[int], bytes]) -> None:
        self._take = take
        self._value = self._held = self.used = 0

    def below(self, bound: int) -> int:
        size = (bound - 1).bit_length()
        while True:
            while self._held < size:
                self._value, self._held = (
                    self._value << 4096 | int.from_bytes(self._take(512), "big"),
                    self._held + 4096,
                )
            self._held -= size
            self.used += size
            drawn, self._value = self._value >> self._held, self._value & ((1 << self._held) - 1)
            if drawn < bound:
                return drawn


def bernoulli_exp(below: Below, gamma: Fraction) -> bool:
    """Algorithm 1."""
    while gamma > 1:
        if not bernoulli_exp(below, Fraction(1)):
            return False
        gamma -= 1
    k = 1
    while below(gamma.denominator * k) < gamma.numerator:
        k += 1
    return k % 2 == 1


def laplace(below: Below, scale: Fraction) -> int:
    """Algorithm 2: scale t / s in lowest terms."""
    t, s = scale.numerator, scale.denominator
    while True:
        u = below(t)
        if not bernoulli_exp(below, Fraction(u, t)):
            continue
        v = 0
        while bernoulli_exp(below, Fraction(1)):
            v += 1
        magnitude = (u + t * v) // s
        negative = below(2)
        if not (negative and magnitude == 0):
            return -magnitude if negative else magnitude


def gaussian(below: Below, variance: Fraction) -> int:
    """Algorithm 3."""
    t = math.isqrt(math.floor(variance)) + 1
    while True:
        y = laplace(below, Fraction(t))
        if bernoulli_exp(below, (abs(y) - variance / t) ** 2 / (2 * variance)):
            return y
