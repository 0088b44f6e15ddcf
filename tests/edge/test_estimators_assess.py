import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.entropy.cutoffs import binomial_quantile
from edge.entropy.estimators.assess import assess
from edge.entropy.estimators.collision import collision
from edge.entropy.estimators.compression import compression
from edge.entropy.estimators.restart import restart_check, tail_cutoff
from edge.entropy.estimators.solve import falling

TEN = ["6.3.1", "6.3.2", "6.3.3", "6.3.4", "6.3.5", "6.3.6", "6.3.7", "6.3.8", "6.3.9", "6.3.10"]


def generator():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def uniform():
    return assess(generator().integers(0, 256, 10_000, dtype=np.uint8))


def test_bytes_are_assessed_by_seven_estimators_and_their_bits_by_ten(uniform):
    assert [each.section for each in uniform.original] == [TEN[0], *TEN[4:]]
    assert [each.section for each in uniform.bitstring] == TEN
    assert (uniform.samples, uniform.bits, uniform.symbols) == (10_000, 80_000, 256)


def test_the_assessment_is_the_least_of_all_estimates(uniform):
    assert uniform.h_original == min(each.entropy for each in uniform.original if each.entropy is not None)
    assert uniform.h_bitstring == min(each.entropy for each in uniform.bitstring)
    assert uniform.entropy == min(uniform.h_original, 8 * uniform.h_bitstring)
    assert uniform.decided_by.endswith("of the bit string")


def test_perfect_samples_are_never_overestimated(uniform):
    assert 5 < uniform.entropy < 8


def test_samples_of_one_bit_have_all_ten_estimates_and_no_bit_string():
    found = assess((generator().random(20_000) < 0.75).astype(np.uint8), 1)
    assert [each.section for each in found.original] == TEN
    assert (found.bitstring, found.h_bitstring) == ((), None)
    assert found.entropy <= -np.log2(0.75)


def test_equal_samples_have_no_entropy():
    found = assess(np.full(10_000, 165, np.uint8))
    assert found.entropy == 0
    assert found.decided_by == "all samples are equal"


def test_values_that_leave_gaps_count_as_the_values_that_occur():
    few = generator().integers(0, 4, 10_000, dtype=np.uint8)
    spread = assess(few * 60)
    assert spread.symbols == 4
    assert spread.original == assess(few, 2).original


@pytest.mark.parametrize("probability", [0.6, 0.9])
def test_biased_bits_are_estimated_at_or_below_their_entropy_though_bytes_hide_the_bias(probability):
    found = assess(np.packbits(generator().random(160_000) < probability))
    assert 0 < found.entropy <= -8 * np.log2(probability)


def test_correlated_bits_are_found_although_they_are_balanced():
    flips = (generator().random(160_000) >= 0.9).astype(np.uint8)
    found = assess(np.packbits(np.bitwise_xor.accumulate(flips)))
    assert found.entropy < -8 * np.log2(0.9) * 1.05


def test_samples_that_repeat_have_almost_no_entropy():
    found = assess(np.tile(generator().integers(0, 256, 500, dtype=np.uint8), 30))
    assert found.entropy < 0.01


def test_the_bit_string_can_be_limited():
    found = assess(generator().integers(0, 256, 10_000, dtype=np.uint8), bit_limit=20_000)
    assert found.bits == 20_000


def test_samples_are_left_as_they_were():
    samples = generator().integers(0, 16, 10_000, dtype=np.uint8)
    before = samples.copy()
    assess(samples, 4)
    assert (samples == before).all()


@pytest.mark.parametrize(
    ("samples", "bits"),
    [(np.zeros(9_999, np.uint8), 8), (np.full(10_000, 16, np.uint8), 4), (np.zeros(10_000, np.uint8), 9)],
)
def test_what_cannot_be_assessed_is_refused(samples, bits):
    with pytest.raises(ValueError, match=r"bits|samples"):
        assess(samples, bits)


def test_progress_tells_every_estimator_and_only_grows():
    told = []
    assess(generator().integers(0, 4, 10_000, dtype=np.uint8), 2, progress=lambda step, done: told.append((step, done)))
    assert len(told) == 17
    done = [share for _, share in told]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)


def test_too_few_bits_for_an_estimator_are_refused_by_it():
    with pytest.raises(ValueError, match="collision"):
        collision(np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="compression"):
        compression(np.zeros(6 * 1001, np.uint8))


def matrix(size=100):
    return generator().integers(0, 256, (size, size), dtype=np.uint8)


def test_restarts_of_a_sound_source_pass():
    check = restart_check(matrix(), 7.0)
    assert check.passed
    assert check.validated <= 7.0


def test_a_value_that_comes_back_at_one_place_fails_the_restart_check():
    samples = matrix()
    samples[:60, 17] = 99
    check = restart_check(samples, 7.0)
    assert not check.passed
    assert check.largest >= 60


def test_a_restart_that_repeats_one_value_fails_the_restart_check():
    samples = matrix()
    samples[3, ::4] = 0
    assert not restart_check(samples, 7.0).passed


def test_a_source_that_begins_alike_fails_although_each_row_is_sound():
    samples = np.tile(matrix()[0], (100, 1))
    check = restart_check(samples, 7.0)
    assert not check.passed
    assert check.largest == 100


def test_a_source_that_begins_with_one_of_two_strings_fails_by_its_estimate():
    both = matrix()[:2]
    samples = both[generator().integers(0, 2, 100)]
    check = restart_check(samples, 0.9)
    assert check.largest < check.cutoff
    assert not check.passed


@pytest.mark.parametrize(("entropy", "simulated"), [(7.0, 28), (1.0, 573)])
def test_the_cutoff_of_restarts_is_that_which_the_tool_of_nist_simulates(entropy, simulated):
    # ea_restart of 2020 printed X_cutoff 27 and 572, the greatest counts that pass, for 1000 restarts of bytes.
    assert restart_check(np.zeros((1000, 1000), np.uint8), entropy).cutoff == simulated


def test_too_few_samples_leave_the_estimates_of_restarts_out():
    check = restart_check(matrix(20), 7.0)
    assert (check.rows, check.columns) == (None, None)


@given(st.integers(2, 1000), st.floats(0.2, 8), st.integers(4, 40))
def test_a_cutoff_of_restarts_is_one_above_the_quantile_of_the_health_tests(trials, entropy, exponent):
    from fractions import Fraction

    expected = 1 + binomial_quantile(trials, Fraction(entropy), exponent)
    # Floats may lie a unit beside 60 decimals where a tail is within 1e-9 of alpha.
    assert abs(tail_cutoff(trials, entropy, 2.0**-exponent) - expected) <= 0 or any(
        tail_cutoff(trials, entropy, 2.0**-exponent * scale) == expected for scale in (1 - 1e-9, 1 + 1e-9)
    )


def test_a_source_without_entropy_has_no_cutoff_of_restarts():
    assert tail_cutoff(1000, 0.0, 1e-6) == 1001


@given(st.floats(0.01, 0.99))
def test_a_falling_function_is_solved_to_the_last_bit(root):
    found = falling(lambda x: -x, -root, 0.0, 1.0)
    assert found == root or abs(found - root) <= np.spacing(root)


def test_a_function_that_never_reaches_its_target_has_no_solution():
    assert falling(lambda x: -x, 1.0, 0.0, 1.0) is None
