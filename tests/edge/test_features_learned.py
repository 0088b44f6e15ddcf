import math

import numpy as np
import pytest

from edge.features.learned import POOLED_STEPS, UNIT, Learned, described, pooled, read
from edge.features.map import Map
from models.load import load
from models.training.drawn import draw
from models.training.normalise import normalise
from wire.features import cells, signed_bytes, unit_vector

CELL = 16


@pytest.fixture(scope="module")
def learned():
    return Learned(load("learned-1"), expected_false=4.0)


def picture(seed):
    """A drawn place, (240, 320) grey, neither pale nor dark."""
    image = draw(np.random.default_rng((71, seed))).astype(float)
    return 128 + 45 * (image - image.mean()) / image.std()


def place(seed, rows=30, columns=40):
    """The map of a drawn place without noise."""
    image = picture(seed)
    high, wide = image.shape[0] // rows, image.shape[1] // columns
    return image[: rows * high, : columns * wide].reshape(rows, high, columns, wide).mean((1, 3))


def as_map(image, noise, cell=CELL, position=1):
    rows, columns = image.shape
    size = {"width": columns * cell, "height": rows * cell}
    return Map(image=image.astype(np.float32), noise=noise, cell=cell, fused=(position,), **size)


def seen(image, sd, seed):
    return as_map(image + np.random.default_rng(seed).laplace(0, sd / math.sqrt(2), image.shape), sd)


def matches(a, b):
    """Where mutual nearest neighbours by the cosine lie, in cells: (m, 2) in each map."""
    one, two = (signed_bytes(f.descriptors).astype(float) for f in (a, b))
    scores = one @ two.T
    nearest = scores.argmax(1)
    kept = np.flatnonzero(scores.argmax(0)[nearest] == np.arange(len(nearest)))
    return cells(a, CELL)[kept], cells(b, CELL)[nearest[kept]]


def mutual(a, b):
    """How far apart mutual nearest neighbours are, in cells."""
    one, two = matches(a, b)
    return np.linalg.norm(one - two, axis=1)


def test_the_same_map_gives_the_same_bytes(learned):
    source = seen(place(1), 10, 1)
    one, two = learned.describe(source), learned.describe(source)
    for field in ("keypoints", "descriptors", "vector"):
        assert np.array_equal(getattr(one, field), getattr(two, field))


def test_a_descriptor_is_the_sum_over_the_square_of_four_cells_around_its_point():
    local = np.random.default_rng(1).integers(-127, 128, (32, 9, 12))
    points = np.array([[2.5, 4.5], [3.0, 4.5], [3.25, 0.5], [-0.5, 8.75]])
    squares = [
        local[:, 4:6, 2:4].sum((1, 2)),
        (0.5 * local[:, 4:6, 2] + local[:, 4:6, 3] + 0.5 * local[:, 4:6, 4]).sum(1),
        (0.25 * local[:, 0:2, 2] + local[:, 0:2, 3] + 0.75 * local[:, 0:2, 4]).sum(1),
        local[:, 7:9, 0:2].sum((1, 2)),
    ]
    for found, square in zip(signed_bytes(described(local, points)), squares, strict=True):
        assert np.array_equal(found, np.clip(np.rint(square * UNIT / np.linalg.norm(square)), -127, 127))


def test_descriptors_have_one_length(learned):
    numbers = signed_bytes(learned.describe(seen(place(1), 10, 1)).descriptors).astype(float)
    lengths = np.linalg.norm(numbers, axis=1)
    assert numbers.shape[1] == 32
    assert np.all((lengths > 0.9 * UNIT) & (lengths < 1.02 * UNIT))


def test_light_that_is_added_or_multiplied_changes_next_to_nothing(learned):
    image = place(2)
    plain, lit = learned.describe(as_map(image, 5.0)), learned.describe(as_map(0.5 * image + 40, 2.5))
    assert float(unit_vector(plain) @ unit_vector(lit)) > 0.99
    assert np.mean(mutual(plain, lit) <= 1) > 0.95


@pytest.mark.parametrize("sd", [10, 20, 40])
def test_two_noisy_maps_of_one_place_match_and_nearly_all_matches_are_right(learned, sd):
    distances = [
        mutual(learned.describe(seen(place(k), sd, 1)), learned.describe(seen(place(k), sd, 2))) for k in range(6)
    ]
    counts = [int((d <= 1).sum()) for d in distances]
    assert np.mean(counts) > {10: 90, 20: 75, 40: 50}[sd]
    assert np.concatenate(distances).size * 0.8 < sum(counts)


def test_matches_follow_a_camera_that_has_turned_by_a_cell_and_a_half(learned):
    at_move, at_rest, count = 0, 0, 0
    for k in range(6):
        image = picture(k)
        parts = image[:228, :308], image[12:, 12:]
        still, moved = (part[:224, :304].reshape(28, 8, 38, 8).mean((1, 3)) for part in parts)
        one, two = matches(learned.describe(seen(still, 10, 1)), learned.describe(seen(moved, 10, 2)))
        at_move += int((np.linalg.norm(two - one + 1.5, axis=1) <= 1.5).sum())
        at_rest += int((np.linalg.norm(two - one, axis=1) <= 0.5).sum())
        count += len(one)
    assert at_move > 0.8 * count
    assert at_rest < 0.2 * count


def test_where_a_point_is_on_the_map_does_not_make_it_match(learned):
    pairs = [(a, b) for a in range(6) for b in range(6) if a < b]
    maps = [learned.describe(seen(place(k), 10, 3)) for k in range(6)]
    assert np.mean(np.concatenate([mutual(maps[a], maps[b]) for a, b in pairs]) <= 1) < 0.05


def test_the_vector_names_the_place_through_heavy_noise(learned):
    first, second = (
        np.stack([unit_vector(learned.describe(seen(place(k), 40, seed))) for k in range(20)]) for seed in (4, 5)
    )
    assert np.mean((first @ second.T).argmax(1) == np.arange(20)) >= 0.9


def test_a_pale_place_speaks_where_its_large_features_stand_out_of_the_noise(learned):
    slope = 128 + 12 * np.sin(np.linspace(0, 6.3, 40))[None] * np.ones((30, 1))
    assert learned.describe(seen(slope, 20, 1)).vector.any()
    assert not learned.describe(seen(slope, 400, 1)).vector.any()


def test_a_map_of_noise_alone_rarely_has_a_vector_and_hardly_a_keypoint(learned):
    described = [learned.describe(seen(np.full((30, 40), 128.0), 10, seed)) for seed in range(100)]
    assert sum(one.vector.any() for one in described) <= 12  # one in twenty is meant
    assert np.mean([len(one.keypoints) for one in described]) < 3 * 4.0


def test_a_flat_map_without_noise_says_nothing(learned):
    described = learned.describe(as_map(np.full((30, 40), 77.0), 0.0))
    assert len(described.keypoints) == 0
    assert not described.vector.any()


@pytest.mark.parametrize("shape", [(27, 48), (54, 96), (15, 20), (12, 12), (13, 61)])
def test_maps_of_any_size_are_described(learned, shape):
    described = learned.describe(seen(np.add.outer(np.arange(shape[0]) % 7, np.arange(shape[1]) % 5) * 20.0, 2, 1))
    assert len(described.vector) == 256
    assert len(described.keypoints) <= 256


@pytest.mark.parametrize(("shape", "cell"), [((7, 10), 64), ((11, 40), 16), ((2, 2), 128), ((1, 1), 64), ((1, 30), 16)])
def test_coarse_grids_have_a_vector_and_no_keypoints(learned, shape, cell):
    image = 128 + 60 * np.random.default_rng(1).standard_normal(shape)
    described = learned.describe(as_map(image, 1.0, cell))
    assert len(described.keypoints) == 0
    assert len(described.vector) == 256


def test_the_features_name_the_network_and_its_codebook(learned):
    model = load("learned-1")
    described = learned.describe(seen(place(1), 10, 1))
    assert (described.method, described.model, described.codebook) == ("learned-1", model.network, model.codebook)


def test_the_product_reads_maps_as_the_network_was_trained_to():
    image = place(3, 32, 40).astype(np.float32)
    expected = normalise(image[None], np.array([7.0]))
    assert np.abs(read(image, 7.0, 8).planes - expected).max() <= 1 / 32


def test_the_vector_is_pooled_from_the_whole_map_and_sixteen_overlapping_parts_of_it():
    context = np.random.default_rng(1).integers(0, 255, (16, 8, 10))
    rows, columns = (0, 1, 3, 4), (0, 2, 4, 6)
    parts = [context] + [context[:, top : top + 4, left : left + 4] for top in rows for left in columns]
    expected = np.concatenate([np.sqrt(np.square(part.astype(float)).mean((1, 2))) for part in parts])
    assert np.array_equal(pooled(context), np.rint(expected * POOLED_STEPS))
