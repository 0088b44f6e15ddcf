"""The feature benchmark measures what it says, and its small version tells methods from chance."""

import math

import cv2
import numpy as np
import pytest

from benchmarks.features import __main__ as command
from benchmarks.features import metrics, plots, results, tables, vectors, verify
from benchmarks.features.bench import Group, run
from benchmarks.features.intervals import Interval, ratio
from benchmarks.features.levels import LEVELS, Level, Sums, absolute, laplace, mechanism, residual
from benchmarks.features.measure import Outcome
from benchmarks.features.method import Described, Matches
from benchmarks.features.methods import line_up
from benchmarks.features.ours import Ours, detector
from benchmarks.features.places import in_cells, project, random_homography, sums_of
from benchmarks.features.rooms import furnish, light, look, shade
from benchmarks.features.score import EACH, Row, gain, scores, tune
from benchmarks.features.sources import clip, counts_of, covering, drawn
from collector.match.calibration import Calibration, Judge, Whitening
from edge.features.classical import METHOD, Classical
from edge.features.map import laplace_sd
from edge.privacy.lut import LinearLut, ResidualLut

SHAPE = (30, 40)
SHIFT = np.array([[1, 0, 3.0], [0, 1, 0], [0, 0, 1]])


def grid(step=4.0):
    y, x = np.mgrid[2:28:step, 2:38:step]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(float)


def test_points_that_moved_with_the_scene_are_all_found_again():
    a = grid()
    assert metrics.repeatability(a, a + np.array([3, 0]), SHIFT, SHAPE, 0.5) == 1.0


def test_a_point_that_the_other_map_does_not_show_does_not_count():
    a, b = np.array([[38.0, 5.0], [10.0, 10.0]]), np.array([[13.0, 10.0]])
    assert metrics.repeatability(a, b, SHIFT, SHAPE, 0.5) == 1.0


def test_repeatability_counts_both_sides_and_the_distance():
    a = np.array([[10.0, 10.0], [20.0, 20.0]])
    b = np.array([[10.0, 10.8], [30.0, 20.0], [5.0, 25.0]])
    assert metrics.repeatability(a, b, np.eye(3), SHAPE, 1.0) == pytest.approx(2 / 5)
    assert metrics.repeatability(a, b, np.eye(3), SHAPE, 0.5) == 0.0
    assert metrics.repeatability(a, np.empty((0, 2)), np.eye(3), SHAPE, 1.0) == 0.0


def test_a_match_is_right_within_the_distance_of_where_the_truth_takes_it():
    a = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    b = np.array([[4.0, 1.9], [4.0, 2.1], [1.0, 1.0]])
    assert metrics.right(a, b, SHIFT, 1.0).tolist() == [True, False, False]


def test_points_behind_the_camera_are_nowhere():
    assert np.isinf(project(np.array([[1, 0, 0], [0, 1, 0], [-1.0, 0, 1]]), np.array([[2.0, 0.0]]))).all()


def test_corner_error_is_the_mean_distance_of_the_corners_and_infinite_without_a_model():
    assert metrics.corner_error(SHIFT, np.eye(3), SHAPE) == pytest.approx(3.0)
    assert metrics.corner_error(None, np.eye(3), SHAPE) == math.inf


def test_area_falls_from_one_at_no_error_to_nothing_at_the_bound():
    assert [metrics.area(error, 2.0) for error in (0.0, 0.5, 2.0, math.inf)] == [1.0, 0.75, 0.0, 0.0]


def test_the_threshold_keeps_as_many_good_ones_as_the_precision_allows():
    value = np.array([9.0, 8, 7, 6, 5, 4])
    good = np.array([1.0, 1, 0, 1, 1, 0])
    assert metrics.threshold_at(value, good, np.ones(6), 0.8).least == 5
    assert metrics.threshold_at(value, good, np.ones(6), 0.9).least == 8
    assert metrics.threshold_at(-value, good, np.ones(6), 0.9).least == math.inf


def test_equal_scores_are_kept_or_dropped_together():
    assert metrics.threshold_at(np.array([2.0, 1, 1]), np.array([1.0, 1, 0]), np.ones(3), 0.9).least == 2


def test_a_match_that_is_a_surer_one_over_again_counts_once():
    a = np.array([[5.0, 5], [5.2, 5], [5.2, 5], [9, 9]])
    b = np.array([[7.0, 5], [7.2, 5.3], [20, 5], [9, 9]])
    assert metrics.apart(a, b, np.array([1.0, 2, 0.5, 0.1]), 1.0).tolist() == [False, True, True, True]


def test_a_homography_is_found_among_wrong_matches_and_none_among_random_ones():
    random = np.random.default_rng(0)
    truth = in_cells(random_homography(640, 480, random, wide=False), 16)
    a = grid(3.0)
    b = project(truth, a)
    b[::4] = random.uniform(0, 30, b[::4].shape)
    found = verify.homography(a, b)
    assert not found.kept[::4].any()
    assert found.kept.sum() == len(a) - len(a[::4])
    assert metrics.corner_error(found.homography, truth, SHAPE) < 0.1
    assert verify.homography(a[:4], b[:4]).homography is None


def test_drift_follows_the_camera_a_little_and_no_further():
    a = grid()
    assert verify.drift(a, a + np.array([0.8, -0.6])).kept.all()
    assert not verify.drift(a, a + np.array([5.0, 0.0])).kept.any()
    assert verify.drift(a[:0], a[:0]).homography is None


def test_a_homography_of_pixels_is_the_same_motion_in_cells():
    pixels = random_homography(640, 480, np.random.default_rng(3), wide=True)
    cells = np.array([[3.0, 4.0], [20.0, 9.0]])
    there = project(pixels, (cells + 0.5) * 16 - 0.5)
    assert project(in_cells(pixels, 16), cells) == pytest.approx((there + 0.5) / 16 - 0.5)


def test_intervals_resample_places_and_not_what_was_seen_of_them():
    alike = ratio([(f"place {i}", 1.0, 2.0) for i in range(10)])
    assert (alike.value, alike.low, alike.high, alike.n) == (0.5, 0.5, 0.5, 10)
    once = ratio([(f"place {i}", float(i % 2), 1.0) for i in range(20)])
    often = ratio([(f"place {i}", float(i % 2), 1.0) for i in range(20) for _ in range(50)])
    assert once.high - once.low == pytest.approx(often.high - often.low)
    assert once.low < 0.35
    assert once.high > 0.65


@pytest.mark.parametrize("level", [Level(16, 10), Level(8, 40), Level(16, 10, 32)], ids=lambda level: level.name)
def test_the_mechanism_has_the_noise_of_its_level(level):
    lut = ResidualLut(np.zeros((1, 1), np.int64), level.tau, 255) if level.tau else LinearLut(255)
    used = mechanism(lut, level, (1, 1), 144)
    assert laplace_sd(used.scale) / (144 * level.cell**2) == pytest.approx(level.noise, rel=1e-3)


def test_epsilon_is_the_slope_of_the_mechanism_times_the_unit():
    level = Level(16, 10)
    used = mechanism(LinearLut(255), level, (1, 1), 14400)
    assert float(used.slope) * 1024 * 100 == pytest.approx(level.epsilon, rel=1e-3)
    assert level.epsilon == pytest.approx(1.0, rel=0.01)


def test_the_noise_has_the_law_that_the_product_samples():
    """tests/edge/test_privacy_sampling.py holds the product's exact sampler against the same probabilities."""
    used = mechanism(LinearLut(255), Level(16, 0.02), (1, 1), 1)
    drawn_noise = laplace(used.scale, (200_000,), np.random.default_rng(0))
    ratio_ = math.exp(-1 / used.scale)
    expected = [(1 - ratio_) / (1 + ratio_) * ratio_ ** abs(k) for k in range(-6, 7)]
    counted = [(drawn_noise == k).mean() for k in range(-6, 7)]
    assert counted == pytest.approx(expected, abs=5 * math.sqrt(0.15 * 0.85 / 200_000))


def test_maps_without_noise_are_the_means_of_cells():
    frames = np.random.default_rng(0).integers(0, 256, (3, 50, 70), dtype=np.uint8)
    made = absolute(sums_of(frames, 16), Level(16, 0), np.random.default_rng(0))
    assert made.image.shape == (3, 4)
    assert made.image[1, 2] == pytest.approx(frames[:, 16:32, 32:48].mean(), abs=1e-3)


def test_sums_of_counts_are_the_sums_of_clamped_pixels():
    frames = np.random.default_rng(1).integers(0, 256, (2, 32, 48), dtype=np.uint8)
    reference = np.random.default_rng(2).integers(0, 256, (2, 3))
    lut = ResidualLut(reference, 32, 255)
    clamped = np.clip(frames.astype(int) - np.kron(reference, np.ones((16, 16), int)), -32, 32) + 32
    expected = clamped.sum(axis=0).reshape(2, 16, 3, 16).sum(axis=(1, 3))
    assert (counts_of(frames, 16).sums(lut) == expected).all()


def test_a_residual_map_is_nearer_to_the_place_than_the_absolute_one_before():
    plane = np.random.default_rng(0).integers(90, 110, (48, 64)).astype(np.uint8)
    frames = np.repeat(plane[None], 4, axis=0)
    truth = sums_of(frames, 16)
    errors = []
    for level, made in (
        (Level(16, 10), absolute(truth, Level(16, 10), np.random.default_rng(5))),
        (Level(16, 10, 32), residual(truth, counts_of(frames, 16), Level(16, 10, 32), np.random.default_rng(5))),
    ):
        assert made.noise == pytest.approx(level.noise, rel=0.01)
        errors.append(float(np.std(made.image - truth.total / (4 * 256))))
    assert errors[1] < errors[0] / 2


def test_halves_of_a_clip_share_no_frame(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "c.avi"), cv2.VideoWriter_fourcc(*"FFV1"), 10, (64, 64), isColor=False)
    for grey in (10, 20, 30, 40, 50, 60, 70, 80):
        writer.write(np.full((64, 64), grey, np.uint8))
    writer.release()
    place = clip(tmp_path / "c.avi")
    means = {view: seen.sums[16].total.mean() / (256 * seen.sums[16].frames) for view, seen in place.views.items()}
    assert means == {"first": pytest.approx(25, abs=1), "still": pytest.approx(65, abs=1)}
    before, then = place.views["still"].chain[16]
    assert (before.frames, then.frames) == (2, 2)
    assert before.total.mean() / 512 == pytest.approx(55, abs=1)


def test_photographs_cover_the_frame_whatever_their_shape():
    for shape in ((321, 481), (481, 321), (480, 640), (1000, 900)):
        assert covering(np.zeros(shape, np.uint8)).shape == (480, 640)


def test_noise_is_the_same_for_the_same_seed_and_independent_between_views():
    place = next(drawn(1, tuning=False))
    level = Level(16, 20)
    once, again = place.map("first", level, 0), place.map("first", level, 0)
    other, still = place.map("first", level, 1), place.map("still", level, 0)
    clean = {view: place.map(view, Level(16, 0), 0).image for view in ("first", "still")}
    assert (once.image == again.image).all()
    left = [(made.image - clean[view]).ravel() for made, view in ((once, "first"), (other, "first"), (still, "still"))]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(left[a], left[b])[0, 1]) < 0.15


def test_a_room_changes_with_the_light_and_not_in_shape():
    random = np.random.default_rng(0)
    panels = furnish(random)
    surface = look(panels, random, 80, 60)
    assert np.isfinite(surface.position).all()
    one, two = (shade(surface, panels, light(random)) for _ in range(2))
    assert np.abs(one - two).mean() > 5
    assert min(one.std(), two.std()) > 10


def test_vlad_is_of_unit_length_and_empty_maps_have_none():
    random = np.random.default_rng(0)
    descriptors = random.normal(size=(200, 8)).astype(np.float32)
    centres = vectors.codebook(descriptors, random)
    assert np.linalg.norm(vectors.vlad(descriptors, centres)) == pytest.approx(1)
    assert not vectors.vlad(descriptors[:0], centres).any()
    assert vectors.codebook(descriptors[:20], random) is None


def test_packed_bits_are_unpacked():
    assert vectors.floats(np.array([[129]], np.uint8), packed_bits=True).tolist() == [[1, -1, -1, -1, -1, -1, -1, 1]]


def test_ranks_count_what_is_at_least_as_near_so_that_zeros_find_nothing():
    e = np.eye(3)
    looks = {("a", "first"): e[0], ("b", "first"): e[1], ("a", "still"): e[0], ("b", "still"): np.zeros(3)}
    assert vectors.ranks(looks, "still") == {"a": 1, "b": 2}
    looks["b", "still"] = 0.9 * e[0] + 0.1 * e[1]
    assert vectors.ranks(looks, "still")["b"] == 2


def test_vectors_of_small_grids_are_compared_by_what_they_have():
    looks = {
        ("a", "first"): np.array([1.0, 0, 0]),
        ("a", "still"): np.array([0.8, 0.6, 0]),
        ("b", "first"): np.array([0.0, 1]),
        ("b", "still"): np.array([0.6, 0.8]),
    }
    assert vectors.ranks(looks, "still") == {"a": 1, "b": 1}


def test_few_shots_ask_the_mean_of_what_was_shown():
    e = np.eye(4)
    looks = {
        ("a", "first"): e[0],
        ("a", "still"): e[1],
        ("b", "first"): e[2],
        ("b", "still"): e[3],
        ("a", "wide"): e[1],
        ("b", "wide"): e[0],
    }
    assert vectors.few_shot(looks, ("first", "still"), ("wide",)) == {"a": 1.0, "b": 0.0}


def test_clusters_that_are_the_places_are_perfect():
    looks = {(f"place {i}", f"view {j}"): np.eye(4)[i] + 0.01 * j for i in range(4) for j in range(3)}
    assert set(vectors.clusters(looks, 0).values()) == {1.0}


def outcome(score, right, verified, *, other=False, place="p", corner=0.0):
    return Outcome(
        place=place,
        view="still",
        seed=0,
        other=other,
        points=10,
        again=(0.5, 0.5),
        score=np.array(score, float),
        right=np.array(right, bool) & (not other),
        verified=np.array(verified, bool),
        apart=np.array(verified, bool),
        here=0.0,
        corner=corner,
    )


def test_pairs_with_fewer_verified_matches_than_strangers_have_are_not_accepted():
    tuning = [outcome([1] * 8, [1] * 8, [1] * 8), outcome([1] * 5, [0] * 5, [1] * 5, other=True)]
    tuned = tune(tuning)
    assert tuned.count.least == 6
    values = scores([outcome([1] * 9, [1] * 9, [1] * 9), outcome([1] * 5, [1] * 5, [1] * 5, place="q")], tuned)
    assert values["accepted correct"].value == 4.5
    assert values["accepted places"].value == 0.5
    assert values["verified correct"].value == 7


def test_precision_is_pooled_over_pairs_and_mma_is_the_mean_of_pairs():
    tuned = tune([outcome([1], [1], [1])])
    values = scores([outcome([1, 1, 1, 1], [1, 1, 1, 1], [0] * 4), outcome([1], [0], [0], place="q")], tuned)
    assert values["precision"].value == pytest.approx(0.8)
    assert values["mma@1"].value == pytest.approx(0.5)
    assert math.isnan(values["verified precision"].value)


def test_the_best_threshold_is_chosen_on_what_is_shown_and_the_tuned_one_is_not():
    tuned = tune([outcome([5, 1], [1, 0], [1, 0])])
    values = scores([outcome([4, 3, 2, 1], [1, 1, 0, 0], [1] * 4)], tuned)
    assert tuned.score.least == 5
    assert values["tuned correct"].value == 0
    assert values["best correct"].value == 2


class Oracle:
    """Knows where the points of the drawn scenes are, and so must be perfect."""

    name = "oracle"
    packed_bits = False

    def describe(self, image, noise):
        return Described(grid(), np.eye(len(grid())), np.empty(0))

    def match(self, a, b):
        every = np.arange(len(a.points))
        return Matches(np.stack([every, every], axis=1), np.ones(len(every)))


@pytest.fixture(scope="module")
def small_rows():
    """Three drawn places, a peer and the controls, without noise and with a lot."""
    cv2.setNumThreads(1)
    made = line_up()
    methods = {name: made[name] for name in ("sift-dctwiener", "random", "thumbnail")} | {"oracle": lambda *_: Oracle()}
    places = list(drawn(3, tuning=False))
    levels = (Level(16, 0), Level(16, 30))
    group = Group("drawn", places, list(drawn(3, tuning=True)), ("still", "moderate"), levels)
    return [row for _, rows in run([group], methods, 1) for row in rows]


def one(rows, method, sd, measure, view="still"):
    found = [row for row in rows if (row.method, row.sd, row.view) == (method, sd, view) and measure in row.values]
    assert len(found) == 1
    return found[0].values[measure].value


def test_the_scale_ends_at_a_method_that_knows_the_answer(small_rows):
    assert one(small_rows, "oracle", 30, "precision") == 1.0
    assert one(small_rows, "oracle", 30, "rep@1") == 1.0
    assert one(small_rows, "oracle", 30, "auc@0.5") == pytest.approx(1.0)
    assert one(small_rows, "oracle", 30, "precision", "moderate") < 0.5


def test_points_on_a_lattice_come_back_in_places_that_were_never_seen(small_rows):
    assert one(small_rows, "oracle", 30, "other rep@1") == 1.0
    assert one(small_rows, "random", 30, "other rep@1") < 0.25


def test_random_points_are_at_chance(small_rows):
    assert one(small_rows, "random", 0, "precision") < 0.05
    assert one(small_rows, "random", 0, "accepted correct", "moderate") == 0
    assert one(small_rows, "random", 0, "rep@1") < 0.25


def test_a_method_does_better_without_noise_than_with_it(small_rows):
    for measure in ("verified correct", "precision", "rep@1"):
        assert one(small_rows, "sift-dctwiener", 0, measure) > one(small_rows, "sift-dctwiener", 30, measure)
    assert one(small_rows, "sift-dctwiener", 30, "precision") > 0.2


def test_other_places_are_not_taken_for_the_same(small_rows):
    assert one(small_rows, "sift-dctwiener", 0, "other accepted places") == 0
    assert one(small_rows, "sift-dctwiener", 0, "accepted places") == 1


def test_a_thumbnail_has_no_points_but_a_vector(small_rows):
    assert one(small_rows, "thumbnail", 30, "recall@1") == 1.0
    assert not [row for row in small_rows if row.method == "thumbnail" and "correct" in row.values]


def test_rows_come_back_from_disk_as_they_were(small_rows, tmp_path):
    path = tmp_path / "rows.json"
    results.write(path, small_rows, {"seeds": 1})
    facts, rows = results.read(path)
    assert facts == {"seeds": 1}
    assert tables.overview(rows) == tables.overview(small_rows)
    assert tables.details(rows) == tables.details(small_rows)
    path.write_text("[]")
    with pytest.raises(SystemExit, match="no results of this benchmark"):
        results.read(path)


def test_every_table_has_its_controls_and_its_upper_bound(small_rows):
    for part in tables.overview(small_rows).split("## ")[1:]:
        for line in ("| random |", "| thumbnail |", "b 16 sd 0"):
            assert line in part
    for part in tables.details(small_rows).split("## ")[1:]:
        for line in ("| random |", "| thumbnail (no points) |", "**b 16 sd 0**"):
            assert line in part


def test_only_what_stands_below_the_mark_of_a_page_is_written_again(tmp_path):
    page = tmp_path / "features.md"
    page.write_text(f"# Protocol\n\nwords\n\n{command.MARK}\n\nold tables\n")
    command.write(page, "new tables\n")
    assert page.read_text() == f"# Protocol\n\nwords\n\n{command.MARK}\n\nnew tables\n"


def test_plots_have_a_line_for_each_method(tmp_path):
    values = {"apart correct": Interval(5, 4, 6, 3)}
    rows = [Row("drawn", "still", 16, sd, 0, method, values) for sd in (10, 20) for method in ("one", "two")]
    (path,) = plots.write(tmp_path, rows)
    assert path.name == "drawn-still-b16-apart-correct.svg"


def test_an_unknown_method_is_refused_by_name_and_the_controls_always_run():
    with pytest.raises(SystemExit, match="no method serf"):
        command.pick(line_up(), "sift,serf")
    assert list(command.pick(line_up(), "orb")) == ["orb", "random", "thumbnail"]


def test_every_method_can_be_named_in_a_list_with_commas():
    assert not [name for name in line_up() if "," in name]


def test_levels_are_chosen_by_cell_and_noise():
    assert command.at(LEVELS, "16:2.5,8:6") == [Level(8, 6), Level(16, 2.5)]
    assert command.at((Level(16, 10), Level(16, 10, 32)), "16:10:32") == [Level(16, 10, 32)]
    with pytest.raises(SystemExit, match="not a list of cell:sd"):
        command.at(LEVELS, "place")


def test_the_profiles_and_the_clean_bound_are_among_the_levels():
    for cell, sd in ((16, 20), (64, 10), (16, 10), (8, 6), (32, 10), (64, 15), (64, 22.5), (16, 40), (8, 40), (16, 0)):
        assert Level(cell, sd) in LEVELS


def test_without_a_folder_of_data_the_command_says_what_to_do():
    with pytest.raises(SystemExit, match="Give one, or --small"):
        command.main([])
    assert Sums(np.zeros((1, 1), np.int64), 1).frames == 1


def test_the_product_is_measured_in_the_bytes_that_travel():
    image = next(drawn(1, tuning=False)).map("first", Level(16, 0), 0).image
    method = Ours("ours", Classical(), 16)
    described = method.describe(image, 0.0)
    steps = (described.points + 0.5) * 256 / (40, 30) - 0.5
    assert len(described.points) > 50
    assert steps == pytest.approx(np.rint(steps))
    found = method.match(described, described)
    assert (found.pairs[:, 0] == found.pairs[:, 1]).mean() > 0.9
    with pytest.raises(TypeError, match="another method"):
        method.match(described, Described(described.points, described.descriptors, described.vector))


@pytest.mark.parametrize("weighed", [False, True])
def test_the_collectors_matching_is_measured_where_a_calibration_is_known(weighed):
    place = next(drawn(1, tuning=False))
    by_likelihood = Judge(bias=0.0, weights={"likelihood": 0.1})
    size = 128
    known = Calibration(
        method=METHOD,
        model=None,
        codebook=None,
        fitted="not at all",
        prior=0.5,
        slack=0.5,
        sharpness=0.0,
        trust=1.0,
        chance=0,
        whitening=Whitening(
            mean=[20.0] * size,
            basis=np.eye(size).tolist(),
            strengths=[1.0],
            deviation=[[30.0] * size],
            agreement=[[0.9] * size],
        ),
        descriptor=by_likelihood,
        match=by_likelihood,
        place=Judge(bias=0.0, weights={"still": 0.1}),
    )
    method = Ours("ours", Classical(), 16, weighed=weighed, known=[known])
    a, b = (method.describe(place.map(view, Level(16, 2.5), 0).image, 2.5) for view in ("first", "still"))
    found = method.match(a, b)
    assert found.first.shape == found.second.shape == found.pairs.shape
    assert metrics.right(found.first, found.second, np.eye(3), 1.0).mean() > 0.5
    assert bool(len(a.vector)) is not weighed


def test_a_detector_alone_is_measured_by_its_points():
    method = detector()
    described = method.describe(next(drawn(1, tuning=False)).map("first", Level(16, 5), 0).image, 5.0)
    assert len(described.points) > 10
    assert not len(method.match(described, described).pairs)


def test_a_gain_is_paired_by_place():
    rows = [
        Row("drawn", "still", 16, 10, 0, name, {}, {f"place {i}": [0.0, times * (i + 1.0), 0.0, 0.0] for i in range(9)})
        for name, times in (("one", 3.0), ("two", 2.0))
    ]
    assert gain(*rows, "verified") == Interval(1.5, 1.5, 1.5, 9)


def test_what_a_row_keeps_of_each_place_adds_up_to_its_means(small_rows):
    (row,) = [r for r in small_rows if (r.method, r.sd, r.view) == ("sift-dctwiener", 30, "still") and r.each]
    for index, kind in enumerate(EACH):
        total = sum(one[index] for one in row.each.values())
        assert total / len(row.each) == pytest.approx(row.values[f"{kind} correct"].value)


def test_pooled_groups_are_asked_in_one_gallery():
    cv2.setNumThreads(1)
    places = list(drawn(4, tuning=False))
    groups = [
        Group(name, part, (), ("still",), (Level(64, 22.5),), pooled=True)
        for name, part in (("a", places[:2]), ("b", places[2:]))
    ]
    rows = [row for _, rows in run(groups, {"thumbnail": line_up()["thumbnail"]}, 2) for row in rows]
    counted = {row.group: row.values["recall@1"].n for row in rows}
    assert counted == {"a": 2, "b": 2, "a, b": 4}
