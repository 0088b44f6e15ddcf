"""The samplers at the widths that are used: bounds, laws, cost, and that the same bits give the same noise."""

import copy
import itertools
import math
import pickle
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.enumerate import exp_bounds as rational_bounds
from edge.errors import EntropyUnavailable, Reason, SecretError
from edge.privacy.bits import BitSource
from edge.privacy.sampling.allotment import allotment, renyi_half
from edge.privacy.sampling.exponential import exp_bounds
from edge.privacy.sampling.lanes import Lanes, pack
from edge.privacy.sampling.law import Gaussian, Laplace
from edge.privacy.sampling.sampler import Sampler, lanes_for
from edge.privacy.sampling.table import Widths, finer, masses

SCALES = [Fraction(1, 10), Fraction(1), Fraction(7, 3), Fraction(40), Fraction(255), Fraction(256), Fraction(1000, 3)]
SCALES += [Fraction(628531200), Fraction(2**40 + 1, 3), Fraction(2**63), Fraction(2**64)]
LAWS = [Laplace(scale) for scale in SCALES] + [Gaussian(scale**2) for scale in SCALES]


def bits(seed: int = 1, allotment: int = 4096) -> BitSource:
    generator = random.Random(seed)
    held = bytearray()

    def take(n: int) -> bytearray:
        while len(held) < n:
            held.extend(generator.randbytes(4096))
        taken = held[:n]
        del held[:n]
        return taken

    return BitSource(take, allotment)


@given(st.integers(0, 10**6), st.integers(1, 10**5), st.integers(1, 300))
@example(22, 1, 2)
@example(1, 1, 1000)
@example(0, 1, 1)
def test_the_integer_bounds_enclose_the_exponential(numerator: int, denominator: int, precision: int) -> None:
    numerator %= 40 * denominator
    low, high = exp_bounds(numerator, denominator, precision)
    below, above = rational_bounds(Fraction(numerator, denominator), 60)
    assert low <= above * 2**precision
    assert high >= below * 2**precision
    halvings = max(0, math.ceil(math.log2(max(1, numerator) / denominator)))
    assert 0 <= low <= high <= 2**precision
    assert high - low < 2 ** (8 + halvings)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_masses_are_nested_and_leave_ever_less_open(law) -> None:
    known, left = masses(law, 18), []
    for at in (18, 32, 64, 96):
        left.append(1 - Fraction(sum(known), 2**at))
        deeper = finer(law, at, known, {18: 14, 32: 32, 64: 32, 96: 1}[at])
        assert all(
            new >= old << (14 if at == 18 else 32 if at < 96 else 1) for new, old in zip(deeper, known, strict=False)
        )
        known = deeper
    assert all(0 <= after < before / 1000 for before, after in itertools.pairwise(left))


@pytest.mark.parametrize("law", [law for law in LAWS if law.width], ids=str)
def test_a_large_scale_is_cut_into_steps_and_weights_fall_with_every_rest(law) -> None:
    assert 64 < len(law.weights(16)[0]) < 4096
    for step in (0, 5, 300):
        exponents = [Fraction(*law.exponent(step, rest)) for rest in (0, 1, 1 << law.width)]
        assert exponents[0] == 0
        assert exponents == sorted(set(exponents))
    weights, total = law.weights(64)
    low, _ = rational_bounds(Fraction(*law.exponent(0, 1 << law.width)))
    assert abs(Fraction(weights[1], 2**64) - low) < Fraction(1, 2**60)
    assert sum(weights) <= total


@pytest.mark.parametrize("scale", [Fraction(0), Fraction(-1), Fraction(2**64 + 1)])
def test_a_scale_out_of_range_is_refused(scale: Fraction) -> None:
    with pytest.raises(ValueError):
        Laplace(scale)
    with pytest.raises(ValueError):
        Gaussian(Fraction(2**128 + 1) if scale > 1 else scale)


def test_widths_that_would_starve_a_lane_are_refused() -> None:
    for wrong in ({"slots": 19}, {"finer": 15}, {"coin": 33}, {"word": 33}, {"word": 0}, {"deeper": 0}):
        with pytest.raises(ValueError):
            Widths(**wrong)


@pytest.mark.parametrize("wrong", [{"word": 33}, {"word": 0}, {"floor": 33}])
def test_lanes_that_would_overflow_are_refused(wrong) -> None:
    with pytest.raises(ValueError):
        Lanes(bits(), 4, **wrong)


def test_lanes_that_are_too_narrow_for_a_table_are_refused() -> None:
    for law in (Laplace(Fraction(5)), Laplace(Fraction(5000))):
        with pytest.raises(ValueError):
            Sampler(law).draw(bits(), 100, Lanes(bits(), 16, floor=17))


@pytest.mark.parametrize("law", [Laplace(Fraction(5)), Laplace(Fraction(5000))], ids=str)
def test_wider_lanes_draw_the_same_law(law) -> None:
    drawn = Sampler(law).draw(bits(), 100_000, Lanes(bits(), 64, word=16, floor=48))
    assert abs(np.abs(drawn).mean() / float(law.scale) - 1) < 0.02


def test_no_samples_are_an_empty_array() -> None:
    for law in (Laplace(Fraction(5)), Gaussian(Fraction(10**6))):
        assert Sampler(law).draw(bits(), 0).shape == (0,)


@pytest.mark.parametrize("counts", [[], [3], [1] * 2**16 + [2**16], [2**24]])
def test_a_table_that_cannot_be_packed_is_refused(counts) -> None:
    with pytest.raises(ValueError):
        pack(np.array(counts, np.uint64))


@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(1), Fraction(8), Fraction(70), Fraction(200)])
def test_samples_of_a_narrow_laplace_law_pass_a_chi_square_test(scale: Fraction) -> None:
    ratio = math.exp(-1 / scale)
    chance = lambda z: (1 - ratio) / (1 + ratio) * ratio ** abs(z)  # noqa: E731
    chi_square(Sampler(Laplace(scale)).draw(bits(), 400_000), chance)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 9.0, 100.0])
def test_samples_of_a_narrow_gaussian_law_pass_a_chi_square_test(sigma: float) -> None:
    variance = Fraction(sigma) ** 2
    total = sum(math.exp(-z * z / 2 / float(variance)) for z in range(-2000, 2001))
    chi_square(
        Sampler(Gaussian(variance)).draw(bits(), 400_000), lambda z: math.exp(-z * z / 2 / float(variance)) / total
    )


def chi_square(drawn, chance) -> None:
    values, found = np.unique(drawn, return_counts=True)
    seen = dict(zip(values.tolist(), found.tolist(), strict=True))
    cells = [z for z in range(-1500, 1501) if chance(z) * drawn.size > 20]
    expected = np.array([chance(z) * drawn.size for z in cells])
    got = np.array([seen.get(z, 0) for z in cells])
    score = ((got - expected) ** 2 / expected).sum()
    assert abs(score - len(cells)) < 6 * math.sqrt(2 * len(cells))


@pytest.mark.parametrize("scale", [256, 5000, 628531200, 2**40, 2**58])
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_samples_of_a_wide_law_have_its_distribution_function(kind: str, scale: int) -> None:
    """Kolmogorov's distance of 200,000 samples stays below 0.0055 (p = 1e-5), and so does that of the rests."""
    law = Laplace(Fraction(scale)) if kind == "laplace" else Gaussian(Fraction(scale) ** 2)
    drawn = Sampler(law).draw(bits(9), 200_000)
    x = np.sort(drawn).astype(np.float64) / scale
    if kind == "laplace":
        exact = np.where(x < 0, 0.5 * np.exp(x), 1 - 0.5 * np.exp(-x))
    else:
        exact = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])
    assert np.abs(exact - np.arange(1, x.size + 1) / x.size).max() < 0.0055 + 1 / scale
    rests = np.sort(drawn & ((1 << law.width) - 1)) / (1 << law.width)
    assert np.abs(rests - np.arange(1, x.size + 1) / x.size).max() < 0.0055 + 1 / (1 << law.width)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_same_bits_give_the_same_samples_and_never_more_than_the_allotment(law) -> None:
    sampler = Sampler(law)
    for count in (1, 5, 300):
        source, again = bits(3, allotment(sampler, count)), bits(3, allotment(sampler, count))
        drawn = sampler.draw(source, count)
        assert drawn.shape == (count,)
        assert drawn.dtype == np.int64
        assert (drawn == sampler.draw(again, count)).all()
        assert source.taken == allotment(sampler, count)


def test_samples_do_not_depend_on_how_bytes_are_handed_out() -> None:
    sampler = Sampler(Laplace(Fraction(10**6)))
    assert (sampler.draw(bits(5, 1), 3000) == sampler.draw(bits(5, 10**6), 3000)).all()


GOLDEN = {
    Laplace(Fraction(1)): [0, 0, -1, 0, -1, 2],
    Laplace(Fraction(7, 3)): [1, 1, 2, 0, 2, -6],
    Laplace(Fraction(628531200)): [-347575690, -293838493, -575070351, 149512329, 581904839, 1626591654],
    Laplace(Fraction(2**64)): [
        8233516591559244943,
        8687062709662030972,
        1447674830497944164,
        4353234630755114563,
        -1403834793529710558,
        -7666708717283949504,
    ],
    Gaussian(Fraction(4)): [1, -1, -2, -1, -2, -4],
    Gaussian(Fraction(10**12, 7)): [212722, 185737, -317556, 102044, 319708, 671886],
}


@pytest.mark.parametrize("law", GOLDEN, ids=str)
def test_fixed_bits_give_fixed_samples(law) -> None:
    assert Sampler(law).draw(bits(42), 6).tolist() == GOLDEN[law]


COSTS = [
    (Laplace(Fraction(8)), 5.4415, 0.05),
    (Laplace(Fraction(64)), 8.4427, 0.05),
    (Gaussian(Fraction(64)), 5.0471, 0.05),
]
COSTS += [(Laplace(Fraction(2) ** k), math.log2(2 * math.e) + k, 1.2) for k in (10, 20, 30, 40)]
COSTS += [(Gaussian(Fraction(4) ** k), math.log2(math.sqrt(2 * math.pi * math.e)) + k, 1.4) for k in (10, 40)]


@pytest.mark.parametrize(("law", "entropy", "more"), COSTS, ids=str)
def test_a_sample_takes_hardly_more_bits_than_its_shannon_entropy(law, entropy: float, more: float) -> None:
    count = 1 << 20
    source = bits(2, 1 << 20)
    sampler = Sampler(law)
    lanes = Lanes(source, lanes_for(count))
    before = source.used
    sampler.draw(source, count, lanes)
    assert entropy - 0.02 < (source.used - before) / count < entropy + more


@pytest.mark.parametrize(
    "law", [Laplace(Fraction(8)), Laplace(Fraction(628531200)), Gaussian(Fraction(10**8))], ids=str
)
@pytest.mark.parametrize("count", [1, 70, 1200])
def test_an_allotment_is_enough(law, count: int) -> None:
    sampler, most = Sampler(law), 0
    for seed in range(40):
        source = bits(seed, allotment(sampler, count))
        sampler.draw(source, count)
        most = max(most, source.used)
    assert most < 8 * allotment(sampler, count)


ALLOTMENTS = {
    Laplace(Fraction(8)): [313, 1337, 233696],
    Laplace(Fraction(255)): [298, 2084, 428586],
    Laplace(Fraction(628531200)): [1166, 6438, 1326019],
    Gaussian(Fraction(10**12, 7)): [1250, 4847, 897062],
}


@pytest.mark.parametrize("law", ALLOTMENTS, ids=str)
def test_how_many_bytes_a_law_and_a_count_are_given_is_fixed(law) -> None:
    assert [allotment(Sampler(law), count) for count in (1, 1200, 307_200)] == ALLOTMENTS[law]


def test_the_renyi_entropy_of_a_table_is_that_of_its_shares() -> None:
    for counts in ([4, 4, 4, 4], [1, 15], [9, 3, 3, 1]):
        exact = 2 * math.log2(sum(math.sqrt(count / 16) for count in counts))
        assert 16 * exact <= renyi_half(np.array(counts, np.uint64)) <= 16 * exact + 2.001


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_the_state_of_a_sampler_cannot_be_copied_stored_or_printed(way) -> None:
    lanes = Lanes(bits(), 4)
    with pytest.raises(SecretError):
        way(lanes)
    assert repr(lanes) == "<Lanes: secret>"


def test_samples_are_overwritten_when_a_draw_fails() -> None:
    sizes = []

    def take(n: int) -> bytearray:
        if sizes and sizes[-1] > 3000:  # the rests are there, and their coins have not been tossed
            raise EntropyUnavailable(Reason.ENTROPY_DEVICE, "unplugged", "plug it in")
        sizes.append(n)
        return bytearray(b"\xa5" * n)

    with pytest.raises(EntropyUnavailable) as caught:
        Sampler(Laplace(Fraction(10**9))).draw(BitSource(take, 1), 3000)
    drawn = [entry.frame.f_locals["out"] for entry in caught.traceback if entry.name == "draw"]
    assert drawn
    assert not any(samples.any() for samples in drawn)


def test_lanes_of_the_caller_go_on_where_they_were() -> None:
    source, sampler = bits(2, 1), Sampler(Laplace(Fraction(8)))
    lanes = Lanes(source, 16)
    drawn = [sampler.draw(source, 16, lanes).tolist() for _ in range(20)]
    assert drawn[0] != drawn[1]
    assert source.used < 16 * (20 * 5.44 * 1.5 + 64)  # new lanes would take 20 · 64


def test_lanes_are_overwritten_after_a_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("edge.privacy.sampling.sampler.Lanes", lambda *a, **k: made.append(Lanes(*a, **k)) or made[-1])
    Sampler(Laplace(Fraction(5))).draw(bits(), 100)
    assert not made[0]._x.any()
    assert not made[0]._n.any()
