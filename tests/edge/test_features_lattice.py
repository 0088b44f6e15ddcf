import math

import numpy as np
import pytest

from edge.features.lattice import BLOCK, find, strengths
from edge.features.lattice_tail import threshold

SIZES = [(30, 40), (60, 80), (27, 48), (15, 20)]
SCALE = 18_432
"""Of the mechanism's noise at b 16 and sd 10, in steps of the sum: 10/√2 grey · 256 pixels · some frames."""


def laplace(rng, shape):
    """The daemon's law: the difference of two geometric variables, in standard deviations."""
    chance = -math.expm1(-1 / SCALE)
    whole = rng.geometric(chance, shape) - rng.geometric(chance, shape)
    return whole / (math.sqrt(2) * SCALE)


def gauss(rng, shape):
    return rng.standard_normal(shape)


def fused(rng, shape):
    return sum(laplace(rng, shape) for _ in range(4)) / 2


LAWS = {"laplace": (laplace, 3.0), "gauss": (gauss, 0.0), "fused": (fused, 0.75)}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("expected", [1.0, 8.0])
def test_noise_alone_has_as_many_keypoints_as_was_asked_for(law, size, expected):
    draw, excess = LAWS[law]
    rng = np.random.default_rng((5, *size, int(expected)))
    counts = [len(find(8.0 * draw(rng, size), 8.0, expected_false=expected, excess=excess).points) for _ in range(160)]
    error = np.std(counts) / math.sqrt(len(counts))
    assert abs(np.mean(counts) - expected) < 4 * error + 0.08 * expected


def test_the_threshold_falls_as_more_false_keypoints_are_allowed_and_rises_with_the_tails_of_the_noise():
    rows, columns = 15, 20
    steps = [threshold(rows, columns, expected, 3.0) for expected in (0.001, 0.01, 0.1, 1, 4, 64)]
    assert steps == sorted(steps, reverse=True)
    assert threshold(rows, columns, 0.1, 3.0) > threshold(rows, columns, 0.1, 1.0) > threshold(rows, columns, 0.1, 0.0)
    assert threshold(rows, columns, 0.1, 9.0) == threshold(rows, columns, 0.1, 3.0)


def test_asking_for_more_false_keypoints_than_there_are_blocks_takes_every_block():
    assert threshold(3, 3, 1000.0, 0.0) == 0
    image = np.random.default_rng(1).normal(size=(6, 6))
    assert len(find(image, 1.0, expected_false=1000.0).points) == 9


@pytest.mark.parametrize(("rows", "expected", "excess"), [(0, 1.0, 0.0), (3, 0.0, 0.0), (3, 1.0, -1.0)])
def test_what_cannot_be_asked_for_is_refused(rows, expected, excess):
    with pytest.raises(ValueError, match="expected number of false keypoints"):
        threshold(rows, 3, expected, excess)


def blob(sigma):
    y, x = np.mgrid[:30, :40]
    return 128 + 60 * np.exp(-((x - 20.5) ** 2 + (y - 12.5) ** 2) / (2 * sigma**2))


def test_a_blob_is_strongest_in_its_block_be_it_small_or_large():
    small, large = (find(blob(sigma), 2.0, expected_false=0.01) for sigma in (0.8, 4.0))
    assert small.points[0].tolist() == large.points[0].tolist() == [20.5, 12.5]


def test_points_are_middles_of_blocks_inside_the_map_also_where_a_side_is_odd():
    image = np.random.default_rng(2).normal(0, 50, (27, 49))
    found = find(image, 1.0, expected_false=64.0, most=10_000)
    assert np.array_equal(found.points, BLOCK * found.block[:, ::-1] + 0.5)
    assert (found.block.max(0) < (13, 24)).all()


def test_the_strongest_come_first_and_no_more_than_asked_for():
    image = np.random.default_rng(3).normal(0, 50, (30, 40))
    found = find(image, 5.0, expected_false=4.0, most=50)
    assert len(found.points) == 50
    assert (np.diff(found.strength) <= 0).all()
    assert found.strength.min() >= np.sort(strengths(image, 5.0).ravel())[-50]


def test_strength_counts_in_standard_deviations_of_the_noise():
    image = np.random.default_rng(4).normal(0, 50, (30, 40))
    one, half = strengths(image, 4.0), strengths(image, 8.0)
    assert np.allclose(one, 2 * half)


def test_ties_are_ordered_by_row_and_column():
    image = np.zeros((12, 12))
    image[2::4, 2::4] = 100.0
    found = find(image, 1.0, expected_false=1.0)
    order = np.lexsort((found.block[:, 1], found.block[:, 0], -found.strength))
    assert np.array_equal(order, np.arange(len(order)))


def test_a_map_without_noise_is_read_as_if_it_had_a_little():
    assert len(find(np.full((30, 40), 90.0), 0.0, expected_false=1.0).points) == 0
