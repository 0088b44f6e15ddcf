import numpy as np
import pytest

from benchmarks.features import patches
from benchmarks.features.calibrate import balance, calibrate, curve_of, judge, right_ones
from benchmarks.features.levels import Level
from benchmarks.features.reliability import Answers, answers, diagram, table, verdicts
from benchmarks.features.sightings import asked, lit, most_in_noise, of_noise, place, plain, sightings
from collector.match.calibration import sigmoid
from collector.match.nearest import Candidates
from drivers.emulated.scenery import draw_background

LEVEL = Level(16, 5)


def places(count, tuning):
    out = []
    for index in range(count):
        random = np.random.default_rng([int(tuning), index])
        out.append(place(f"drawn {index}", draw_background(640, 480, random), random))
    return out


@pytest.fixture(scope="module")
def tuned():
    seen = sightings(list(asked(places(4, True), plain(2, tuning=True))), [LEVEL], patches.describe, 1)
    return calibrate(seen, chance=most_in_noise(of_noise([LEVEL], patches.describe, 3, 1)), fitted="drawn places")


@pytest.fixture(scope="module")
def held():
    return sightings(list(asked(places(3, False), plain(2, tuning=False))), [LEVEL], patches.describe, 2)


def test_a_fit_on_some_places_tells_others_apart(tuned, held):
    _, said = answers(held, tuned)
    kind = np.array(said.kind)
    assert said.probability[kind == "still"].min() > 0.7
    assert np.median(said.probability[kind == "stranger"]) < 0.3
    assert ((said.probability > 0.5) == said.right)[kind != "wide"].mean() > 0.8


def test_right_matches_are_said_to_be_likelier_than_wrong_ones(tuned, held):
    said, _ = answers(held, tuned)
    assert said.probability[said.right].mean() > said.probability[~said.right].mean() + 0.4


def test_a_stronger_keypoint_agrees_no_less_with_itself(tuned):
    agreement = np.array(tuned.whitening.agreement)
    assert (np.diff(agreement, axis=0) >= 0).all()
    assert agreement.max() < 1


def test_a_calibration_is_of_the_method_that_it_was_fitted_to(tuned):
    assert (tuned.method, tuned.model, tuned.codebook) == (patches.METHOD, None, None)
    assert tuned.prior == 0.5


def test_logistic_regression_finds_the_weights_that_made_the_answers():
    random = np.random.default_rng(1)
    x = random.normal(size=(20_000, 2))
    right = random.uniform(size=len(x)) < sigmoid(1.5 * x[:, 0] - 0.5 * x[:, 1] - 1)
    found = judge({"x": x[:, 0], "y": x[:, 1]}, right)
    assert found.bias == pytest.approx(-1, abs=0.07)
    assert found.weights == pytest.approx({"x": 1.5, "y": -0.5}, abs=0.07)


def test_a_fitted_judge_is_on_the_diagonal_where_it_was_fitted():
    random = np.random.default_rng(1)
    x = random.normal(size=20_000)
    right = random.uniform(size=len(x)) < 0.1 + 0.7 * sigmoid(3 * x)
    found = judge({"x": x}, right)
    assert diagram(found.probability({"x": x}), right, 400).largest < 0.05


def test_a_curve_never_descends_and_is_never_certain():
    random = np.random.default_rng(1)
    scores, probabilities = curve_of(random.normal(size=500), random.uniform(size=500) < 0.5, np.ones(500))
    assert scores == sorted(scores)
    assert probabilities == sorted(probabilities)
    _, sure = curve_of(np.arange(500.0), np.ones(500, bool), np.ones(500))
    assert 0.9 < sure[-1] < 1


def test_both_answers_weigh_alike():
    truth = np.array([True, False, False, False])
    assert balance(truth)[truth].sum() == balance(truth)[~truth].sum() == 2


def test_a_match_is_right_within_a_cell_of_the_truth_and_never_between_two_places():
    pairs, nothing = np.array([[0, 0], [1, 1]]), np.zeros(2)
    found = Candidates(pairs, nothing, nothing, np.array([[0.0, 0], [5, 5]]), np.array([[0.9, 0], [5, 6.1]]))
    assert right_ones(found, np.eye(3)).tolist() == [True, False]
    assert not right_ones(found, None).any()


def test_a_diagram_is_exact_for_made_up_answers():
    found = diagram(np.array([0.25] * 4 + [0.95] * 2), np.array([1, 0, 0, 0, 1, 0]), enough=3)
    assert found.said == pytest.approx((0.25, 0.95))
    assert found.so == (0.25, 0.5)
    assert found.count == (4, 2)
    assert found.error == pytest.approx(0.45 * 2 / 6)
    assert found.largest == 0


def test_a_table_counts_what_was_said_of_each_kind():
    said = Answers(np.array([0.999, 0.999, 0.01, 0.5]), np.array([1, 1, 0, 0], bool), ["l"] * 4, ["s", "s", "t", "t"])
    silent = np.array([False, True, False, False])
    assert "| s | yes | 2 | 1 | 0 | 1 |" in verdicts(said, silent)
    assert "| t | no | 2 | 0 | 1 | 1 |" in verdicts(said, silent)
    assert "| l | 4 | 0.500 |" in table("places", said, 1)


def test_other_light_changes_the_shade_and_not_what_is_seen():
    plane = draw_background(640, 480, np.random.default_rng(1))
    other = lit(plane, np.random.default_rng(2))
    assert not np.array_equal(plane, other)
    assert np.corrcoef(plane.ravel(), other.ravel())[0, 1] > 0.98
