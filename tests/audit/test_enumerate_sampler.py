from fractions import Fraction

import pytest

from audit.enumerate import BitString, enumerate_sampler, exp_bounds, laplace_bounds
from edge.privacy import sampler
from edge.privacy.bits import Bits


@pytest.mark.parametrize(("scale", "open_at_most"), [(1, 0.08), (2, 0.15), (3, 0.39), (4, 0.31)])
def test_theorem_4_every_string_of_bits_brackets_the_discrete_laplace_law(scale: int, open_at_most: float) -> None:
    masses = enumerate_sampler(lambda source: sampler.sample_discrete_laplace(source, scale), 18)
    assert masses.open < open_at_most
    assert sum(masses.decided.values()) + masses.open == 1
    for z in range(-3 * scale, 3 * scale + 1):
        low, high = laplace_bounds(z, scale)
        mass = masses.decided.get(z, Fraction(0))
        assert mass <= high
        assert mass + masses.open >= low
        assert mass == masses.decided.get(-z, 0)


@pytest.mark.parametrize("scale", [2, 3])
def test_a_sampler_with_half_the_scale_is_caught(scale: int) -> None:
    masses = enumerate_sampler(lambda source: sampler.sample_discrete_laplace(source, scale), 18)
    low, high = laplace_bounds(0, 2 * scale)
    mass = masses.decided[0]
    assert not (mass <= high and mass + masses.open >= low)


def test_a_sampler_that_counts_zero_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(source: Bits, scale: int) -> int:
        while True:
            remainder = sampler.sample_below(source, scale)
            if sampler.sample_bernoulli_exp(source, remainder, scale):
                break
        while sampler.sample_bernoulli_exp(source, 1, 1):
            remainder += scale
        return -remainder if source.bits(1) else remainder

    masses = enumerate_sampler(lambda source: careless(source, 1), 18)
    assert masses.decided[0] > laplace_bounds(0, 1)[1]


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 1), (1, 2), (2, 3), (3, 7), (5, 8)])
def test_lemma_3_the_coin_brackets_the_exponential(numerator: int, denominator: int) -> None:
    masses = enumerate_sampler(lambda source: sampler.sample_bernoulli_exp(source, numerator, denominator), 18)
    low, high = exp_bounds(Fraction(numerator, denominator))
    true = masses.decided.get(True, Fraction(0))
    assert true <= high
    assert true + masses.open >= low
    assert masses.open < Fraction(6, 100)


@pytest.mark.parametrize("bound", [1, 2, 3, 5, 7, 8])
def test_lemma_2_every_value_below_the_bound_has_the_same_mass(bound: int) -> None:
    masses = enumerate_sampler(lambda source: sampler.sample_below(source, bound), 12)
    assert set(masses.decided) == set(range(bound))
    assert len(set(masses.decided.values())) == 1


def test_the_rational_bounds_of_the_exponential_are_close_and_on_both_sides() -> None:
    low, high = exp_bounds(Fraction(1))
    assert low < Fraction(36787944117144232160, 10**20)  # e^-1 = 0.36787944117144232159 5...
    assert high > Fraction(36787944117144232159, 10**20)
    assert high - low < Fraction(1, 10**20)


def test_a_bit_string_gives_its_bits_in_order() -> None:
    source = BitString(0b10110, 5)
    assert [source.bits(1), source.bits(2), source.bits(0), source.bits(2)] == [1, 0b01, 0, 0b10]
