"""The attackers work, so that their failure against our noise says something."""

import itertools

import numpy as np
import pytest

from audit.randomness.attacks import exact_share, try_seconds
from audit.randomness.gf2 import solve
from audit.randomness.mersenne import UNKNOWNS, outputs, state_of
from audit.randomness.pictures import write_panels
from audit.randomness.victims import CLOCK_SCALE, Table, noised_by_the_clock, room


def packed(matrix, answers):
    words = -(-matrix.shape[1] // 64)
    padded = np.zeros((len(matrix), 64 * words), np.uint8)
    padded[:, : matrix.shape[1]] = matrix
    rows = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
    return np.concatenate((rows, np.asarray(answers, np.uint64)[:, None]), axis=1)


@pytest.mark.parametrize(("equations", "columns"), [(5, 3), (70, 64), (300, 200), (257, 130), (90, 200)])
def test_equations_are_solved(equations: int, columns: int) -> None:
    generator = np.random.default_rng(equations)
    matrix = generator.integers(0, 2, (equations, columns), np.uint8)
    hidden = generator.integers(0, 2, columns, np.uint8)
    answers = matrix @ hidden % 2
    found = solve(packed(matrix, answers), columns)
    assert (matrix @ found.bits % 2 == answers).all()
    assert found.contradictions == 0
    if equations > columns + 20:
        assert found.rank == columns
        assert (found.bits == hidden).all()


def test_equations_that_contradict_each_other_are_counted() -> None:
    matrix = np.array([[1, 0], [0, 1], [1, 1], [1, 1]], np.uint8)
    assert solve(packed(matrix, [1, 0, 0, 1]), 2).contradictions == 1
    assert solve(packed(matrix, [1, 0, 1, 1]), 2).contradictions == 0


def test_the_bits_of_a_mersenne_twister_are_sums_of_the_bits_of_its_state() -> None:
    generator = np.random.RandomState(7)
    key = generator.get_state()[1]
    state = np.unpackbits(key.astype("<u4").view(np.uint8), bitorder="little")
    assert (state_of(state) == key).all()
    mask = np.packbits(state, bitorder="little").view(np.uint64)
    words = generator.randint(0, 2**32, size=700, dtype=np.uint32)
    for word, forms in zip(words.tolist(), itertools.islice(outputs(), 700), strict=True):
        ones = np.unpackbits((forms & mask).view(np.uint8), axis=1).sum(axis=1) % 2
        assert sum(int(one) << place for place, one in enumerate(ones)) == word
    assert len(state) == UNKNOWNS


def test_a_noise_value_gives_away_the_leading_bits_that_its_words_share() -> None:
    table = Table.make()
    words = np.random.RandomState(3).randint(0, 2**32, size=3000, dtype=np.uint32)
    for word, noise in zip(words.tolist(), table.noise(np.random.RandomState(3), 3000).tolist(), strict=True):
        count, bits = table.known_bits(noise)
        assert word >> 32 - count == bits if count else bits == 0


def test_a_release_noised_by_the_clock_is_undone_exactly() -> None:
    picture = room(60, 80)
    undone = try_seconds(noised_by_the_clock(picture, 1_000_250), 1_000_000, lambda _: None, 500)
    assert exact_share(undone.picture, picture) == 1
    assert "second 1000250" in undone.finding


def test_a_release_noised_by_anything_else_stays_as_it_is() -> None:
    picture = room(60, 80)
    noise = np.rint(np.random.default_rng().laplace(0, CLOCK_SCALE, picture.shape)).astype(np.int64)
    undone = try_seconds(picture + noise, 1_000_000, lambda _: None, 500)
    assert exact_share(undone.picture, picture) < 0.005


def test_pictures_are_written_side_by_side(tmp_path) -> None:
    import cv2

    write_panels(tmp_path / "a.png", [("one", room(60, 80)), ("two", 9000 * room(60, 80) - 7)])
    seen = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_GRAYSCALE)
    assert seen.shape[1] > 2 * seen.shape[0]
    with pytest.raises(OSError):
        write_panels(tmp_path / "missing" / "a.png", [("one", room(60, 80))])
