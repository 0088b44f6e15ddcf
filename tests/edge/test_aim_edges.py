import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.place import PlaceCamera
from edge.aim.edges import MAX_DOTS, MIN_BLOCK, SHARE, EdgeFinder
from edge.aim.picture import braille, with_grid


def finder(height=480, width=640, max_value=255, dots=(72, 96)):
    return EdgeFinder(height, width, max_value, dots=dots)


def step(height=480, width=640, low=60, high=180):
    plane = np.full((height, width), low, np.uint8)
    plane[:, width // 2 :] = high
    return plane


def test_a_step_is_an_edge_where_it_is_and_nowhere_else():
    edges = finder().find(step())
    across = np.flatnonzero(edges.any(axis=0))
    middle = edges.shape[1] / 2
    assert edges[:, across].all()
    assert len(across) <= 4
    assert (abs(across - middle) <= 3).all()


def test_a_plain_wall_has_no_edge_however_noisy_it_is():
    noisy = np.random.default_rng(1).normal(120, 6, (480, 640)).clip(0, 255).astype(np.uint8)
    assert not finder().find(noisy).any()
    assert not finder().find(np.full((480, 640), 255, np.uint8)).any()


def test_there_is_one_bit_for_each_block_and_no_more_blocks_than_the_limit():
    for height, width in ((480, 640), (616, 820), (2464, 3280), (16, 16), (100, 4000)):
        small = finder(height, width, dots=(1000, 1000))
        edges = small.find(np.zeros((height, width), np.uint8))
        assert edges.dtype == np.bool_
        assert edges.shape == small.shape
        assert max(edges.shape) <= MAX_DOTS
        assert small.block >= MIN_BLOCK


def test_a_smaller_terminal_has_larger_blocks():
    assert finder(dots=(20, 40)).block > finder(dots=(72, 96)).block
    assert finder(dots=(-3, 0)).shape == (1, 1) or max(finder(dots=(-3, 0)).shape) <= 1


def test_at_most_a_share_of_the_blocks_is_an_edge():
    noise = np.random.default_rng(2).integers(0, 256, (480, 640), np.uint8)
    coarse = np.kron(np.random.default_rng(3).integers(0, 256, (12, 16), np.uint8), np.ones((40, 40), np.uint8))
    for plane in (noise, coarse):
        edges = finder().find(plane)
        assert edges.sum() <= edges.size / SHARE


@given(st.integers(0, 60))
def test_brightness_is_not_drawn(more):
    plane = step()
    assert np.array_equal(finder().find(plane), finder().find(plane + np.uint8(more)))


def test_what_is_inside_a_block_is_not_drawn():
    plane = step()
    block = finder().block
    shuffled = plane.copy()
    view = shuffled[: 480 // block * block, : 640 // block * block].reshape(480 // block, block, 640 // block, block)
    view[:] = view[:, ::-1, :, ::-1]
    assert np.array_equal(finder().find(plane), finder().find(shuffled))


def test_raw_planes_have_the_same_edges_as_luma():
    plane = step()
    raw = plane.astype(np.uint16) * 16
    assert np.array_equal(finder().find(plane), finder(max_value=255 * 16).find(raw))


def test_the_largest_sums_do_not_overflow():
    plane = np.zeros((8192, 8192), np.uint16)
    plane[:, 4096:] = 65535
    edges = finder(8192, 8192, 65535).find(plane)
    assert edges.any()


def test_nothing_of_a_frame_is_left_after_wiping():
    used = finder()
    used.find(step())
    used.wipe()
    arrays = [value for value in vars(used).values() if isinstance(value, np.ndarray)]
    assert len(arrays) >= 4
    assert not any(array.any() for array in arrays)


def test_a_drawn_place_shows_its_outlines():
    camera = PlaceCamera(width=640, height=480)
    camera.open()
    plane = np.zeros((480, 640), np.uint8)
    camera.read(plane, 1.0)
    edges = finder().find(plane)
    assert 0.02 < edges.mean() <= 1 / SHARE


def test_each_dot_of_a_braille_character_is_one_bit():
    for down in range(4):
        for across in range(2):
            bits = np.zeros((4, 2), np.bool_)
            bits[down, across] = True
            ((character,),) = braille(bits)
            dots = {(0, 0): 1, (1, 0): 2, (2, 0): 3, (0, 1): 4, (1, 1): 5, (2, 1): 6, (3, 0): 7, (3, 1): 8}
            assert ord(character) == 0x2800 + (1 << (dots[down, across] - 1))


def test_bits_that_fill_no_whole_character_are_drawn_too():
    lines = braille(np.ones((5, 3), np.bool_))
    assert lines == ["\u28ff\u2847", "\u2809\u2801"]


@given(st.integers(1, 30), st.integers(1, 30), st.randoms())
def test_no_bit_is_lost_in_braille(height, width, random):
    bits = np.array([[random.random() < 0.5 for _ in range(width)] for _ in range(height)])
    lines = braille(bits)
    assert sum((ord(each) - 0x2800).bit_count() for line in lines for each in line) == bits.sum()
    assert all(0x2800 <= ord(each) <= 0x28FF for line in lines for each in line)


@pytest.mark.parametrize("cell", [16, 64])
def test_the_grid_is_drawn_where_cells_begin_and_leaves_edges_as_they_are(cell):
    small = finder()
    bits = small.find(step())
    drawn = with_grid(bits, small.block, cell)
    assert (drawn >= bits).all()
    lines = {edge // small.block for edge in range(cell, 640, cell)}
    assert set(np.flatnonzero(drawn.sum(axis=0) > drawn.shape[0] // 6)) >= {line for line in lines if line < 90}
