"""When a reference is given up, and how wide the next window is: docs/proofs/residual.md, sections 4 and 6."""

import math

import numpy as np
import pytest

from edge.features.contradiction import (
    CHANGED,
    FALSE_ALARMS,
    beyond,
    divergence,
    judge,
    most_by_chance,
    noise_beyond,
)
from edge.privacy.lut import LinearLut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.schedule import Reference, next_is_wide

ROWS, COLUMNS, CELL, FRAMES, TAU = 30, 40, 16, 12, 32
PIXELS = FRAMES * CELL**2


def mechanism(sd, tau=TAU, noise="discrete-laplace"):
    """Residual windows whose noise is `sd` pixel values in a cell's mean."""
    scale = max(1, round(sd * PIXELS / (math.sqrt(2) if noise == "discrete-laplace" else 1)))
    lut = ResidualLut(np.full((ROWS, COLUMNS), 100), tau, 255)
    return Mechanism(lut=lut, cell=CELL, rows=ROWS, columns=COLUMNS, frames=FRAMES, scale=scale, noise=noise)


def laplace(rng, sd):
    return rng.laplace(0, sd / math.sqrt(2), (ROWS, COLUMNS)) if sd else np.zeros((ROWS, COLUMNS))


@pytest.mark.parametrize("scale", [1, 4, 40])
def test_the_chance_of_laplace_noise_beyond_a_distance_is_that_of_its_law(scale):
    z = np.arange(-80 * scale, 80 * scale + 1)
    p = np.exp(-np.abs(z) / scale)
    lut = LinearLut(255)
    one = Mechanism(lut=lut, cell=1, rows=1, columns=1, frames=1, scale=scale)
    for distance in (0.0, 1.0, 2.5, 3.0 * scale):
        assert noise_beyond(one, distance) == pytest.approx(p[np.abs(z) > distance].sum() / p.sum())


@pytest.mark.parametrize("scale", [1, 4, 40])
def test_the_chance_of_gaussian_noise_beyond_a_distance_is_at_least_that_of_its_law(scale):
    z = np.arange(-40 * scale, 40 * scale + 1)
    p = np.exp(-(z**2) / (2 * scale**2))
    lut = LinearLut(255)
    one = Mechanism(lut=lut, cell=1, rows=1, columns=1, frames=1, scale=scale, noise="discrete-gaussian")
    for distance in (0.0, 1.0, 2.5, 3.0 * scale):
        assert noise_beyond(one, distance) >= p[np.abs(z) > distance].sum() / p.sum()


@pytest.mark.parametrize("cells", [70, 300, 1200])
@pytest.mark.parametrize("chance", [0.001, 0.05, 0.3])
def test_more_far_cells_than_chance_explains_are_rarer_than_the_stated_rate(cells, chance):
    most = most_by_chance(cells, chance)
    changed = math.floor(CHANGED * cells)
    others, allowed = cells - changed, most - changed
    weights = [
        math.lgamma(others + 1)
        - math.lgamma(k + 1)
        - math.lgamma(others - k + 1)
        + k * math.log(chance)
        + (others - k) * math.log1p(-chance)
        for k in range(allowed + 1, others + 1)
    ]
    assert 0 < sum(map(math.exp, weights)) <= FALSE_ALARMS
    assert others * divergence(allowed / others, chance) < -math.log(FALSE_ALARMS)


@pytest.mark.parametrize(("chance", "most"), [(0.0, 150), (1.0, 1200)])
def test_without_chance_only_what_changed_is_allowed_and_with_certainty_everything(chance, most):
    assert most_by_chance(1200, chance) == most


@pytest.mark.parametrize(("sd", "reference_sd"), [(2.5, 2.5), (5, 5), (5, 20), (10, 10)])
def test_a_place_at_the_edge_of_what_may_change_keeps_its_reference(sd, reference_sd):
    rng = np.random.default_rng(7)
    used = mechanism(sd)
    for _ in range(100):
        mean = np.full(ROWS * COLUMNS, TAU / 2) * rng.choice([-1, 1], ROWS * COLUMNS)
        mean[: math.floor(CHANGED * mean.size)] = TAU
        error = rng.laplace(0, reference_sd / math.sqrt(2), mean.shape)
        error[np.abs(error) <= TAU / 2] = 0  # the theorem asks only whether an error passes τ/2
        shown = np.clip(mean + np.sign(mean) * np.abs(error), -TAU, TAU)
        off = shown.reshape(ROWS, COLUMNS) + laplace(rng, sd)
        assert judge(off, TAU, used, reference_sd) == "same"


@pytest.mark.parametrize("sd", [2.5, 5])
def test_a_place_of_which_a_third_is_clamped_loses_its_reference(sd):
    rng = np.random.default_rng(8)
    for _ in range(50):
        mean = np.where(np.arange(ROWS * COLUMNS) < ROWS * COLUMNS / 3, TAU, 0).reshape(ROWS, COLUMNS)
        assert judge(mean + laplace(rng, sd), TAU, mechanism(sd), sd) == "other light"
        assert judge(mean * rng.choice([-1, 1], mean.shape) + laplace(rng, sd), TAU, mechanism(sd), sd) == "other place"


def test_a_reference_of_unknown_noise_is_never_given_up():
    assert judge(np.full((ROWS, COLUMNS), float(TAU)), TAU, mechanism(1), math.inf) == "same"
    assert beyond(16, math.inf) == 1
    assert beyond(16, 0) == 0


def sums_with(far, distance, used):
    """Of each cell: `far` of them lie `distance` from the reference, the others on it."""
    off = np.zeros(ROWS * COLUMNS, np.int64)
    off[:far] = distance
    return (off.reshape(ROWS, COLUMNS) + used.lut.tau) * PIXELS


def test_a_window_is_narrow_while_no_more_than_a_quarter_of_the_cells_lie_beyond_half_of_tau():
    used, quarter = mechanism(1), ROWS * COLUMNS // 4
    assert not next_is_wide(sums_with(quarter, 17, used), used)
    assert next_is_wide(sums_with(quarter + 1, 17, used), used)
    assert next_is_wide(sums_with(quarter + 1, -17, used), used)
    assert not next_is_wide(sums_with(ROWS * COLUMNS, 16, used), used)


def test_the_first_residual_window_is_wide():
    used = Mechanism(lut=LinearLut(255), cell=CELL, rows=ROWS, columns=COLUMNS, frames=FRAMES, scale=1)
    assert next_is_wide(np.zeros((ROWS, COLUMNS), np.int64), used)


@pytest.mark.parametrize(("widest", "narrow"), [(1, 1), (2, 1), (33, 17), (32, 16)])
def test_a_narrow_window_has_half_of_the_widest_tau_rounded_up(widest, narrow):
    values = np.zeros((1, 1), np.int64)
    assert Reference(values, wide=False).tau(widest) == narrow
    assert Reference(values, wide=True).tau(widest) == widest
