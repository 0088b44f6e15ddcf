from dataclasses import replace

import msgspec
import numpy as np
import pytest

from collector.match.calibration import Calibration, Judge, Whitening, read, shipped
from collector.match.nearest import held, likelihood_ratio
from collector.match.view import View, cosine
from collector.match.weigh import says_nothing, weigh

D = 16
WHITENING = Whitening(
    mean=[0.0] * D,
    basis=np.eye(D).tolist(),
    strengths=[1.0, 10.0],
    deviation=[[1.0] * D] * 2,
    agreement=[[0.3] * D, [0.98] * D],
)
CALIBRATION = Calibration(
    method="hand-made/1",
    model=None,
    codebook=None,
    fitted="by hand",
    prior=0.5,
    slack=0.2,
    chance=3,
    whitening=WHITENING,
    descriptor=Judge(bias=-4.0, weights={"likelihood": 0.5, "margin": 0.2}),
    match=Judge(bias=-7.0, weights={"agreed": 10.0, "place": 0.2}),
    place=Judge(bias=-4.0, weights={"still": 1.0, "moved": 1.0, "cosine": 4.0}),
)


def view(points, descriptors, *, strength=10.0, vector=None, noise=10.0, spread=0.2):
    n = len(points)
    return View(
        points=np.asarray(points, float).reshape(n, 2),
        spread=np.full(n, spread),
        strength=np.full(n, strength),
        descriptors=np.asarray(descriptors, float).reshape(n, D),
        vector=np.zeros(8) if vector is None else np.asarray(vector, float),
        noise=noise,
        extent=(40.0, 30.0),
    )


def seen(place, seed, n=40, **rest):
    """One look at a place: its points and descriptors with a little noise of their own."""
    scene, look = np.random.default_rng(place), np.random.default_rng([place, seed])
    points = scene.uniform((0, 0), (40, 30), (n, 2)) + look.normal(0, 0.2, (n, 2))
    return view(points, scene.normal(size=(n, D)) + look.normal(0, 0.15, (n, D)), **rest)


def pure_noise(seed, n=3):
    random = np.random.default_rng([99, seed])
    return view(random.uniform((0, 0), (40, 30), (n, 2)), random.normal(size=(n, D)), strength=2.0)


def test_two_looks_at_one_place_are_almost_surely_the_same():
    found = weigh(seen(1, 1), seen(1, 2), CALIBRATION)
    assert found.same > 0.99
    assert found.geometry.kind == "still"
    assert [tuple(pair) for pair in found.pairs] == [(i, i) for i in range(40)]
    assert (found.right > 0.9).all()


def test_looks_at_two_places_are_not():
    found = [weigh(seen(2 * k, 1), seen(2 * k + 1, 2), CALIBRATION) for k in range(30)]
    assert max(one.same for one in found) < 0.5
    assert max(one.right.max(initial=0) for one in found) < 0.5


def test_a_match_far_from_the_estimated_geometry_has_a_low_probability():
    first, second = seen(1, 1), seen(1, 2)
    moved = second.points.copy()
    moved[7] += (15, 5)
    found = weigh(first, replace(second, points=moved), CALIBRATION)
    (at,) = np.flatnonzero(found.pairs[:, 0] == 7)
    assert found.residual[at] > 10
    assert found.right[at] < 0.01
    assert np.delete(found.right, at).min() > 0.9


def test_which_comes_first_changes_nothing_but_the_names():
    first, second = seen(1, 1, 50), seen(1, 2, 30)
    one, other = weigh(first, second, CALIBRATION), weigh(second, first, CALIBRATION)
    assert one.same == other.same
    right = dict(zip(map(tuple, one.pairs), one.right, strict=True))
    assert right == dict(zip(map(tuple, other.pairs[:, ::-1]), other.right, strict=True))
    assert one.geometry.matrix @ other.geometry.matrix == pytest.approx(np.eye(3), abs=1e-9)


def test_the_same_views_give_the_same_bits():
    one, other = (weigh(seen(1, 1), seen(1, 2), CALIBRATION) for _ in range(2))
    assert (one.same, one.right.tobytes()) == (other.same, other.right.tobytes())


def test_maps_of_pure_noise_say_no_more_than_the_prior():
    for seed in range(20):
        found = weigh(pure_noise(seed), pure_noise(seed + 100), CALIBRATION)
        assert found.silent
        assert found.same == 0.5
    assert weigh(pure_noise(1), seen(1, 1), CALIBRATION, prior=0.2).same == pytest.approx(0.2)


def test_a_map_with_a_vector_or_with_more_keypoints_than_noise_has_says_something():
    assert says_nothing(pure_noise(1), CALIBRATION)
    assert not says_nothing(replace(pure_noise(1), vector=np.eye(8)[0]), CALIBRATION)
    assert not says_nothing(pure_noise(1, 4), CALIBRATION)


def test_a_prior_shifts_the_log_odds_by_as_much():
    pair = seen(3, 1, 6), seen(3, 2, 6)
    even, rare = (weigh(*pair, CALIBRATION, prior=prior).same for prior in (0.5, 0.1))
    assert np.log(even / (1 - even)) - np.log(rare / (1 - rare)) == pytest.approx(np.log(9))


@pytest.mark.parametrize("one", [0, 1, 2, 3])
@pytest.mark.parametrize("other", [0, 1, 2, 40])
def test_maps_with_few_keypoints_have_an_answer(one, other):
    found = weigh(seen(1, 1, one), seen(1, 2, other), CALIBRATION)
    assert 0 < found.same < 1
    assert len(found.pairs) <= min(one, other)


@pytest.mark.parametrize("points", [np.full((30, 2), 5.0), np.stack([np.arange(30.0), np.full(30, 3.0)], axis=1)])
def test_keypoints_in_one_place_or_on_one_line_have_an_answer(points):
    found = weigh(replace(seen(1, 1, 30), points=points), replace(seen(1, 2, 30), points=points + 0.1), CALIBRATION)
    assert np.isfinite(found.right).all()
    assert np.isfinite(found.same)


def test_equal_descriptors_without_any_signal_have_an_answer():
    nothing = view(np.zeros((5, 2)), np.zeros((5, D)), strength=0.0)
    assert 0 < weigh(nothing, nothing, CALIBRATION).same < 1


def test_the_likelihood_of_one_component_is_that_of_two_normal_laws():
    x, y, r = 1.0, 0.8, 0.98
    one = view([[0, 0]], [[x] + [0.0] * (D - 1)])
    other = view([[0, 0]], [[y] + [0.0] * (D - 1)])
    rho = r * r
    joint = -0.5 * np.log(1 - rho**2) - (x * x - 2 * rho * x * y + y * y) / (2 * (1 - rho**2))
    apart = -(x * x + y * y) / 2
    rest = (D - 1) * -0.5 * np.log(1 - rho**2)
    assert likelihood_ratio(one, other, WHITENING)[0, 0] == pytest.approx(joint - apart + rest)


def test_a_weak_keypoint_says_less_than_a_strong_one():
    pair = [[0, 0]], np.ones((1, D))
    strong, weak = (held(view(*pair, strength=s), view(*pair, strength=s), WHITENING).candidates() for s in (10.0, 1.0))
    assert strong.likelihood[0] > 5 * weak.likelihood[0] > 0


def test_only_keypoints_that_are_each_others_nearest_are_candidates():
    twins = view([[0, 0], [9, 0]], [[1.0] * D, [1.05] * D])
    single = view([[0, 0]], [[1.0] * D])
    found = held(single, twins, WHITENING).candidates()
    assert len(found.pairs) == 1
    assert found.margin[0] < 1


def test_keypoints_around_the_best_are_no_rivals_and_say_where_it_lies():
    around = view([[0, 0], [2, 0]], [[1.0] * D, [1.0] * D])
    single = view([[0, 0]], [[1.0] * D])
    found = held(single, around, WHITENING, sharpness=0.5).candidates()
    assert found.margin[0] == found.likelihood[0]
    assert found.first.tolist() == [[0, 0]]
    assert found.second.tolist() == [[0.5, 0]]
    assert held(single, around, WHITENING).candidates().second.tolist() == [[0, 0]]


def test_a_keypoint_with_a_likelier_stranger_is_still_found_where_the_geometry_looks_for_it():
    first, second = seen(1, 1), seen(1, 2)
    told = second.descriptors.copy()
    told[7] = 0.8 * told[7]
    twin = replace(
        second,
        points=np.concatenate([second.points, [[20.0, 15.0]]]),
        descriptors=np.concatenate([told, first.descriptors[7:8]]),
        **{name: np.append(getattr(second, name), getattr(second, name)[0]) for name in ("spread", "strength")},
    )
    found = weigh(first, twin, CALIBRATION)
    assert [7, 7] in found.pairs.tolist()
    assert [7, 40] not in found.pairs.tolist()


def test_descriptors_of_another_length_are_refused():
    short = replace(seen(1, 1), descriptors=np.zeros((40, 8)))
    with pytest.raises(ValueError, match="16 components"):
        held(short, seen(1, 2), WHITENING)


def test_the_cosine_is_none_where_a_vector_says_nothing():
    assert cosine(seen(1, 1), seen(1, 2)) is None
    assert cosine(seen(1, 1, vector=np.eye(8)[0]), seen(1, 2, vector=np.eye(8)[1])) == 0


def test_every_calibration_beside_the_code_can_be_read():
    assert len({(one.method, one.model) for one in shipped()}) == len(shipped())


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.0]},
        {"deviation": [[1.0] * D]},
        {"deviation": [[0.0] * D] * 2},
        {"agreement": [[1.0] * D] * 2},
        {"strengths": [10.0, 1.0]},
    ],
)
def test_a_table_that_does_not_fit_is_refused(change):
    text = msgspec.json.encode(CALIBRATION)
    broken = msgspec.json.decode(text)
    broken["whitening"] |= change
    with pytest.raises(msgspec.ValidationError):
        read(msgspec.json.encode(broken))


def test_a_curve_that_descends_is_refused():
    with pytest.raises(ValueError, match="ascend"):
        Judge(bias=0, weights={}, scores=[0, 1], probabilities=[0.9, 0.1])


def test_a_curve_is_followed_between_its_corners_and_level_beyond():
    curve = Judge(bias=0, weights={"x": 1}, scores=[0, 2], probabilities=[0.2, 0.8])
    assert curve.probability({"x": np.array([-9.0, 1.0, 9.0])}) == pytest.approx([0.2, 0.5, 0.8])
