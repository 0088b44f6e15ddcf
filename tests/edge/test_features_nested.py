"""Levels that nest are joined by least squares, exactly where their windows and cells do."""

import numpy as np
import pytest

from edge.features.nested import Nest, Piece, join

RNG = np.random.default_rng(8)


def piece(position: int, first: int, frames: int, cell: int, grey: np.ndarray, noise: float = 1.0) -> Piece:
    return Piece(position, first, frames, cell, np.asarray(grey, np.float64), noise)


def test_the_joined_cells_are_the_dense_least_squares_solution() -> None:
    fine, coarse = RNG.normal(size=(5, 7)), RNG.normal(size=(2, 3))
    joined, noise = join(piece(1, 0, 8, 16, fine, 2.0), coarse, 0.5, 2)
    rows, answers = [np.eye(35) / 2.0], [fine.ravel() / 2.0]
    for i in range(2):
        for j in range(3):
            block = np.zeros((5, 7))
            block[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = 1 / 4
            rows.append(block.reshape(1, -1) / 0.5)
            answers.append(np.array([coarse[i, j] / 0.5]))
    matrix = np.concatenate(rows)
    expected, *_ = np.linalg.lstsq(matrix, np.concatenate(answers), rcond=None)
    assert joined.ravel() == pytest.approx(expected)
    covariance = np.linalg.inv(matrix.T @ matrix)
    assert noise == pytest.approx(np.sqrt(np.trace(covariance) / 35))


def test_windows_that_make_up_the_long_one_exactly_are_joined_and_named() -> None:
    nest = Nest()
    for number in range(6):
        nest.note(piece(10 + number, 4 * number, 4, 32, np.full((1, 1), float(number)), 0.0))
    long = piece(3, 8, 16, 16, np.zeros((2, 2)))
    found = nest.join(long, 63)
    assert found.positions == (12, 13, 14, 15)
    assert found.grey == pytest.approx(np.full((2, 2), 3.5)), "coarse ones without noise decide"
    assert found.noise == pytest.approx(np.sqrt(3 / 4))


@pytest.mark.parametrize(
    ("missing", "cell", "most"),
    [(2, 32, 63), (0, 32, 63), (None, 24, 63), (None, 16, 63), (None, 8, 63), (None, 32, 3)],
)
def test_nothing_is_joined_where_a_piece_is_missing_cells_do_not_nest_or_too_many_would_be_named(
    missing: int | None, cell: int, most: int
) -> None:
    nest = Nest()
    for number in range(4):
        if number != missing:
            nest.note(piece(10 + number, 4 * number, 4, cell, np.full((1, 1), 9.0)))
    long = piece(3, 0, 16, 16, np.zeros((2, 2)))
    found = nest.join(long, most)
    assert found.positions == ()
    assert found.grey is long.grey
    assert found.noise == long.noise


def test_the_level_with_the_least_noise_is_taken() -> None:
    nest = Nest()
    for position, cell, noise in ((5, 32, 2.0), (6, 64, 0.5)):
        for number in range(2):
            size = 64 // cell
            nest.note(piece(position + 10 * number, 8 * number, 8, cell, np.ones((size, size)), noise))
    assert nest.join(piece(3, 0, 16, 16, np.zeros((4, 4))), 63).positions == (6, 16)


def test_memory_is_bounded() -> None:
    nest = Nest()
    for number in range(1000):
        nest.note(piece(number + 1, number, 1, 32, np.zeros((1, 1))))
    assert nest.join(piece(3, 900, 100, 16, np.zeros((2, 2))), 10**6).positions == ()
    assert len(nest.join(piece(3, 940, 60, 16, np.zeros((2, 2))), 63).positions) == 60
