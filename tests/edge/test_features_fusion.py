"""What is fused, and what is noticed first: docs/fusion.md. Places are drawn with 8 pixels along a cell."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from published import Published

from edge.features import fusion
from edge.features.fusion import DROPPED, LIVE, Fusion, Layer, compare, mean_of
from edge.features.map import MapKeeper, undo
from edge.privacy.lut import ClipLut, LinearLut, LogLut
from edge.privacy.mechanism import Mechanism

ROWS, COLUMNS, PIXELS = 30, 40, 8
MARGIN = 4


def place(seed=1, right=0.0, down=0.0):
    """Overlapping boxes, seen by a camera whose picture has moved by so many cells, whole eighths of one."""
    rng = np.random.default_rng(seed)
    height, width = ((n + 2 * MARGIN) * PIXELS for n in (ROWS, COLUMNS))
    drawn = np.full((height, width), 120.0)
    for _ in range(80):
        y, x = rng.integers(0, height), rng.integers(0, width)
        tall, wide = rng.integers(PIXELS, 10 * PIXELS, 2)
        drawn[y : y + tall, x : x + wide] = rng.uniform(30, 220)
    top, left = (MARGIN * PIXELS - round(n * PIXELS) for n in (down, right))
    seen = drawn[top : top + ROWS * PIXELS, left : left + COLUMNS * PIXELS]
    return seen.reshape(ROWS, PIXELS, COLUMNS, PIXELS).mean((1, 3))


def laplace(rng, sd, shape=(ROWS, COLUMNS)):
    return rng.laplace(0, sd / math.sqrt(2), shape)


def layer(grey, sd, rng, position=1):
    return Layer.of((position,), grey + laplace(rng, sd, grey.shape), np.full(grey.shape, float(sd) ** 2))


def days(places, sd=10.0, most=64, seed=0):
    """A memory to which a map of each of these places was added, and what each was found to be."""
    rng, memory = np.random.default_rng(seed), Fusion(most)
    return memory, [memory.add(layer(grey, sd, rng, n)).verdict for n, grey in enumerate(places, 1)]


def positions(memory):
    return [position for kept in memory for position in kept.positions]


@pytest.mark.parametrize("count", [1, 4, 7])
def test_the_noise_after_k_days_is_that_of_one_over_the_root_of_k_and_is_stated_so(count):
    memory, _ = days([place()] * count)
    mean = memory.mean()
    assert mean.noise == pytest.approx(10 / math.sqrt(count))
    assert np.std(mean.grey - place()) == pytest.approx(mean.noise, rel=0.08)


def test_black_and_saturated_cells_lose_their_noise_too():
    shown = np.repeat([[0.0, 255.0]], COLUMNS // 2, axis=1) * np.ones((ROWS, 1))
    rng = np.random.default_rng(1)
    mechanism = Mechanism(lut=LinearLut(255), cell=8, rows=ROWS, columns=COLUMNS, frames=10, scale=640 * 14)
    layers = [
        undo(n, np.rint(shown * 640 + laplace(rng, 640 * 20)).astype(np.int64), mechanism).layer for n in range(1, 17)
    ]
    assert np.sqrt(np.mean((mean_of(layers).grey - shown) ** 2)) == pytest.approx(5, rel=0.1)


def noise_law(kind, rng):
    """Two maps of a bare wall or a drawn place by the mechanism's own law: discrete, whole sums."""
    grey = np.full((ROWS, COLUMNS), 90) if kind == "plain" else np.rint(place(int(rng.integers(1, 9)))).astype(np.int64)
    lut = LogLut(255, 128) if kind == "log" else LinearLut(255)
    mechanism = Mechanism(lut=lut, cell=8, rows=ROWS, columns=COLUMNS, frames=10, scale=round(lut.range * 640 / 36))
    chance = -math.expm1(-1 / mechanism.scale)
    sums = (lut.table[grey].astype(np.int64) if kind == "log" else grey) * 640
    drawn = (rng.geometric(chance, grey.shape) - rng.geometric(chance, grey.shape) for _ in range(2))
    return [mean_of([undo(1, sums + noise, mechanism).layer]) for noise in drawn]


@pytest.mark.parametrize("kind", ["plain", "drawn", "log"])
def test_maps_that_differ_by_noise_only_are_told_apart_more_rarely_than_stated(kind):
    rng = np.random.default_rng(7)
    alarms = sum(compare(*noise_law(kind, rng), chance=0.05).verdict != "same" for _ in range(120))
    assert alarms <= 0.05 * 120


@pytest.mark.parametrize(
    ("sd", "right", "down"), [(10, 0.75, 0), (10, 0, -0.75), (10, 1.25, 0.375), (10, -2, 2.5), (20, 0.75, 0.5)]
)
def test_a_moved_camera_is_noticed_and_the_maps_before_it_are_dropped(sd, right, down):
    for seed in range(5):
        memory, said = days([place(seed)] * 5 + [place(seed, right, down)], sd, seed=seed)
        assert said[:5] == ["same"] * 5
        assert said[5] in ("drift", "other")
        assert positions(memory) == [6]
        assert memory.mean().noise == pytest.approx(sd)


def test_the_shift_that_is_told_is_that_of_the_camera():
    rng = np.random.default_rng(1)
    older = mean_of([layer(place(), 10, rng) for _ in range(4)])
    found = compare(older, mean_of([layer(place(1, 0.625, -0.25), 10, rng)]), 1e-3)
    assert found.verdict == "drift"
    assert (found.shift.x, found.shift.y) == pytest.approx((0.625, -0.25), abs=0.15)
    assert abs(found.shift.turn) < 0.01


def test_a_camera_that_has_turned_about_its_axis_is_noticed():
    y, x = np.mgrid[:ROWS, :COLUMNS] * 1.0
    rng = np.random.default_rng(1)

    def waves(turn):
        u, v = x - 19.5 + turn * (y - 14.5), y - 14.5 - turn * (x - 19.5)
        return 120 + 50 * np.sin(u / 2) * np.cos(v / 3)

    found = compare(mean_of([layer(waves(0), 10, rng)]), mean_of([layer(waves(0.03), 10, rng)]), 1e-3)
    assert found.verdict == "drift"
    assert found.shift.turn == pytest.approx(0.03, abs=0.01)


def test_a_slow_drift_that_no_single_day_shows_is_noticed_over_several():
    memory, said = days([place(1, day / 8) for day in range(12)], sd=20)
    assert "drift" in said
    assert min(positions(memory)) > 1


def test_a_move_of_less_than_half_a_cell_drops_nothing():
    memory, said = days([place()] * 4 + [place(1, 1 / 4)])
    assert "drift" not in said
    assert len(positions(memory)) == 5


def furnished(seed=1, tall=6, wide=7):
    grey = place(seed).copy()
    grey[10 : 10 + tall, 20 : 20 + wide] = place(seed + 50)[10 : 10 + tall, 20 : 20 + wide]
    return grey


def test_a_change_in_part_is_taken_from_the_newest_maps_only_and_does_not_smear():
    before, after = place(), furnished()
    memory, said = days([before] * 6 + [after])
    mean = memory.mean()
    strong = np.abs(after - before) > 30
    assert said[-1] == "part"
    assert strong.sum() > 10
    assert np.all(mean.variance[strong] == pytest.approx(100))
    assert abs(np.mean((mean.grey - after)[strong] * np.sign(after - before)[strong])) < 10 * 3 / math.sqrt(
        strong.sum()
    )
    assert positions(memory) == [1, 2, 3, 4, 5, 6, 7]


def test_what_is_stated_after_a_change_in_part_is_the_noise_that_is_there():
    memory, _ = days([place()] * 6 + [furnished()])
    mean = memory.mean()
    assert 10 / math.sqrt(7) < mean.noise < 10
    same = np.isclose(mean.variance, 100 / 7)
    assert np.std((mean.grey - furnished())[same]) == pytest.approx(10 / math.sqrt(7), rel=0.1)
    assert mean.noise**2 == pytest.approx(mean.variance.mean())


def test_another_place_starts_afresh():
    memory, said = days([place(1)] * 5 + [place(9)])
    assert said[-1] in ("other", "drift")
    assert positions(memory) == [6]


def test_what_has_changed_is_fused_again_in_the_days_after():
    memory, _ = days([place()] * 4 + [furnished()] * 4)
    assert memory.mean().variance.max() == pytest.approx(25)


def test_when_a_visitor_has_left_all_that_was_known_of_the_place_behind_is_back():
    memory, said = days([place()] * 5 + [furnished()] + [place()] * 2)
    assert said[5] == "part"
    mean = memory.mean()
    visited = np.abs(furnished() - place()) > 30
    assert np.all(mean.variance[visited] <= 100 / 7 + 1e-9)
    assert abs(np.mean((mean.grey - place())[visited])) < 10 * 3 / math.sqrt(7 * visited.sum())


@pytest.mark.parametrize(("gain", "offset"), [(1.1, 0), (0.8, 0), (1, 8), (1.2, -12)])
def test_another_light_is_taken_out_of_the_maps_before_it(gain, offset):
    now = gain * place() + offset
    memory, said = days([place()] * 6 + [now])
    assert said[-1] == "light"
    mean = memory.mean()
    assert positions(memory) == [1, 2, 3, 4, 5, 6, 7]
    assert mean.noise == pytest.approx(10 / math.sqrt(1 + 6 / gain**2), rel=0.03)
    assert np.sqrt(np.mean((mean.grey - now) ** 2)) == pytest.approx(mean.noise, rel=0.1)


def test_lights_off_start_afresh():
    memory, said = days([place()] * 5 + [0.1 * place()])
    assert said[-1] == "other"
    assert positions(memory) == [6]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3)])
def test_grids_of_a_few_cells_are_fused_too(shape):
    memory, said = days([np.full(shape, 100.0)] * 5)
    assert set(said) == {"same"}
    assert memory.mean().noise == pytest.approx(10 / math.sqrt(5))


def test_a_map_without_noise_is_compared_without_error():
    memory, said = days([place()] * 3, sd=fusion.QUIETEST)
    assert said == ["same"] * 3
    np.testing.assert_allclose(memory.mean().grey, place(), atol=1e-6)


@pytest.fixture
def publish(monkeypatch):
    monkeypatch.setattr("edge.features.map.Release", Published)
    lut, frames = LinearLut(255), 10
    mechanism = Mechanism(lut=lut, cell=8, rows=ROWS, columns=COLUMNS, frames=frames, scale=round(640 * 7.07))

    def make(position, grey):
        noise = laplace(np.random.default_rng(position), 640 * 10)
        return Published(SimpleNamespace(position=position), np.rint(grey * 640 + noise).astype(np.int64), mechanism)

    return make


def test_an_observation_names_exactly_the_releases_in_its_map_and_none_that_was_dropped(publish):
    keeper = MapKeeper(fuse=7)
    shown = [place()] * 4 + [place(1, 1.25)] * 3
    fused = [keeper.add(publish(n, grey)).fused for n, grey in enumerate(shown, 1)]
    assert fused[3] == (1, 2, 3, 4)
    assert fused[4:] == [(5,), (5, 6), (5, 6, 7)]


def test_a_release_of_which_no_cell_is_in_the_mean_is_not_named():
    """It saw one corner only, and that has changed since."""
    rng = np.random.default_rng(1)
    corner = np.zeros((ROWS, COLUMNS), bool)
    corner[:6, :6] = True
    first = layer(place(), 5, rng, 1)
    memory = Fusion(7)
    memory.add(replace(first, standing=np.where(corner, LIVE, DROPPED).astype(np.int8)))
    change = np.zeros((ROWS, COLUMNS))
    change[:6, :6] = np.kron([[60.0, -60.0], [-60.0, 60.0]], np.ones((3, 3)))
    memory.add(layer(place() + change, 5, rng, 2))
    assert positions(memory) == [2]


def test_releases_of_which_all_cells_have_changed_twice_are_gone():
    rng = np.random.default_rng(1)
    corner = np.zeros((ROWS, COLUMNS), bool)
    corner[:6, :6] = True
    change = np.zeros((ROWS, COLUMNS))
    change[:6, :6] = np.kron([[60.0, -60.0], [-60.0, 60.0]], np.ones((3, 3)))
    memory = Fusion(7)
    for n in range(1, 4):
        memory.add(replace(layer(place(), 5, rng, n), standing=np.where(corner, LIVE, DROPPED).astype(np.int8)))
    for n, shown in enumerate((place(), place() + change, place() - change), 4):
        memory.add(layer(shown, 5, rng, n))
    assert positions(memory) == [4, 5, 6]


@pytest.mark.parametrize("then", [place(1, 1.25), furnished(), 0.8 * place()], ids=["moved", "part", "light"])
def test_after_a_restart_the_kept_releases_give_the_same_map(publish, then):
    releases = [publish(n, grey) for n, grey in enumerate([place()] * 5 + [then] * 3, 1)]
    running, restarted = MapKeeper(fuse=6), MapKeeper(fuse=6)
    before = [running.add(r) for r in releases]
    again = [restarted.add(r) for r in releases]
    assert before[-1].image.tobytes() == again[-1].image.tobytes()
    assert (before[-1].fused, before[-1].noise) == (again[-1].fused, again[-1].noise)


def test_a_clipped_lut_gives_no_grey_that_it_cannot_tell(monkeypatch):
    monkeypatch.setattr("edge.features.map.Release", Published)
    mechanism = Mechanism(lut=ClipLut(255, 64, 192), cell=8, rows=ROWS, columns=COLUMNS, frames=10, scale=9000)
    sums = np.rint(laplace(np.random.default_rng(1), 640 * 40)).astype(np.int64)
    image = MapKeeper(fuse=1).add(Published(SimpleNamespace(position=1), sums, mechanism)).image
    assert image.min() == 64
    assert image.max() <= 192
