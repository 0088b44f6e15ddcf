import cv2
import numpy as np
import pytest

from benchmarks.features.method import Described, Matches
from benchmarks.features.pair import Pair
from benchmarks.features.peers import PEERS, matching, peers
from benchmarks.features.peers.controls import RandomPoints, Thumbnail
from benchmarks.features.peers.families import Family
from benchmarks.features.peers.learned import Trunk, decode, learned, read_outputs
from benchmarks.features.peers.settings import Settings, parse, tuned
from benchmarks.features.peers.tune import best_threshold, tune


def scene(seed: int, shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    """Discs of many sizes before each other, in cells."""
    rng = np.random.default_rng(seed)
    plane = np.full((shape[0] * 8, shape[1] * 8), 120, np.uint8)
    for _ in range(90):
        x, y = rng.uniform(0, plane.shape[1]), rng.uniform(0, plane.shape[0])
        cv2.circle(plane, (int(x), int(y)), int(rng.uniform(5, 40)), int(rng.integers(20, 236)), -1)
    return cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)


def noised(image: np.ndarray, sd: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (image + rng.laplace(0, sd / np.sqrt(2), image.shape)).astype(np.float32)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_finds_most_of_a_scene_again_where_it_lies(name):
    method = PEERS[name](16, 2.5)
    image = scene(1)
    a, b = (method.describe(noised(image, 2.5, seed), 2.5) for seed in (1, 2))
    pairs = method.match(a, b).pairs
    near = np.linalg.norm(a.points[pairs[:, 0]] - b.points[pairs[:, 1]], axis=1) <= 1
    assert near.sum() >= 10
    assert near.mean() >= 0.7


@pytest.mark.parametrize("name", PEERS)
def test_a_flat_map_has_nothing_to_match(name):
    method = PEERS[name](16, 10)
    described = method.describe(np.full((30, 40), 100, np.float32), 10.0)
    assert len(described.points) == len(described.descriptors) == 0
    assert len(method.match(described, described).pairs) == 0


@pytest.mark.parametrize("method", peers(16, 10, loose=True), ids=lambda method: method.name)
def test_points_are_at_most_256_and_on_the_map(method):
    described = method.describe(noised(scene(2), 10, 3), 10.0)
    assert len(described.points) == len(described.descriptors) <= 256
    assert (described.points >= -0.5).all()
    assert (described.points <= (39.5, 29.5)).all()


@pytest.mark.parametrize("name", PEERS)
def test_points_turn_with_the_map_so_they_lean_to_no_side(name):
    method, image = PEERS[name](16, 0), scene(6)
    points = method.describe(image, 0.0).points
    turned = (39, 29) - method.describe(np.ascontiguousarray(image[::-1, ::-1]), 0.0).points
    apart = np.linalg.norm(points[:, None] - turned[None], axis=2)
    near = apart.min(axis=1) < 0.5
    off = np.median((points - turned[apart.argmin(axis=1)])[near], axis=0)
    assert near.sum() >= 10
    assert np.abs(off).max() / 2 < 0.08


def test_random_points_match_no_better_than_chance_and_come_again_for_the_same_map():
    method, image = RandomPoints(5), scene(3)
    a, again, b = method.describe(image, 0), method.describe(image.copy(), 0), method.describe(image + 1, 0)
    assert np.array_equal(a.points, again.points)
    pairs = method.match(a, b).pairs
    assert (np.linalg.norm(a.points[pairs[:, 0]] - b.points[pairs[:, 1]], axis=1) <= 1).sum() <= 5


def test_the_thumbnail_tells_scenes_apart_and_has_no_mean():
    method = Thumbnail()
    a, b, c = (method.describe(image, 10).vector for image in (scene(4), noised(scene(4), 10, 1), scene(5)))
    assert a.shape == (64,)
    assert abs(a.sum()) < 1e-9
    assert a @ b > 0.8 > a @ c


def described(points: list[tuple[float, float]], descriptors: list[list[float]], dtype: type = np.float64) -> Described:
    return Described(np.array(points, np.float64), np.array(descriptors, dtype), np.empty(0))


def test_the_score_of_floats_is_the_ratio_and_that_of_bits_the_margin():
    a = described([(0, 0)], [[0.0]])
    b = described([(0, 0), (5, 5)], [[1.0], [4.0]])
    assert matching.match(a, b, packed_bits=False, apart=0, margin=0).score == pytest.approx([0.75])
    a = described([(0, 0)], [[0b0]], np.uint8)
    b = described([(0, 0), (5, 5)], [[0b1], [0b11110]], np.uint8)
    assert matching.match(a, b, packed_bits=True, apart=0, margin=0).score == pytest.approx([3])


def test_a_point_found_twice_is_no_rival_and_no_second_match():
    a = described([(0, 0), (0, 0.1)], [[0.0], [0.3]])
    b = described([(3, 3), (3, 3.1), (9, 9)], [[0.1], [0.3], [8.0]])
    usual = matching.match(a, b, packed_bits=False, apart=0, margin=0)
    assert usual.score[0] == pytest.approx(1)
    assert len(usual.pairs) == 1
    a = described([(0, 0)], [[0.0]])
    apart = matching.match(a, b, packed_bits=False, apart=1, margin=0)
    assert apart.score == pytest.approx([1 - 0.1 / 8])


def test_settings_come_from_the_nearest_tuned_level():
    table = {"x 16 10": {"blur": 1.5}, "x 16 40": {"blur": 3.0}, "x 8 10": {"blur": 2.0}, "y 16 10": {"blur": 9.0}}
    start = Settings(blur=7.0)
    assert tuned("x", 16, 12, start, table).blur == 1.5
    assert tuned("x", 16, 400, start, table).blur == 3.0
    assert tuned("x", 8, 400, start, table).blur == 2.0
    assert tuned("z", 8, 10, start, table) == start


def test_settings_with_an_unknown_name_are_refused():
    with pytest.raises(ValueError, match="sharpen"):
        parse({"blur": 1.0, "sharpen": 2.0})


def test_networks_without_weights_are_said_to_be_left_out(tmp_path):
    made, left_out = learned({"xfeat": None, "superpoint": tmp_path / "gone.onnx"})
    assert made == {}
    assert left_out == [
        "xfeat: not run: no weight file was named (--xfeat PATH)",
        f"superpoint: not run: {tmp_path / 'gone.onnx'} is not a file",
    ]


def test_a_network_of_another_form_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 3, 4, 5\), not logits of 65 channels"):
        read_outputs([np.zeros((1, 3, 4, 5))])


def test_a_trunk_is_read_where_its_logits_point():
    logits = np.zeros((65, 3, 4), np.float32)
    logits[64] = 9
    logits[8 * 5 + 2, 1, 2] = 20  # row 5 and column 2 of the block in row 1 and column 2
    descriptors = np.zeros((6, 3, 4), np.float32)
    descriptors[4] = 2
    trunk = Trunk(logits, descriptors, np.ones((1, 3, 4), np.float32))
    points, found = decode(trunk, (24, 30), Settings(most=1), 4)
    assert points == pytest.approx(np.array([[18, 13]]), abs=0.1)
    assert found == pytest.approx(np.eye(6)[4:5])


class Grid:
    """Points on a grid; the share of right descriptors is highest at a blur of 1.4, and right ones are surer."""

    name, packed_bits = "grid", False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def describe(self, image, noise):
        points = np.stack(np.meshgrid(np.arange(0, 40, 2.0), np.arange(0, 30, 2.0)), -1).reshape(-1, 2)
        return Described(points, points, np.empty(0))

    def match(self, a, b):
        count = len(a.points)
        wrong = np.arange(count) < 40 + 100 * abs(self.settings.blur - 1.4)
        pairs = np.stack([np.arange(count), np.where(wrong, (np.arange(count) + 7) % count, np.arange(count))], 1)
        return Matches(pairs, np.where(wrong, 0.1, 0.5))


def test_tuning_finds_the_best_blur_and_a_margin_that_keeps_what_is_right():
    image = scene(7)
    pairs = [Pair(image, image, 0, 0, np.eye(3), "scene")]
    family = Family(Settings(blur=0.5), Grid, {"blur": (0.5, 1.0, 1.4, 2.0)})
    best = tune(family, pairs, [family.start], lambda pair, a, b: np.linalg.norm(a - b, axis=1) < 1, rounds=2)
    assert best.blur == 1.4
    assert best.margin <= 0.5


def test_the_threshold_keeps_the_most_correct_matches_of_which_nine_in_ten_are_right():
    score = np.linspace(1, 0, 20)
    right = np.array([1] * 9 + [0, 1, 1, 0, 1] + [0] * 6, bool)
    assert best_threshold(score, right) == (11, pytest.approx(score[11]))
    assert best_threshold(score, np.zeros(20, bool)) == (0, np.inf)
    assert best_threshold(np.full(20, 0.5), right) == (0, np.inf)
