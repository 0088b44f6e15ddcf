"""Confidence bounds on ε from counted events. Only these look at numbers that are not exact."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 60


def binomial_tail(n: int, k: int, p: float) -> float:
    """P[Binomial(n, p) ≥ k], for 0 ≤ k ≤ n and p in 0..1."""
    if k <= 0:
        return 1.0
    if p in (0.0, 1.0):
        return p
    # Far from the mean the shorter side is summed, so that nothing is lost by 1 - (almost 1).
    if k > n * p:
        return float(np.exp(_log_masses(n, k, n, p)).sum())
    return 1.0 - float(np.exp(_log_masses(n, 0, k - 1, p)).sum())


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a probability."""

    low: float
    high: float


def clopper_pearson(hits: int, n: int, alpha: float) -> Interval:
    """Bounds that each miss the true probability with a chance of at most alpha / 2.

    Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934): exact, at any n.
    Raises ValueError where hits is not in 0..n.
    """
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} hits of {n}")
    low = 0.0 if hits == 0 else _crossing(lambda p: binomial_tail(n, hits, p), alpha / 2)
    high = 1.0 if hits == n else 1 - _crossing(lambda p: binomial_tail(n, n - hits, p), alpha / 2)
    return Interval(low, high)


def epsilon_interval(hits: int, other_hits: int, n: int, alpha: float) -> Interval:
    """Bounds of ln(P[event | x'] / P[event | x]), in nats, from n trials of each: both hold with chance 1 - alpha.

    The lower one is a lower bound of ε: pure differential privacy allows no event a larger log ratio.
    """
    one, two = (clopper_pearson(count, n, alpha / 2) for count in (hits, other_hits))
    low = -math.inf if one.low == 0 else math.log(one.low / two.high)
    high = math.inf if two.low == 0 else math.log(one.high / two.low)
    return Interval(low, high)


def one_run_epsilon(correct: int, guesses: int, alpha: float) -> float:
    """The largest ε that so many right guesses about independent coins refute, with an error of at most alpha.

    Steinke, Nasr and Jagielski, "Privacy auditing with one (1) training run" (NeurIPS 2023, arXiv 2305.08846),
    Theorem 5.2 with δ = 0: each coin decides whether one canary is in, each guess is made from the release alone, and
    under ε the number of right ones is at most that of as many flips with chance e^ε / (1 + e^ε).
    """
    if correct * 2 <= guesses:
        return 0.0
    chance = _crossing(lambda p: binomial_tail(guesses, correct, p), alpha)
    return max(0.0, math.log(chance / (1 - chance))) if chance < 1 else math.inf


def _crossing(rising: Callable[[float], float], level: float) -> float:
    """The p up to which a rising function of p stays at or below `level`, from below."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) <= level else (low, middle)
    return low


def _log_masses(n: int, first: int, last: int, p: float) -> NDArray[np.float64]:
    """Logarithms of P[Binomial(n, p) = k] for k = first..last, each from the one before."""
    k = np.arange(first, last + 1)
    start = math.lgamma(n + 1) - math.lgamma(first + 1) - math.lgamma(n - first + 1)
    start += first * math.log(p) + (n - first) * math.log1p(-p)
    steps = np.log((n - k[1:] + 1) / k[1:]) + math.log(p) - math.log1p(-p)
    return start + np.concatenate(([0.0], np.cumsum(steps)))
