"""The calibration beside the code is that of the network beside the code, and keeps quiet where there is only noise."""

import numpy as np
import pytest

from collector.compare import compare
from collector.match.calibration import find
from collector.match.verdict import judge
from drivers.emulated.scenery import draw_background
from edge.features.describe import describer
from edge.features.map import Map
from edge.sections import FeaturesSettings

CELL = 16
ROWS, COLUMNS = 30, 40


@pytest.fixture(scope="module")
def network():
    return describer(FeaturesSettings())


def seen(network, place, noise, seed, position=1):
    """A map of drawn scenery, or of a grey wall where `place` is None."""
    if place is None:
        grey = np.full((ROWS, COLUMNS), 128.0)
    else:
        plane = draw_background(COLUMNS * CELL, ROWS * CELL, np.random.default_rng(place))
        grey = plane.reshape(ROWS, CELL, COLUMNS, CELL).mean(axis=(1, 3))
    noisy = grey + np.random.default_rng([seed, position]).laplace(0, noise / np.sqrt(2), grey.shape)
    image = np.clip(noisy, 0, 255).astype(np.float32)
    return network.describe(
        Map(image=image, noise=noise, cell=CELL, width=COLUMNS * CELL, height=ROWS * CELL, fused=(position,))
    )


def said(a, b):
    return judge(a, b, cells=(CELL, CELL)).verdict


def test_the_shipped_network_has_a_calibration(network):
    assert find(seen(network, 1, 10.0, 1)) is not None


def test_drawn_places_are_told_at_the_noise_of_a_daily_map(network):
    looks = [[seen(network, place, 10.0, place, position) for position in (1, 2)] for place in range(4)]
    for place, (first, second) in enumerate(looks):
        assert said(first, second) == "same place"
        assert said(first, looks[(place + 1) % 4][1]) != "same place"


def test_walls_of_pure_noise_are_never_the_same(network):
    for seed in range(12):
        for noise in (2.5, 10.0, 40.0):
            assert said(seen(network, None, noise, seed), seen(network, None, noise, seed, 2)) == "not enough to tell"


def test_the_page_and_the_command_hear_the_same(network):
    first, second = seen(network, 1, 10.0, 1), seen(network, 1, 10.0, 1, 2)
    found = compare(first, second, cells=(CELL, CELL))
    assert found.verdict == said(first, second)
    assert found.consistent > 50
