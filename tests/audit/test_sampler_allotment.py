"""How likely a draw is to need more than its allotment, by Chernoff's bound on the law of what it needs.

A draw that takes X bits in all takes more than B with a probability of at most E 2^(aX) / 2^(aB), for every a > 0. Each
figure here is the logarithm of such an expectation, for one sample, with what may add to its cost taken at its worst.
"""

import math
from fractions import Fraction

import numpy as np
import pytest

from edge.privacy.sampling.allotment import allotment
from edge.privacy.sampling.law import Gaussian, Laplace
from edge.privacy.sampling.sampler import Sampler, lanes_for

COUNTS = (1, 4, 12, 70, 300, 1200, 2000, 20_000, 300_000)
LAWS = [Laplace(Fraction(scale)) for scale in ("1/3", "1", "8", "60", "128", "255", "1023/4")]
LAWS += [Laplace(Fraction(scale)) for scale in (256, 511, 2**29 + 1, 628531200, 2**64)]
LAWS += [Laplace(Fraction(2**64 - 1, 2**55 + 1)), Gaussian(Fraction(2**127 + 1, 2**100 + 1))]
LAWS += [Gaussian(Fraction(variance)) for variance in (1, 60**2, 200**2, 255**2, 256**2, 2**128)]
TILTS = [0.48 * 1.13**-k for k in range(45)]
REALIGNED = 21
"""Bits that may be skipped in a round so that words begin at a byte: before rests, coins and symbols."""


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_an_allotment_is_passed_with_a_probability_below_2_to_the_minus_60(law) -> None:
    sampler = Sampler(law)
    costs = [(tilt, *cost_of_a_sample(sampler, tilt)) for tilt in TILTS]
    for count in COUNTS:
        most = 8 * allotment(sampler, count) - 64 * lanes_for(count) - REALIGNED * (2 + (count >> 16))
        shallow = min(count * math.log2(usual) - tilt * most for tilt, usual, _ in costs if usual < math.inf)
        deep = min(
            some_deep(count, usual, more) - tilt * most for tilt, usual, more in costs if usual + more < math.inf
        )
        assert 2**shallow + 2**deep < 2**-60


def some_deep(count: int, usual: float, more: float) -> float:
    """log2 of (usual + more)^count - usual^count or more: the part of draws in which a table beyond two was used."""
    return math.log2(count * more) + (count - 1) * math.log2(usual + more)


def cost_of_a_sample(sampler: Sampler, tilt: float) -> tuple[float, float]:
    """E 2^(tilt · bits) of a sample that two tables settle, and what those that need more of them add to it."""
    law, table, widths = sampler.law, sampler.table, sampler.widths
    order = 1 - tilt
    first = table.counts.astype(float) / 2**widths.slots
    total = float(table._starts[-1])
    second = np.diff(table._starts).astype(float) / total
    escape = first[-1] ** order * stripes(tilt, total / 2**widths.floor)
    symbols = escape * np.where(second > 0, second**order, 0)
    deep = symbols[-1] * uniform(tilt, table._open << widths.deeper) * 2 ** (7 * tilt) * 1.0001
    symbols = symbols[:-1]
    symbols[: len(first) - 1] += np.where(first[:-1] > 0, first[:-1] ** order, 0)
    every = stripes(tilt, 2.0 ** (widths.slots - widths.floor))
    if not law.width:
        return every * symbols.sum(), every * deep
    every *= stripes(tilt, 2.0 ** (widths.coin - widths.floor)) * 2 ** (tilt * law.width)
    rests = [cost_of_a_rest(sampler, h, tilt) for h in range(table.steps)]
    kept, redrawn = symbols @ np.repeat(rests, 2, axis=0)[: len(symbols)]
    denominator = law.exponent(0, 1)[1]
    last = deep * uniform(tilt, denominator) * uniform(tilt, 2 * denominator)
    usual = rounds(every * kept, every * redrawn)
    return usual, rounds(every * (kept + deep), every * (redrawn + last)) - usual if last < math.inf else math.inf


def cost_of_a_rest(sampler: Sampler, step: int, tilt: float) -> tuple[float, float]:
    """The coin of a rest and what looking at it takes, where it is kept and where all is redrawn.

    γ is at most that of the largest rest, and on average at most half of it.
    """
    chance, coin = int(sampler._chances[step]), sampler.widths.coin
    assert chance < 1 << coin
    numerator, denominator = sampler.law.exponent(step, 1 << sampler.law.width)
    gamma = numerator / denominator
    look = (chance / 2**coin) ** (1 - tilt) * uniform(tilt, denominator * chance)
    third = (1 - gamma / 3) + gamma / 3 * uniform(tilt, denominator * 4) * 1.01
    goes_on = uniform(tilt, denominator * 2) * ((1 - gamma / 2) + gamma / 2 * uniform(tilt, denominator * 3) * third)
    kept = (1 - chance / 2**coin) ** (1 - tilt) + look / 2 * (1 + goes_on * gamma / 2)
    return kept, look / 2 * goes_on * 2 ** (REALIGNED * tilt)


def rounds(kept: float, redrawn: float) -> float:
    """Rounds until one is kept."""
    return kept / (1 - redrawn) if redrawn < 1 else math.inf


def stripes(tilt: float, share: float) -> float:
    """What lanes pay for a last stripe that is not whole, `share` of what they hold at most."""
    share = min(share, 0.5)
    return (1 - share) ** (1 - tilt) / (1 - share ** (1 - tilt))


def uniform(tilt: float, bound: int) -> float:
    """E 2^(tilt · bits) of a uniform draw by rejection."""
    size = (bound - 1).bit_length()
    accepted, each = Fraction(bound, 1 << size), 2.0 ** (tilt * size)
    more = float(1 - accepted) * each
    return float(accepted) * each / (1 - more) if more < 1 else math.inf
