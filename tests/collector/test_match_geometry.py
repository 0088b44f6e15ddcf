from dataclasses import replace

import numpy as np
import pytest

from collector.match.geometry import DRIFT, Field, estimate, posterior, project, squared_residual

AREA = 40.0 * 30


def field(first, second, right=0.6, variance=0.05):
    n = len(first)
    return Field(
        np.asarray(first, float).reshape(n, 2),
        np.asarray(second, float).reshape(n, 2),
        np.full(n, variance),
        np.full(n, right),
        np.full(n, 1 / AREA),
        AREA,
    )


def scattered(seed, n):
    return np.random.default_rng(seed).uniform((0, 0), (40, 30), (n, 2))


def with_chance(points, moved, seed, wrong):
    """The matches (points, moved), followed by `wrong` that lie anywhere."""
    noisy = moved + np.random.default_rng(seed).normal(0, 0.2, moved.shape)
    return field(
        np.concatenate([points, scattered(seed + 1, wrong)]), np.concatenate([noisy, scattered(seed + 2, wrong)])
    )


def test_a_camera_that_stayed_is_explained_by_the_simplest_model():
    points = scattered(1, 20)
    found = estimate(with_chance(points, points + np.array([0.5, -0.3]), 2, 20))
    assert found.kind == "still"
    assert found.matrix[:2, 2] == pytest.approx((0.5, -0.3), abs=0.2)


def test_a_camera_that_drifted_further_than_a_mount_can_is_no_fixed_one():
    points = scattered(1, 20)
    moved = with_chance(points, points + np.array([DRIFT + 2, 0]), 2, 20)
    assert estimate(moved).kind == "similar"
    assert estimate(moved, still_only=True).kind == "none"


def test_a_turned_and_zoomed_view_is_a_similarity():
    points = scattered(1, 25)
    turn = 1.2 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    found = estimate(with_chance(points, points @ turn.T + (3, -2), 2, 25))
    assert found.kind == "similar"
    assert found.matrix[:2, :2] == pytest.approx(turn, abs=0.03)


def test_a_view_from_aside_is_a_homography_only_where_that_explains_more():
    matrix = np.array([[1.1, 0.15, -2], [0.05, 0.9, 1], [0.006, -0.003, 1]])
    points = scattered(1, 60)
    found = estimate(with_chance(points, project(matrix, points), 2, 40))
    assert found.kind == "projective"
    assert np.abs(project(found.matrix, points) - project(matrix, points)).max() < 0.5


def test_agreement_at_the_same_spot_is_worth_less_where_chance_brings_it_too():
    points = scattered(1, 20)
    rare = field(points, points)
    common = replace(rare, chance=np.full(20, 0.5))
    assert estimate(common).evidence < estimate(rare).evidence / 5


def test_matches_by_chance_have_no_geometry():
    kinds = [estimate(field(scattered(seed, 30), scattered(seed + 500, 30), right=0.2)).kind for seed in range(40)]
    assert kinds.count("none") >= 38


def test_evidence_grows_with_every_match_that_agrees():
    points = scattered(1, 40)
    evidence = [estimate(field(points[:n], points[:n])).evidence for n in (5, 10, 20, 40)]
    assert evidence == sorted(evidence)
    assert evidence[0] > 0


def test_a_known_spread_decides_how_far_off_is_still_right():
    first, second = scattered(1, 12), scattered(1, 12)
    second[-1] += (1.5, 0)
    sure, unsure = field(first, second, variance=0.05), field(first, second, variance=1.0)
    right = [posterior(f, squared_residual(f, estimate(f).matrix))[-1] for f in (sure, unsure)]
    assert right[0] < 0.01
    assert right[1] > 0.9


def test_one_match_that_did_not_move_is_worth_an_exact_number_of_nats():
    one = field([[5, 5]], [[5, 5]], right=0.5, variance=0.1)
    gain = np.log(0.5 + 0.5 * AREA / (2 * np.pi * 0.1))
    share = 0.5 * AREA / (2 * np.pi * 0.1) / (0.5 + 0.5 * AREA / (2 * np.pi * 0.1) + 0)
    charge = 2 * 0.5 * np.log(np.pi * DRIFT**2 * share / 0.1 / (2 * np.pi))
    assert estimate(one).evidence == pytest.approx(gain - charge, rel=1e-6)


@pytest.mark.parametrize(
    "points",
    [
        np.empty((0, 2)),
        [[3, 4]],
        [[3, 4], [5, 6]],
        [[3, 4]] * 30,
        [[x, 2 * x] for x in range(15)],
        [[x, 0] for x in range(30)],
    ],
)
def test_few_equal_and_collinear_points_give_a_finite_answer(points):
    points = np.asarray(points, float)
    for shift in (0, 1, 10):
        found = estimate(field(points, points + shift))
        assert np.isfinite(found.evidence)
        assert np.isfinite(found.matrix).all()


def test_points_beyond_the_horizon_are_infinitely_far():
    tilted = np.array([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1.0]])
    assert np.isinf(project(tilted, np.array([[20.0, 0.0]]))).all()


def test_the_same_matches_give_the_same_bits():
    points = scattered(1, 100)
    again = [estimate(with_chance(points, points @ [[0.9, 0.2], [-0.2, 0.9]], 2, 100)) for _ in range(2)]
    assert again[0].matrix.tobytes() == again[1].matrix.tobytes()
    assert again[0].evidence == again[1].evidence
