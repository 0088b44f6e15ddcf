"""Chernoff's bounds against exact tails: docs/fusion.md, "The rates, and why they hold"."""

import math

import numpy as np
import pytest

from edge.features.change import changed_cells
from edge.features.tails import log_chance, threshold


def laplace_tail(t, sd):
    return 0.5 * math.exp(-math.sqrt(2) * t / sd)


@pytest.mark.parametrize("t", [1.0, 4.0, 9.0, 60.0])
def test_the_bound_is_never_below_the_tail_of_one_laplace_noise(t):
    assert log_chance(t * 3.0, np.array([3.0]), 1.0) >= math.log(laplace_tail(t * 3.0, 3.0))


@pytest.mark.parametrize("parts", [1.0, 1.125, 2.0, 7.0])
def test_the_bound_is_never_below_the_tail_of_a_gaussian_sum(parts):
    deviations = np.linspace(0.1, 1, 40)
    spread = math.sqrt(float(deviations @ deviations))
    for t in (1.0, 3.0, 6.0):
        assert log_chance(t * spread, deviations, parts) >= math.log(math.erfc(t / math.sqrt(2)) / 2)


@pytest.mark.parametrize("count", [2, 9])
def test_the_bound_holds_for_sums_of_laplace_noises(count):
    """Of n alike, the exact tail by the density of their sum, on a grid."""
    step, reach = 0.01, 60.0
    x = np.arange(-reach, reach + step / 2, step)
    one = np.exp(-math.sqrt(2) * np.abs(x))
    spectrum = np.fft.fft(np.fft.ifftshift(one / one.sum()))
    density = np.fft.fftshift(np.real(np.fft.ifft(spectrum**count)))
    for t in (2.0, 5.0, 7.0):
        exact = float(density[x >= t * math.sqrt(count)].sum())
        bound = log_chance(t * math.sqrt(count), np.ones(count), 1.0)
        assert math.log(exact) <= bound <= math.log(exact) + 6


def test_a_map_that_is_averaged_from_unequal_ones_is_within_the_bound_of_as_many_alike():
    """Variances 3, 1 and 1: no part has more than 3/5, so k is 5/3. The cumulants are compared."""
    parts, k = np.array([3.0, 1.0, 1.0]), 5 / 3
    for u in np.linspace(0.01, 0.8, 30):
        exact = -np.log1p(-parts * u**2 / 2).sum()
        assert exact <= -k * math.log1p(-5 * u**2 / (2 * k)) + 1e-12


@pytest.mark.parametrize(("cells", "parts"), [(1, 1.0), (4, 1.5), (9, 1.0), (9, 7.0)])
def test_the_limit_of_a_block_is_where_its_bound_meets_the_chance(cells, parts):
    limit = threshold(cells, parts, -16.0)
    alike = np.ones(cells)
    assert log_chance(limit * math.sqrt(cells), alike, parts) == pytest.approx(-16, abs=0.3)
    assert log_chance(0.9 * limit * math.sqrt(cells), alike, parts) > -16


def test_heavier_tails_and_rarer_chances_ask_for_more():
    assert threshold(9, 1.0, -16.0) > threshold(9, 7.0, -16.0) > math.sqrt(2 * 16)
    assert threshold(9, 1.0, -20.0) > threshold(9, 1.0, -16.0)


def test_a_chance_of_nothing_is_one():
    assert log_chance(0.0, np.ones(3), 1.0) == 0.0
    assert log_chance(1.0, np.zeros(3), 1.0) == 0.0


def test_a_change_is_found_with_its_rim_and_where_nothing_is_known_none_is():
    deviations = np.zeros((12, 12))
    deviations[4:8, 4:8] = 5.0
    known = np.ones((12, 12), bool)
    found = changed_cells(deviations, known, 1.0, 1e-3)
    assert found[4:8, 4:8].all()
    assert not found[0].any()
    assert not found[:, -1].any()
    assert not changed_cells(deviations, ~known, 1.0, 1e-3).any()
    known[5, 5] = False
    assert not changed_cells(deviations, known, 1.0, 1e-3)[5, 5]
