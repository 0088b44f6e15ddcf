"""Sensitivity in two ways that must agree: the closed forms, and search that does not know them."""

import numpy as np
import pytest

from audit.sensitivity import (
    Agreement,
    box,
    compare,
    most_after_flooring,
    overlaps,
    rounded,
    scattered,
    search,
    sets_of,
    squared_by_search,
    touched,
)
from edge.privacy.lut import ClipLut, LinearLut, LogLut, Lut, ResidualLut

LUTS: list[Lut] = [LinearLut(255), LogLut.of(255), LogLut(255, 1), ClipLut(255, 64, 192)]


@pytest.mark.parametrize("lut", LUTS, ids=lambda lut: f"{lut.spec.name}-{lut.spec.parameter}")
@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_theorem_1_and_lemma_2_every_set_of_pixels_moves_real_sums_as_far_as_they_say(lut: Lut, pixels: int) -> None:
    found = search(lut, 2, (4, 4), sets_of((4, 4), pixels))
    assert found[0] == lut.range * pixels
    assert found[1] == scattered(lut.range, 2, pixels)


@pytest.mark.parametrize("pixels", [4, 5, 6])
def test_lemma_2_pixels_beyond_one_cell_go_to_the_next(pixels: int) -> None:
    found = search(ClipLut(255, 0, 1), 2, (2, 4), sets_of((2, 4), pixels))
    assert found[:2] == (pixels, scattered(1, 2, pixels))


def test_theorem_1_holds_for_residual_sums_around_any_reference() -> None:
    reference = np.array([[0, 128], [200, 255]], np.int64)
    found = search(ResidualLut(reference, 20, 255), 2, (4, 4), sets_of((4, 4), 2))
    assert found[0] <= 2 * 40
    assert found[0] == 2 * 40, "a pixel whose cell lies in the middle of the range crosses all of it"


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_lemma_3_a_box_through_real_sums(width: int, height: int) -> None:
    boxes = [
        tuple((row + i, column + j) for i in range(height) for j in range(width))
        for row in range(4 - height + 1)
        for column in range(4 - width + 1)
    ]
    assert search(ClipLut(255, 0, 1), 2, (4, 4), boxes) == box(1, 2, width, height)


def test_lemma_3_a_box_at_every_offset_of_a_larger_grid() -> None:
    for cell in range(1, 9):
        for width in (*range(1, 20), 33):
            for height in (1, 2, cell, cell + 1, 2 * cell + 1):
                total, squares, most = box(1, cell, width, height)
                assert (squares, most) == squared_by_search(cell, width, height), (cell, width, height)
                assert total == width * height


def test_lemma_3_an_offset_never_adds_to_the_euclidean_distance() -> None:
    for cell in range(1, 12):
        for side in range(1, 40):
            aligned, *moved = (sum(part**2 for part in counts) for counts in overlaps(cell, side))
            assert all(each <= aligned for each in moved)


def test_lemma_4_the_most_cells_that_a_row_of_pixels_touches() -> None:
    for cell in range(1, 25):
        for side in range(1, 100):
            assert touched(cell, side) == max(len(counts) for counts in overlaps(cell, side)), (cell, side)


def test_lemma_5_rounding_a_mean_before_the_noise_costs_up_to_one_step_for_each_cell() -> None:
    for divisor in range(1, 40):
        for difference in range(120):
            assert rounded(difference, divisor) == most_after_flooring(difference, divisor)
    assert rounded(255 * 16 * 16 + 1, 256) > (255 * 16 * 16 + 1) // 256


def test_the_two_ways_disagree_where_a_range_is_understated() -> None:
    found = search(LinearLut(255), 2, (4, 4), sets_of((4, 4), 2))
    assert found[0] > 254 * 2
    assert found[1] > scattered(254, 2, 2)


def test_the_audit_compares_both_ways_and_counts_where_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compare()
    assert found == Agreement(found.cases, found.cases)
    assert found.cases > 7000
    monkeypatch.setattr("audit.sensitivity.rounded", lambda difference, divisor: difference // divisor)
    assert compare().equal < found.cases
