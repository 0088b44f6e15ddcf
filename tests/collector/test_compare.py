import numpy as np
import pytest

from collector.compare import agree, compare, match
from wire.features import quantise, quantise_vector
from wire.schema import Features

WIDTH, HEIGHT = 768, 432


def features(points, descriptors, *, vector=None, position=1, noise=5.0, method="sift"):
    n = len(points)
    keypoints = quantise((points + 0.5) / 16 - 0.5, [2] * n, [4] * n, [0] * n, cell=16, width=WIDTH, height=HEIGHT)
    return Features(
        method=method,
        width=WIDTH,
        height=HEIGHT,
        keypoints=keypoints,
        descriptors=descriptors.astype(np.uint8),
        vector=np.zeros(64, np.int8) if vector is None else quantise_vector(vector),
        noise=noise,
        fused=position if isinstance(position, list) else [position],
    )


def place(seed, n=60):
    rng = np.random.default_rng(seed)
    return rng.uniform((0, 0), (WIDTH - 60, HEIGHT), (n, 2)), rng.integers(0, 256, (n, 128))


def test_one_place_seen_twice_is_the_same_place_and_every_keypoint_is_matched():
    points, descriptors = place(1)
    comparison = compare(features(points, descriptors), features(points + 1, descriptors, position=2))
    assert comparison.verdict == "same place"
    assert comparison.same_place
    assert comparison.matches == tuple((i, i) for i in range(60))
    assert comparison.consistent == 60
    assert comparison.moved == pytest.approx((2**0.5, 2**0.5), abs=np.hypot(WIDTH, HEIGHT) / 256)


def test_a_moved_and_zoomed_camera_is_recognised_by_the_common_transform():
    points, descriptors = place(1)
    turned = points @ np.array([[0.9, 0.3], [-0.3, 0.9]]) * 1.2 + (40, -20)
    assert compare(features(points, descriptors), features(turned, descriptors, position=2)).same_place


def test_matches_that_move_each_their_own_way_do_not_agree():
    points, descriptors = place(1)
    other, _ = place(2)
    comparison = compare(features(points, descriptors), features(other, descriptors, position=2))
    assert len(comparison.matches) == 60
    assert comparison.consistent < 8
    assert not comparison.same_place


def test_a_fixed_camera_counts_only_keypoints_that_stayed():
    points, descriptors = place(1)
    moved = features(points + np.array([60, 0]), descriptors, position=2)
    assert compare(features(points, descriptors), moved).consistent == 60
    assert compare(features(points, descriptors), moved, fixed_camera=True).consistent == 0


def test_maps_that_share_a_release_are_never_called_the_same_place():
    points, descriptors = place(1)
    first = features(points, descriptors, position=[1, 2])
    comparison = compare(first, features(points, descriptors, position=[2, 3]))
    assert comparison.shared == 1
    assert comparison.verdict == "not enough to tell"
    assert "in common" in comparison.reason


def test_grid_vectors_alone_decide_when_there_are_no_keypoints():
    empty, none = np.empty((0, 2)), np.empty((0, 128))
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=64), rng.normal(size=64)
    first = features(empty, none, vector=one)
    assert compare(first, features(empty, none, vector=one + other / 4, position=2)).verdict == "same place"
    across = other - one * (one @ other) / (one @ one)
    assert compare(first, features(empty, none, vector=across, position=2)).verdict == "different place"


def test_much_noise_is_no_proof_of_a_different_place():
    empty, none = np.empty((0, 2)), np.empty((0, 128))
    one = np.eye(64)[0]
    loud = features(empty, none, vector=np.eye(64)[1], noise=40.0, position=2)
    assert compare(features(empty, none, vector=one), loud).verdict == "not enough to tell"


def test_observations_that_say_nothing_are_not_enough_to_tell():
    nothing = features(np.empty((0, 2)), np.empty((0, 128)))
    comparison = compare(nothing, nothing)
    assert comparison.cosine is None
    assert comparison.verdict == "not enough to tell"


def test_features_of_different_methods_are_not_compared():
    points, descriptors = place(1)
    comparison = compare(features(points, descriptors), features(points, descriptors, position=2, method="other"))
    assert comparison.matches == ()
    assert "different methods" in comparison.reason


def test_a_descriptor_with_two_equal_neighbours_matches_neither():
    row = np.random.default_rng(1).integers(0, 256, (1, 128)).astype(np.uint8)
    far = 255 - row
    assert len(match(np.concatenate([row, far]), np.concatenate([row, row, far]))) == 1


def test_fewer_than_three_matches_agree_on_nothing():
    two = np.zeros((2, 2), np.float32)
    assert not agree(two, two, 10.0, fixed_camera=False).any()


def test_unrelated_places_are_rarely_called_the_same():
    wrong = 0
    for seed in range(60):
        first, second = place(2 * seed, 200), place(2 * seed + 1, 200)
        wrong += compare(features(*first), features(*second, position=2)).same_place
    assert wrong == 0
