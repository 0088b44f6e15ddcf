import math

import numpy as np
import pytest

from collector.compare import compare
from edge.features.classical import Classical
from edge.features.denoise import dct_matrix, denoise, texture, wiener
from edge.features.fineness import carries_keypoints
from edge.features.map import Map
from edge.features.sift import detect
from edge.features.vector import grid_vector, zigzag
from wire.features import cells, quantise_vector, strengths, unit_vector


def scene(rows=27, columns=48, seed=1, spread=50.0):
    """A 1/f scene on the grid, grey."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None])
    frequency[0, 0] = np.inf
    image = np.fft.ifft2(np.fft.fft2(rng.normal(size=(rows, columns))) / frequency).real
    return 128 + spread * image / image.std()


def noisy(image, sd, seed=0):
    return image + np.random.default_rng(seed).laplace(0, sd / math.sqrt(2), image.shape) if sd else image


def as_map(image, noise, cell=16, position=1):
    rows, columns = image.shape
    return Map(
        image=image.astype(np.float32),
        noise=noise,
        cell=cell,
        width=columns * cell,
        height=rows * cell,
        fused=(position,),
    )


@pytest.mark.parametrize("size", [1, 2, 7, 27, 48])
def test_the_dct_matrix_is_orthonormal_at_any_size(size):
    np.testing.assert_allclose(dct_matrix(size) @ dct_matrix(size).T, np.eye(size), atol=1e-12)


def test_the_second_row_of_the_dct_is_half_a_cosine():
    expected = np.cos(np.pi * (np.arange(8) + 0.5) / 8) / 2
    np.testing.assert_allclose(dct_matrix(8)[1], expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(27, 48), (30, 40), (13, 21), (7, 10)])
def test_denoising_brings_a_map_at_20_grey_nearer_to_the_truth(shape):
    truth = scene(*shape)
    before, after = [], []
    for seed in range(20):
        seen = noisy(truth, 20, seed)
        before.append(np.mean((seen - truth) ** 2))
        after.append(np.mean((wiener(seen, 20.0) - truth) ** 2))
    assert np.mean(after) < np.mean(before)
    if min(shape) > 20:
        assert np.mean(after) < 0.8 * np.mean(before)


def test_denoising_keeps_the_mean_and_leaves_a_noiseless_map_as_it_is():
    truth = scene()
    np.testing.assert_allclose(wiener(truth, 0.0), truth, atol=1e-6)
    assert wiener(noisy(truth, 20), 20.0).mean() == pytest.approx(noisy(truth, 20).mean())


def test_noise_alone_is_no_texture():
    flat = np.full((27, 48), 128.0)
    assert sum(texture(noisy(flat, 10, seed), 10.0) > 0 for seed in range(200)) == 0


@pytest.mark.parametrize("noise", [0.0, 5.0, 20.0])
def test_a_map_without_texture_has_no_keypoints_and_a_zero_vector(noise):
    features = Classical().describe(as_map(np.full((27, 48), 90.0), noise))
    assert features.keypoints.shape == (0, 5)
    assert features.descriptors.shape == (0, 128)
    assert features.vector.shape == (128,)
    assert not features.vector.any()


def test_a_textured_map_has_keypoints_strongest_first_and_a_unit_vector():
    features = Classical().describe(as_map(noisy(scene(), 5), 5.0))
    assert 30 < len(features.keypoints) <= 256
    assert (np.diff(strengths(features)) <= 0).all()
    assert strengths(features)[0] > 1
    assert np.linalg.norm(unit_vector(features)) == pytest.approx(1, abs=1e-12)
    assert (features.width, features.height, features.noise, features.fused) == (768, 432, 5.0, [1])


@pytest.mark.parametrize("cell", [8, 16, 32])
def test_a_blob_on_a_cell_is_found_at_that_cell_centre_in_frame_pixels(cell):
    rows, columns = np.mgrid[:27, :48]
    image = 100 + 100 * np.exp(-((rows - 13) ** 2 + (columns - 20) ** 2) / (2 * 2.0**2))
    keypoints, _ = detect(image.astype(np.float32), cell)
    centre = np.array([20.5, 13.5]) * cell - 0.5
    off = np.abs(keypoints[:, :2] - centre).max(axis=1)
    assert off.min() < 0.06 * cell


def test_a_scene_moved_by_three_cells_moves_its_keypoints_by_three_cells():
    wide = scene(30, 60)
    first, a = detect(wide[:27, :48].astype(np.float32), 16)
    second, b = detect(wide[:27, 3:51].astype(np.float32), 16)
    distance = np.linalg.norm(a[:, None].astype(float) - b[None].astype(float), axis=2)
    nearest = distance.argmin(axis=1)
    close = distance.min(axis=1) < 60
    moved = first[close, :2] - second[nearest[close], :2]
    assert close.sum() > 20
    np.testing.assert_allclose(np.median(moved, axis=0), (48, 0), atol=1.0)


@pytest.mark.parametrize(
    ("rows", "columns", "cell", "carries"),
    [
        (27, 48, 16, True),
        (54, 96, 8, True),
        (15, 20, 32, True),
        (7, 10, 64, False),
        (30, 40, 64, False),
        (11, 90, 16, False),
    ],
)
def test_grids_that_are_too_coarse_carry_no_keypoints(rows, columns, cell, carries):
    assert carries_keypoints(rows, columns, cell) is carries
    keypoints, _ = detect(scene(rows, columns).astype(np.float32), cell)
    assert (len(keypoints) > 0) is carries


def test_what_is_published_lies_within_half_a_step_of_what_was_found():
    source = as_map(noisy(scene(), 5), 5.0)
    found, _ = detect(denoise(source), source.cell)
    step = np.array([source.width, source.height]) / 256 / source.cell
    exact = (found[:, :2] + 0.5) / source.cell - 0.5
    assert (np.abs(cells(Classical().describe(source), source.cell) - exact) <= step / 2 + 1e-5).all()


def test_rounding_for_the_wire_moves_a_cosine_by_less_than_a_hundredth():
    vectors = [grid_vector(wiener(noisy(scene(seed=place), 10, place), 10.0)) for place in range(12)]
    rounded = [quantise_vector(vector).astype(float) for vector in vectors]
    unit = np.array([each / np.linalg.norm(each) for each in rounded])
    assert np.abs(unit @ unit.T - np.array(vectors, float) @ np.array(vectors, float).T).max() < 0.01


def test_a_map_without_noise_has_keypoints_of_the_largest_strength():
    assert set(Classical().describe(as_map(scene(), 0.0)).keypoints[:, 3].tolist()) == {255}


def test_describing_a_map_twice_gives_the_same_bytes():
    one, two = Classical().describe(as_map(scene(), 5.0)), Classical().describe(as_map(scene(), 5.0))
    assert one.keypoints.tobytes() == two.keypoints.tobytes()
    assert one.descriptors.tobytes() == two.descriptors.tobytes()
    assert one.vector.tobytes() == two.vector.tobytes()


def test_the_zigzag_is_the_one_of_jpeg():
    expected = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5]
    assert zigzag(8, 8)[:16].tolist() == expected
    assert sorted(zigzag(5, 9).tolist()) == list(range(45))


@pytest.mark.parametrize(("shape", "length"), [((27, 48), 128), ((7, 10), 69), ((1, 2), 1), ((1, 1), 0)])
def test_the_vector_has_at_most_128_components_and_never_the_mean(shape, length):
    vector = grid_vector(scene(*shape) if shape != (1, 1) else np.ones((1, 1)))
    assert vector.shape == (length,)


def test_the_vector_does_not_change_with_the_gain_and_the_brightness_of_the_light():
    image = scene()
    np.testing.assert_allclose(grid_vector(image), grid_vector(0.7 * image + 30), atol=1e-5)


def test_vectors_of_one_noisy_place_agree_and_those_of_two_places_do_not():
    one, again, other = (
        grid_vector(wiener(noisy(scene(seed=place), 10, seed), 10.0)) for place, seed in ((1, 1), (1, 2), (2, 3))
    )
    assert one @ again > 0.65
    assert one @ other < 0.3


@pytest.mark.parametrize("stated", [14.0, 20.0])
def test_maps_of_nothing_but_noise_are_not_called_the_same_place_even_where_the_noise_is_understated(stated):
    flat = np.full((27, 48), 128.0)
    verdicts = [
        compare(
            Classical().describe(as_map(noisy(flat, 20, 2 * seed), stated, position=1)),
            Classical().describe(as_map(noisy(flat, 20, 2 * seed + 1), stated, position=2)),
        ).verdict
        for seed in range(40)
    ]
    assert "same place" not in verdicts
