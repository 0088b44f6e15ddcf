import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from published import Published

from collector.compare import compare
from edge.features.classical import Classical
from edge.features.map import Map, MapKeeper, average, estimate_of, laplace_sd, reference_of, undo
from edge.privacy.lut import LinearLut, LogLut, ResidualLut
from edge.privacy.mechanism import Mechanism

CELL, ROWS, COLUMNS, FRAMES = 16, 27, 48, 144


def mechanism(lut, scale=1):
    return Mechanism(lut=lut, cell=CELL, rows=ROWS, columns=COLUMNS, frames=FRAMES, scale=scale)


def value(lut, grey):
    """T(grey)."""
    return int(lut.table[grey]) if isinstance(lut, LogLut) else grey


def place(seed=1):
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(20, 236, (9, 16)), np.ones((3, 3), np.int64))


def residual_sums(shown, lut, seed=0, scale=1):
    """The sums of a window in which each cell shows one grey throughout, plus Laplace noise."""
    tau = lut.range // 2
    clean = (np.clip(shown - lut.reference, -tau, tau) + tau) * FRAMES * CELL**2
    return clean + np.rint(np.random.default_rng(seed).laplace(0, scale, clean.shape)).astype(np.int64)


def test_only_a_release_is_described():
    for impostor in (np.zeros((ROWS, COLUMNS)), None, b"", object()):
        with pytest.raises(TypeError, match="releases only"):
            MapKeeper(fuse=1).add(impostor)
        with pytest.raises(TypeError, match="releases only"):
            estimate_of(impostor, 0.0)


@pytest.mark.parametrize("grey", [0, 3, 77, 200, 255])
@pytest.mark.parametrize("make", [lambda: LinearLut(255), lambda: LogLut(255, 64)])
def test_absolute_sums_come_back_as_the_grey_that_was_summed(make, grey):
    lut = make()
    sums = np.full((ROWS, COLUMNS), value(lut, grey) * FRAMES * CELL**2)
    np.testing.assert_allclose(undo(1, sums, mechanism(lut)).grey, grey, atol=0.5)


def test_residual_sums_come_back_as_the_place_where_it_is_within_tau_of_the_reference():
    shown = place()
    lut = ResidualLut(shown + 20, 32, 255)
    estimate = undo(1, residual_sums(shown, lut), mechanism(lut))
    np.testing.assert_allclose(estimate.grey, shown, atol=0.1)
    assert estimate.verdict == "same"


def test_a_residual_of_another_place_contradicts_its_reference():
    lut = ResidualLut(place(1), 32, 255)
    assert undo(1, residual_sums(place(2), lut), mechanism(lut)).verdict == "other place"


@pytest.mark.parametrize("scale", [10**5, 10**6])
@pytest.mark.parametrize("make", [lambda: LinearLut(255), lambda: LogLut(255, 64)])
def test_the_stated_noise_is_the_spread_of_a_flat_map(make, scale):
    lut = make()
    rng = np.random.default_rng(1)
    sums = value(lut, 128) * FRAMES * CELL**2 + np.rint(rng.laplace(0, scale, (ROWS, COLUMNS))).astype(np.int64)
    estimate = undo(1, sums, mechanism(lut, scale))
    assert estimate.noise == pytest.approx(np.std(estimate.grey), rel=0.1)


@pytest.mark.parametrize("scale", [1, 3, 50])
def test_the_standard_deviation_of_discrete_laplace_noise_is_that_of_its_law(scale):
    z = np.arange(-60 * scale, 60 * scale + 1)
    p = np.exp(-np.abs(z) / scale)
    assert laplace_sd(scale) == pytest.approx(math.sqrt((p * z**2).sum() / p.sum()), rel=1e-9)


def test_averaging_weighs_by_inverse_variance_as_a_kalman_filter_does():
    lut = LinearLut(255)
    quiet = undo(1, np.full((ROWS, COLUMNS), 100 * FRAMES * CELL**2), mechanism(lut, 10**4))
    loud = undo(2, np.full((ROWS, COLUMNS), 130 * FRAMES * CELL**2), mechanism(lut, 2 * 10**4))
    grey, noise = average([quiet, loud])
    gain = quiet.noise**2 / (quiet.noise**2 + loud.noise**2)
    np.testing.assert_allclose(grey, 100 + gain * 30, rtol=1e-6)
    assert noise == pytest.approx(quiet.noise * math.sqrt(1 - gain), rel=1e-6)


def test_much_noise_is_no_contradiction():
    shown = place()
    lut = ResidualLut(shown, 32, 255)
    scale = int(30 / math.sqrt(2) * FRAMES * CELL**2)
    assert undo(1, residual_sums(shown, lut, 1, scale), mechanism(lut, scale)).verdict == "same"


def test_a_noisy_reference_is_no_proof_of_another_place():
    shown = place()
    rng = np.random.default_rng(3)
    noisy = np.clip(shown + np.rint(rng.laplace(0, 22, shown.shape)).astype(np.int64), 0, 255)
    lut = ResidualLut(noisy, 32, 255)
    assert undo(1, residual_sums(shown, lut), mechanism(lut)).verdict == "other place"
    assert undo(1, residual_sums(shown, lut), mechanism(lut), reference_noise=31).verdict == "same"


def test_the_reference_of_the_next_window_is_whole_pixel_values_in_range():
    reference = reference_of(np.array([[-3.0, 0.4], [128.0, 300.0]]), 1023)
    assert reference.dtype == np.int64
    assert reference.tolist() == [[0, 2], [514, 1023]]


def clip_sums(path):
    """Two windows of 144 frames of a clip, with no frame in common."""
    clip = cv2.VideoCapture(str(path))
    windows = [np.zeros((ROWS, COLUMNS), np.int64) for _ in range(2)]
    for window in windows:
        for _ in range(FRAMES):
            frame = cv2.cvtColor(clip.read()[1], cv2.COLOR_BGR2GRAY).astype(np.int64)
            np.add(window, frame.reshape(ROWS, CELL, COLUMNS, CELL).sum((1, 3)), out=window)
    return windows


@pytest.mark.data
def test_two_private_windows_of_a_real_room_are_recognised_as_one_place(shared_data):
    lut, scale = LinearLut(255), 255 * 1024
    rng = np.random.default_rng(1)
    described = []
    for position, sums in enumerate(clip_sums(shared_data / "person.mp4"), 1):
        noise = np.rint(rng.laplace(0, scale, sums.shape)).astype(np.int64)
        estimate = undo(position, sums + noise, mechanism(lut, scale))
        described.append(
            Classical().describe(
                Map(
                    image=estimate.grey.astype(np.float32),
                    noise=estimate.noise,
                    cell=CELL,
                    width=768,
                    height=432,
                    fused=(position,),
                )
            )
        )
    comparison = compare(*described)
    assert described[0].noise == pytest.approx(10.0, abs=0.1)
    assert comparison.same_place
    assert comparison.consistent >= 8


@pytest.mark.parametrize("fuse", [0, 65])
def test_a_keeper_remembers_from_1_to_64_releases(fuse):
    with pytest.raises(ValueError, match="fuse"):
        MapKeeper(fuse=fuse)


@pytest.fixture
def publish(monkeypatch):
    monkeypatch.setattr("edge.features.map.Release", Published)
    return lambda position, sums, lut: Published(SimpleNamespace(position=position), sums, mechanism(lut, 1000))


def test_a_keeper_names_the_releases_in_its_map_and_forgets_the_oldest(publish):
    keeper, sums = MapKeeper(fuse=2), place() * FRAMES * CELL**2
    maps = [keeper.add(publish(position, sums, LinearLut(255))) for position in (3, 7, 9)]
    assert [m.fused for m in maps] == [(3,), (3, 7), (7, 9)]
    assert maps[1].noise == pytest.approx(maps[0].noise / math.sqrt(2))
    assert not maps[0].image.flags.writeable


def test_a_keeper_that_is_given_the_kept_releases_again_makes_the_same_map_and_reference(publish):
    releases = [publish(p, place() * FRAMES * CELL**2 + p * 1000, LinearLut(255)) for p in range(1, 6)]
    first, again = MapKeeper(fuse=2), MapKeeper(fuse=2)
    before = [first.add(r) for r in releases][-1]
    after = [again.add(r) for r in releases[-2:]][-1]
    assert before.image.tobytes() == after.image.tobytes()
    assert np.array_equal(first.reference().values, again.reference().values)
    assert first.reference().wide == again.reference().wide


def test_when_the_place_changes_the_map_says_nothing_and_an_absolute_window_comes_next(publish):
    keeper = MapKeeper(fuse=8)
    assert keeper.reference() is None
    keeper.add(publish(1, place(1) * FRAMES * CELL**2, LinearLut(255)))
    lut = ResidualLut(keeper.reference().values, 32, 255)
    moved = keeper.add(publish(2, residual_sums(place(2), lut), lut))
    assert len(Classical().describe(moved).keypoints) == 0
    assert keeper.reference() is None
    after = keeper.add(publish(3, place(2) * FRAMES * CELL**2, LinearLut(255)))
    assert after.fused == (3,)
    np.testing.assert_allclose(after.image, place(2), atol=0.1)


def test_when_the_light_halves_the_map_still_shows_the_place_and_an_absolute_window_comes_next(publish):
    keeper = MapKeeper(fuse=8)
    before = keeper.add(publish(1, place() * FRAMES * CELL**2, LinearLut(255)))
    lut = ResidualLut(keeper.reference().values, 32, 255)
    darker = keeper.add(publish(2, residual_sums(place() // 2, lut), lut))
    assert np.corrcoef(before.image.ravel(), darker.image.ravel())[0, 1] > 0.95
    assert darker.fused == (2,)
    assert keeper.reference() is None
    after = keeper.add(publish(3, place() // 2 * FRAMES * CELL**2, LinearLut(255)))
    assert after.fused == (3,)
    np.testing.assert_allclose(after.image, place() // 2, atol=0.1)


@pytest.mark.parametrize("now", [place() // 2, place(2)])
def test_after_a_contradiction_in_a_narrow_window_a_wide_one_comes_before_an_absolute_one(publish, now):
    keeper, widths = MapKeeper(fuse=8), []
    keeper.add(publish(1, place() * FRAMES * CELL**2, LinearLut(255)))
    for position, shown in enumerate((place(), now, now), 2):
        reference = keeper.reference()
        widths.append(reference.wide)
        lut = ResidualLut(reference.values, reference.tau(32), 255)
        keeper.add(publish(position, residual_sums(shown, lut), lut))
    assert widths == [True, False, True]
    assert keeper.reference() is None
