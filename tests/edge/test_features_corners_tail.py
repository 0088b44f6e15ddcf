"""How many keypoints does noise alone have, against how many were asked for?"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from edge.features import corners
from edge.features.corner_tail import LOWEST, STEP, TABLE, threshold
from edge.features.corners import find, seek
from edge.features.map import average, undo
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.profiles import named

MAPS = {(15, 20): 240, (27, 48): 80, (30, 40): 80, (60, 80): 30}
WANTED = (16.0, 4.0, 1.0)
TWO_SIDED = 3.29
"""Standard deviations that a Gaussian passes, on either side, once in a thousand times."""
FRAMES = 86400


def mechanism(rows: int, columns: int, noise: str) -> Mechanism:
    """A day of one frame a second, by the profile that is the default, or with Gaussian noise of that size."""
    profile = named("place")
    unit = profile.unit(Fraction(1))
    exposure = unit.visits * unit.frames * unit.pixels
    scale = math.ceil(255 * exposure / profile.levels[0].epsilon)
    if noise == "discrete-gaussian":
        scale = round(scale * 2**0.5)
    return Mechanism(LinearLut(255), profile.levels[0].cell, rows, columns, FRAMES, scale, noise)


def flat_map(of: Mechanism, fused: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The map of a place of one grey: sums of all frames, noise of the mechanism's law and scale, and its inverse."""
    shape = (of.rows, of.columns)
    grey = 128 * of.frames * of.cell**2
    estimates = []
    for position in range(fused):
        if of.noise == "discrete-gaussian":
            drawn = np.rint(rng.normal(0, of.scale, shape)).astype(np.int64)
        else:
            chance = -math.expm1(-1 / of.scale)
            drawn = rng.geometric(chance, shape) - rng.geometric(chance, shape)
        estimates.append(undo(position, grey + drawn, of))
    mean, noise = average(estimates)
    return np.clip(mean, 0, 255).astype(np.float32), noise


@pytest.mark.parametrize(
    ("noise", "fused", "excess"),
    [("discrete-laplace", 1, 3.0), ("discrete-gaussian", 1, 0.0), ("discrete-laplace", 4, 0.75)],
)
@pytest.mark.parametrize("shape", MAPS)
def test_noise_alone_has_as_many_keypoints_as_was_asked_for(shape, noise, fused, excess) -> None:
    rng = np.random.default_rng([62, fused, *shape, len(noise)])
    of = mechanism(*shape, noise)
    lowest = [threshold(*shape, wanted, excess) for wanted in WANTED]
    counted = []
    for _ in range(MAPS[shape]):
        image, sd = flat_map(of, fused, rng)
        strength = seek(image, sd, lowest[0], corners.MOST).strength
        counted.append([int((strength > level).sum()) for level in lowest])
    for wanted, counts in zip(WANTED, np.array(counted).T, strict=True):
        # At least Poisson's variance; more where neighbours come together, as a negative binomial law has it.
        deviation = math.sqrt(max(wanted, float(np.var(counts, ddof=1))) / len(counts))
        assert abs(counts.mean() - wanted) < TWO_SIDED * deviation, (wanted, counts.mean(), deviation)


def test_find_uses_the_threshold_of_the_size_and_of_the_law() -> None:
    rng = np.random.default_rng(63)
    image = rng.laplace(128, 10 / 2**0.5, (30, 40))
    for wanted, excess in itertools.product((1.0, 4.0, 16.0), (0.0, 0.75, 3.0)):
        level = threshold(30, 40, wanted, excess)
        found = find(image, 10, expected_false=wanted, excess=excess)
        assert np.array_equal(found.points, seek(image, 10, level, corners.MOST).points)
        assert (found.strength > level).all()


def test_a_threshold_rises_with_the_size_of_the_map_with_the_tails_and_with_what_is_asked() -> None:
    for wanted in (0.1, 1.0, 4.0, 16.0):
        assert threshold(15, 20, wanted, 3.0) < threshold(30, 40, wanted, 3.0) < threshold(60, 80, wanted, 3.0)
        laws = [threshold(30, 40, wanted, excess) for excess in (0.0, 0.75, 1.0, 1.5, 2.0, 3.0)]
        assert laws == sorted(laws)
    asked = [threshold(30, 40, wanted, 3.0) for wanted in (0.0001, 0.01, 0.5, 1, 2, 8, 30, 60)]
    assert asked == sorted(asked, reverse=True)
    assert len(set(asked)) == len(asked)


def test_more_than_noise_has_is_all_that_it_has() -> None:
    assert threshold(30, 40, 1e6, 3.0) == LOWEST


def test_excess_outside_of_the_table_is_the_nearest_in_it() -> None:
    assert threshold(30, 40, 4, 17.0) == threshold(30, 40, 4, 3.0)
    assert threshold(30, 40, 4, -1.2) == threshold(30, 40, 4, 0.0)


@pytest.mark.parametrize("wanted", [0.0, -1.0, math.nan])
def test_a_number_that_is_not_above_zero_is_refused(wanted: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        threshold(30, 40, wanted, 3.0)


def test_the_table_falls_from_row_to_row() -> None:
    for rows in TABLE.values():
        assert len(rows) * STEP > 2
        for sides, area in ((70, 300), (140, 1200), (280, 4800)):
            numbers = [cells * area + border * sides for cells, border in rows]
            assert all(a > b > 0 for a, b in itertools.pairwise(numbers))
