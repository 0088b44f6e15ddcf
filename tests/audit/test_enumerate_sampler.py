import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest

from audit.enumerate import BitString, enumerate_sampler, exp_bounds, gaussian_bounds, laplace_bounds
from edge.privacy.bits import Bits
from edge.privacy.sampling.coin import sample_below, sample_bernoulli_exp, survives
from edge.privacy.sampling.lanes import Lanes, pack
from edge.privacy.sampling.law import Gaussian, Laplace
from edge.privacy.sampling.sampler import Sampler
from edge.privacy.sampling.table import Widths

TINY = Widths(slots=2, finer=2, deeper=2, coin=2, word=1, floor=4)


@pytest.mark.parametrize("bound", [1, 2, 3, 5, 7, 8])
def test_lemma_2_every_value_below_the_bound_has_the_same_mass(bound: int) -> None:
    masses = enumerate_sampler(lambda source: sample_below(source, bound), 12)
    assert set(masses.decided) == set(range(bound))
    assert len(set(masses.decided.values())) == 1


@pytest.mark.parametrize(
    ("numerator", "denominator"), [(0, 1), (1, 1), (1, 2), (2, 3), (3, 7), (5, 8), (3, 2), (2, 1), (7, 3)]
)
def test_lemma_3_the_coin_brackets_the_exponential(numerator: int, denominator: int) -> None:
    masses = enumerate_sampler(lambda source: sample_bernoulli_exp(source, numerator, denominator), 18)
    low, high = exp_bounds(Fraction(numerator, denominator))
    true = masses.decided.get(True, Fraction(0))
    assert true <= high
    assert true + masses.open >= low
    assert masses.open < Fraction(12, 100)


def test_lemma_3_a_coin_that_goes_on_from_its_second_trial_has_what_is_left() -> None:
    masses = enumerate_sampler(lambda source: survives(source, 2, 3, k=2), 18)
    low, high = exp_bounds(Fraction(2, 3))
    true = masses.decided[True]
    rest = Fraction(2, 3)  # e^-γ = (1 - γ) + γ · P[survives from 2]
    assert (1 - rest) + rest * true <= high
    assert (1 - rest) + rest * (true + masses.open) >= low


TABLES = [([5, 2, 1], 2, 3, 15), ([3, 3, 1, 1], 1, 4, 16), ([7, 5, 3, 1], 2, 4, 16), ([6, 1, 1], 1, 3, 14)]


@pytest.mark.parametrize(("counts", "word", "floor", "depth"), TABLES)
def test_lemma_4_lanes_draw_independent_symbols_and_what_is_left_is_uniform(counts, word, floor, depth) -> None:
    packed, total = pack(np.array(counts, np.uint64)), sum(counts)

    def draw(source: Bits) -> tuple[tuple[int, ...], int, int]:
        lanes = Lanes(source, 1, word=word, floor=floor)
        drawn = tuple(int(lanes.table(packed, 1)[0]) for _ in range(3))
        return drawn, int(lanes._n[0]), int(lanes._x[0])

    bracket(enumerate_sampler(draw, depth), [Fraction(count, total) for count in counts])


@pytest.mark.parametrize("counts", [[2, 1], [1, 2, 3], [3, 1, 1]])
def test_lemma_4_holds_for_any_number_of_slots(counts) -> None:
    starts = np.cumsum([0, *counts], dtype=np.uint64)

    def draw(source: Bits) -> tuple[tuple[int, ...], int, int]:
        lanes = Lanes(source, 1, word=1, floor=3)
        drawn = tuple(int(lanes.below(starts, 1)[0]) for _ in range(3))
        return drawn, int(lanes._n[0]), int(lanes._x[0])

    bracket(enumerate_sampler(draw, 15), [Fraction(count, sum(counts)) for count in counts])


@pytest.mark.parametrize("chance", [0, 1, 3, 4])
def test_lemma_4_holds_for_coins(chance) -> None:
    def draw(source: Bits) -> tuple[tuple[int, ...], int, int]:
        lanes = Lanes(source, 1, word=1, floor=3)
        drawn = tuple(int(lanes.coins(np.array([chance], np.uint64), 2)[0]) for _ in range(3))
        return drawn, int(lanes._n[0]), int(lanes._x[0])

    bracket(enumerate_sampler(draw, 15), [Fraction(4 - chance, 4), Fraction(chance, 4)])


def bracket(masses, probabilities) -> None:
    """Every sequence has its product of probabilities, and given it and n, x is uniform on 0..n - 1."""
    assert masses.open < Fraction(1, 4)
    sequences, states = defaultdict(Fraction), defaultdict(dict)
    for (drawn, n, x), mass in masses.decided.items():
        sequences[drawn] += mass
        states[drawn, n][x] = mass
    for drawn, mass in sequences.items():
        exact = math.prod(probabilities[symbol] for symbol in drawn)
        assert mass <= exact <= mass + masses.open
    for (_, n), left in states.items():
        assert sorted(left) == list(range(n))
        assert len(set(left.values())) == 1


def one_sample(law) -> object:
    sampler = Sampler(law, TINY)
    return lambda source: int(sampler.draw(source, 1)[0])


LAPLACE = [(1, 8, 16, 0.06), (2, 8, 16, 0.1), (Fraction(1, 3), 8, 16, 0.1), (Fraction(7, 5), 8, 16, 0.1)]
LAPLACE += [(2, 1, 14, 0.5), (3, 1, 14, 0.7)]
GAUSSIAN = [(1, 8, 16, 0.03), (2, 8, 16, 0.1), (Fraction(1, 2), 8, 16, 0.1)]
GAUSSIAN += [(4, 1, 14, 0.5), (10, 1, 14, 0.5)]


@pytest.mark.parametrize(("scale", "steps", "depth", "open_at_most"), LAPLACE)
def test_theorem_7_every_string_of_bits_brackets_the_discrete_laplace_law(scale, steps, depth, open_at_most) -> None:
    scale = Fraction(scale)
    masses = enumerate_sampler(one_sample(Laplace(scale, steps)), depth)
    brackets(masses, lambda z: laplace_bounds(z, scale), 4 * math.ceil(scale))
    assert masses.open < open_at_most


@pytest.mark.parametrize(("variance", "steps", "depth", "open_at_most"), GAUSSIAN)
def test_theorem_7_every_string_of_bits_brackets_the_discrete_gaussian_law(
    variance, steps, depth, open_at_most
) -> None:
    variance = Fraction(variance)
    masses = enumerate_sampler(one_sample(Gaussian(variance, steps)), depth)
    brackets(masses, lambda z: gaussian_bounds(z, variance), 3 * math.isqrt(math.ceil(variance)) + 3)
    assert masses.open < open_at_most


LAWS = [Laplace(Fraction(2), 1), Laplace(Fraction(7, 2), 1), Laplace(Fraction(30), 3)]
LAWS += [Gaussian(Fraction(4), 1), Gaussian(Fraction(16), 2), Gaussian(Fraction(400), 3)]


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("step", [0, 1, 4])
def test_lemma_6_a_rest_is_kept_with_the_probability_that_its_law_says(law, step) -> None:
    sampler = Sampler(law, TINY)
    for rest in (0, 1, 1 << law.width):

        def kept(source: Bits, rest: int = rest) -> bool:
            lanes = Lanes(source, 1, word=1, floor=4)
            return not sampler._rejected(np.array([step]), np.array([rest]), lanes, source).size

        masses = enumerate_sampler(kept, 14)
        low, high = exp_bounds(Fraction(*law.exponent(step, rest)))
        mass = masses.decided.get(True, Fraction(0))
        assert mass <= high
        assert mass + masses.open >= low
        assert masses.open < 0.6


def brackets(masses, bounds, far) -> None:
    assert sum(masses.decided.values()) + masses.open == 1
    for z in range(-far, far + 1):
        low, high = bounds(z)
        mass = masses.decided.get(z, Fraction(0))
        assert mass <= high
        assert mass + masses.open >= low


@pytest.mark.parametrize("scale", [2, 3])
def test_a_sampler_with_half_the_scale_is_caught(scale: int) -> None:
    masses = enumerate_sampler(one_sample(Laplace(Fraction(scale))), 16)
    with pytest.raises(AssertionError):
        brackets(masses, lambda z: laplace_bounds(z, Fraction(2 * scale)), 0)


def test_a_sampler_whose_tables_are_one_slot_wrong_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge.privacy.sampling import table

    right = table.masses

    def wrong(law, bits):
        found = right(law, bits)
        slot = 1 << bits >> 4
        return [*found[:1], found[1] - slot, found[2] + slot, *found[3:]] if slot else found

    monkeypatch.setattr(table, "masses", wrong)
    masses = enumerate_sampler(one_sample(Laplace(Fraction(1))), 16)
    with pytest.raises(AssertionError):
        brackets(masses, lambda z: laplace_bounds(z, Fraction(1)), 4)


def test_a_sampler_that_keeps_every_rest_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sampler, "_keeps", lambda *_: True)
    masses = enumerate_sampler(one_sample(Laplace(Fraction(3), 1)), 14)
    with pytest.raises(AssertionError):
        brackets(masses, lambda z: laplace_bounds(z, Fraction(3)), 12)


def test_the_rational_bounds_of_the_exponential_are_close_and_on_both_sides() -> None:
    low, high = exp_bounds(Fraction(1))
    assert low < Fraction(36787944117144232160, 10**20)  # e^-1 = 0.36787944117144232159 5...
    assert high > Fraction(36787944117144232159, 10**20)
    assert high - low < Fraction(1, 10**20)


def test_a_bit_string_gives_its_bits_in_order() -> None:
    source = BitString(0b10110, 5)
    assert [source.bits(1), source.bits(2), source.bits(0), source.bits(2)] == [1, 0b01, 0, 0b10]
    assert BitString(0b10110, 5).words(2, 2).tolist() == [0b10, 0b11]
