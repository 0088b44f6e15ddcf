from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from benchmarks.gains import grids, levels
from benchmarks.gains.mechanisms import (
    Axis,
    Function,
    Mechanism,
    Released,
    Residual,
    Table,
    clipped,
    linear,
    spread_out,
)
from benchmarks.gains.tables import equalised, log
from edge.features.denoise import dct_matrix, frequency
from edge.privacy.lut import LinearLut, ResidualLut

EPSILON = Fraction(1)


def window(function: Function, height: int, width: int, cell: int, overlap: int = 1) -> Mechanism:
    return Mechanism(function, Axis(height, cell, overlap), Axis(width, cell, overlap), 1, EPSILON)


def images(height: int, width: int, values: tuple[int, ...]) -> np.ndarray:
    every = list(product(values, repeat=height * width))
    return np.array(every, np.uint8).reshape(-1, height, width)


def largest_costs(mechanism: Mechanism, every: np.ndarray) -> dict[int, Fraction]:
    """By exposure: the largest loss over all pairs of images, in exact fractions."""
    sums = np.stack([mechanism.sums(image[None]).ravel() for image in every])
    scales = mechanism.scales.ravel()
    common = int(np.lcm.reduce(scales))
    pixels = every.reshape(len(every), -1)
    found: dict[int, Fraction] = {}
    for one in range(len(every)):
        loss = (np.abs(sums - sums[one]) * (common // scales)).sum(axis=1)
        apart = (pixels != pixels[one]).sum(axis=1)
        for exposure in np.unique(apart[apart > 0]).tolist():
            most = Fraction(int(loss[apart == exposure].max()), common)
            found[exposure] = max(found.get(exposure, Fraction(0)), most)
    return found


def own_taus(vanish: int = 0) -> Residual:
    tau = np.array([[1, 3]], np.int64)
    return Residual(np.full((2, 4), 5, np.int64), spread_out(tau, 2, 4, 2), 2, vanish)


@pytest.mark.parametrize(
    ("mechanism", "values"),
    [
        (window(linear(), 2, 4, 2), (0, 255)),
        (window(linear(), 2, 4, 2, overlap=3), (0, 255)),
        (window(linear(), 2, 4, 2, overlap=2), (0, 255)),
        (window(linear(), 2, 2, 1, overlap=3), (0, 9, 255)),
        (window(clipped(3, 7), 2, 4, 2, overlap=3), (1, 9)),
        (window(log(64, late=False)(None), 2, 2, 1), (0, 77, 255)),
        (window(own_taus(), 2, 4, 2), (1, 9)),
        (window(own_taus(vanish=4), 2, 4, 2), (2, 8)),
        (window(Residual(np.full((2, 2), 5), np.full((2, 2), 2), 1, 3), 2, 2, 1, overlap=3), (3, 5, 7)),
    ],
)
def test_no_pair_of_tiny_images_costs_more_than_the_slope_and_one_costs_that(
    mechanism: Mechanism, values: tuple[int, ...]
) -> None:
    rows, columns = len(mechanism.rows.weights[0]), len(mechanism.columns.weights[0])
    costs = largest_costs(mechanism, images(rows, columns, values))
    assert mechanism.slope <= EPSILON
    assert all(cost <= mechanism.slope * exposure for exposure, cost in costs.items())
    if values != (2, 8):
        assert costs[1] == mechanism.slope


def test_one_scale_from_the_mean_range_would_break_the_bound() -> None:
    mechanism = window(own_taus(), 2, 4, 2)
    object.__setattr__(mechanism, "scales", np.full_like(mechanism.scales, 4))
    costs = largest_costs(mechanism, images(2, 4, (1, 9)))
    assert costs[1] > EPSILON


@pytest.mark.parametrize(("cell", "width"), [(1, 1), (2, 3), (4, 3), (5, 5), (16, 15), (16, 16)])
def test_each_pixel_is_counted_as_often_as_the_kernel_is_wide(cell: int, width: int) -> None:
    weights = Axis(5 * cell - 1, cell, width).weights
    assert (weights >= 0).all()
    assert (weights.sum(axis=0)[: 4 * cell] == width).all()
    assert (weights.sum(axis=0)[4 * cell :] == 0).all()


def test_overlapping_kernels_add_no_noise_to_inner_cells() -> None:
    frames = np.zeros((6, 80, 80), np.uint8)
    noise = {}
    for overlap in (1, 15):
        mechanism = window(linear(), 80, 80, 16, overlap)
        noise[overlap] = mechanism.release(mechanism.sums(frames), 6, None).noise[2, 2]
    assert noise[15] == pytest.approx(noise[1], rel=1e-3)


@pytest.mark.parametrize("vanish", [0, 1, 7, 64])
@pytest.mark.parametrize("tau", [1, 8, 127])
def test_a_residual_stays_in_its_range_for_every_pixel_and_reference(tau: int, vanish: int) -> None:
    reference, pixels = (axis.astype(np.int64) for axis in np.indices((256, 256)))
    values = Residual(reference, np.full((256, 256), tau), 1, vanish).map(pixels.astype(np.uint8)[None])
    assert values.min() == 0
    assert values.max() == 2 * tau
    if vanish:
        far = np.abs(pixels - reference) >= tau + vanish
        assert (values[0][far] == tau).all()


def test_tables_rise_from_zero_to_their_range() -> None:
    for table in (linear(), clipped(10, 20), log(64, late=True)(None), equalised(0.5)(_past())):
        assert isinstance(table, Table)
        values = table.map(np.arange(256, dtype=np.uint8))
        assert values[0] == 0
        assert (np.diff(values) >= 0).all()
        assert values[-1] == table.ranges(1, 1)[0, 0]


def test_the_prototypes_that_the_product_has_are_the_products() -> None:
    assert linear().ranges(1, 1)[0, 0] == LinearLut(255).range
    grid = np.full((1, 1), 5, np.int64)
    assert Residual(grid, np.full((1, 1), 3), 1).ranges(1, 1)[0, 0] == ResidualLut(grid, 3, 255).range


def test_kernels_that_overlap_refuse_a_tau_for_each_cell() -> None:
    with pytest.raises(ValueError, match="overlapping"):
        _ = window(own_taus(), 2, 4, 2, overlap=3).scales


def test_a_grid_that_begins_elsewhere_costs_the_same() -> None:
    every = images(3, 4, (0, 255))
    for down, right in product((0, 1), repeat=2):
        mechanism = window(linear(), 3 - down, 4 - right, 2)
        sums = np.stack([mechanism.sums(image[None, down:, right:]).ravel() for image in every])
        pixels = every.reshape(len(every), -1)
        for one in range(0, len(every), 7):
            cost = np.abs(sums - sums[one]).sum(axis=1)
            assert (cost <= 255 * (pixels != pixels[one]).sum(axis=1)).all()


def test_joined_grids_are_the_least_squares_map_under_the_prior() -> None:
    rng = np.random.default_rng(3)
    rows, columns = 6, 8
    placed = [
        grids.Placed(Released(rng.normal(100, 40, shape), np.full(shape, noise)), slice(d, d + 2 * shape[0]), across)
        for shape, noise, d, across in (((3, 4), 4.0, 0, slice(0, 8)), ((2, 3), 2.0, 1, slice(1, 7)))
    ]
    information, seen = np.zeros((48, 48)), np.zeros(48)
    for release, down, across in placed:
        for i, j in np.ndindex(release.grey.shape):
            cell = np.zeros((rows, columns))
            cell[down, across][2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = 1 / 4
            information += np.outer(cell, cell) / release.spread**2
            seen += cell.ravel() * release.grey[i, j] / release.spread**2
    penalty = frequency(rows, columns) ** 2
    texture = max(float(placed[-1].released.grey.var()) - 4.0, 1.0)
    penalty *= (1 / penalty.ravel()[1:]).sum() / (texture * penalty.size)
    basis = np.kron(dct_matrix(rows), dct_matrix(columns))
    dense = np.linalg.solve(information + (basis.T * penalty.ravel()) @ basis, seen)
    assert grids.finer(placed).ravel() == pytest.approx(dense, abs=1e-3)


def test_joined_levels_are_the_least_squares_map_of_both() -> None:
    rng = np.random.default_rng(4)
    fine = Released(rng.normal(100, 40, (5, 9)), np.full((5, 9), 6.0))
    coarse = Released(rng.normal(100, 40, (1, 2)), np.full((1, 2), 1.5))
    grey, covariance = levels.join(fine, coarse)
    information, seen = np.eye(45) / 36, fine.grey.ravel() / 36
    for j in range(2):
        block = np.zeros((5, 9))
        block[:4, 4 * j : 4 * j + 4] = 1 / 16
        information += np.outer(block, block) / 2.25
        seen = seen + block.ravel() * coarse.grey[0, j] / 2.25
    assert grey.ravel() == pytest.approx(np.linalg.solve(information, seen))
    assert covariance == pytest.approx(np.linalg.inv(information), abs=1e-9)


def test_a_level_that_has_all_of_the_budget_is_as_quiet_as_its_window_is_long() -> None:
    three, day, *_ = levels.deviations({24: Fraction(1)}, days=2)
    assert three == np.inf
    assert day == pytest.approx(levels.DAY_ALONE)
    assert levels.deviations({3: Fraction(1)}, days=2)[0] == pytest.approx(8 * levels.DAY_ALONE)


def _past() -> object:
    from benchmarks.gains.chains import Past

    return Past(np.arange(0, 240, 4.0).reshape(6, 10), 1.0, 1, 6, 10)
