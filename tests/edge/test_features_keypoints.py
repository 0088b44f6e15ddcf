import numpy as np
import pytest

from edge.features import corners, lattice
from edge.features.keypoints import CORNERS, find


def textured(rows=30, columns=40, seed=1):
    return 128 + 50 * np.random.default_rng(seed).standard_normal((rows, columns))


def on_lattice(points):
    return np.all((points - 0.5) % lattice.BLOCK == 0, axis=1)


def test_corners_take_their_part_and_blocks_the_rest():
    found = find(textured(), 1.0, expected_false=4.0)
    assert len(found.points) == 256
    assert np.count_nonzero(~on_lattice(found.points)) == int(256 * CORNERS)


def test_corners_take_the_room_that_blocks_leave():
    image = np.full((30, 40), 128.0)
    image[4:26:4, 4:36:4] += 120
    found = find(image, 40.0, expected_false=0.1)
    blocks = lattice.find(image, 40.0, expected_false=0.05)
    assert len(blocks.points) < 256 * (1 - CORNERS)
    assert len(found.points) == len(blocks.points) + len(corners.find(image, 40.0, expected_false=0.05).points)


def test_the_strongest_come_first():
    assert (np.diff(find(textured(), 5.0, expected_false=4.0).strength) <= 0).all()


def test_a_corner_says_what_the_noise_makes_of_its_place_and_a_block_that_it_may_be_anywhere_in_it():
    found = find(textured(), 1.0, expected_false=4.0)
    assert np.all(found.spread[on_lattice(found.points)] == lattice.SPREAD)
    assert np.median(found.spread[~on_lattice(found.points)]) < lattice.SPREAD / 2


def test_a_corner_is_as_large_as_what_it_was_found_on_and_a_block_as_its_side():
    image = textured()
    found = find(image, 1.0, expected_false=4.0)
    scales = corners.find(image, 1.0, expected_false=2.0, most=int(256 * CORNERS)).sigma
    assert np.all(found.size[on_lattice(found.points)] == lattice.BLOCK)
    assert sorted(found.size[~on_lattice(found.points)]) == sorted(2 * 2**0.5 * scales)


@pytest.mark.parametrize("most", [1, 7, 100])
def test_no_more_than_asked_for(most):
    assert len(find(textured(), 1.0, expected_false=4.0, most=most).points) == most


def test_noise_alone_has_as_many_keypoints_as_was_asked_for():
    rng = np.random.default_rng(8)
    counts = [len(find(rng.laplace(0, 5, (30, 40)), 5 * 2**0.5, expected_false=6.0).points) for _ in range(150)]
    assert abs(np.mean(counts) - 6.0) < 4 * np.std(counts) / 150**0.5 + 0.4


def test_a_map_without_texture_has_none():
    assert len(find(np.full((30, 40), 90.0), 0.0, expected_false=1.0).points) == 0
