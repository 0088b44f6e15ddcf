import numpy as np
import pytest
from factories import altered, make_features
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wire.codec import decode, encode
from wire.errors import WireError
from wire.features import (
    cells,
    pack_bits,
    positions,
    quantise,
    quantise_vector,
    signed_bytes,
    sizes,
    spreads,
    strengths,
    unit_vector,
    unpack_bits,
    unsigned_bytes,
)
from wire.schema import Observation

part = st.floats(0, 1, exclude_max=True)
finite = st.floats(-1e9, 1e9, allow_subnormal=False)


def with_keypoints(keypoints, width, height):
    descriptors = np.zeros((len(keypoints), 32), np.uint8)
    return altered(make_features(1), keypoints=keypoints, descriptors=descriptors, width=width, height=height)


@given(st.lists(st.tuples(part, part), max_size=40), st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 64))
def test_a_position_comes_back_within_half_a_256th_of_the_width_and_height(parts, width, height, cell):
    exact = np.array(parts).reshape(-1, 2) * (width, height) - 0.5
    n = len(parts)
    points = quantise((exact + 0.5) / cell - 0.5, [1] * n, [1] * n, [1] * n, cell=cell, width=width, height=height)
    features = with_keypoints(points, width, height)
    assert (np.abs(positions(features) - exact) <= np.array([width, height]) / 512 + 1e-6).all()
    np.testing.assert_allclose(cells(features, cell), (positions(features) + 0.5) / cell - 0.5)


@given(st.floats(0.25, 63.75), st.floats(0, 63.75), st.floats(1 / 32, 255 / 32))
def test_size_strength_and_spread_come_back_within_half_a_step(size, strength, spread):
    features = with_keypoints(
        quantise([[1, 1]], [size], [strength], [spread], cell=16, width=640, height=480), 640, 480
    )
    assert sizes(features) == pytest.approx([size], abs=1 / 8)
    assert strengths(features) == pytest.approx([strength], abs=1 / 8)
    assert spreads(features) == pytest.approx([spread], abs=1 / 64)


def test_values_out_of_range_are_held_at_its_end_and_an_unknown_spread_stays_unknown():
    points = quantise([[-9, 99], [1, 1]], [0, 1e9], [-1, np.inf], [1e-9, 0], cell=16, width=640, height=480)
    assert points[0].tolist() == [0, 255, 1, 0, 1]
    assert points[1, 2:].tolist() == [255, 255, 0]


@pytest.mark.parametrize("column", range(4))
def test_a_keypoint_that_is_not_a_number_is_no_keypoint(column):
    values = [[[1.0, 1.0]], [1.0], [1.0], [1.0]]
    values[column] = np.array(values[column]) * np.nan
    with pytest.raises(ValueError, match="not a number"):
        quantise(*values, cell=16, width=640, height=480)


@given(arrays(np.bool_, array_shapes(min_dims=1, max_dims=1, min_side=0, max_side=9).map(lambda n: (n[0], 64))))
def test_bits_come_back_as_they_were(bits):
    packed = pack_bits(bits)
    assert packed.shape == (len(bits), 8)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(unpack_bits(packed), bits)


def test_the_first_bit_is_the_highest_of_the_first_byte():
    assert pack_bits(np.arange(64)[None] == 0).tolist() == [[128, 0, 0, 0, 0, 0, 0, 0]]


@given(arrays(np.uint8, (3, 32)))
def test_signed_bytes_are_twos_complement_and_come_back(descriptors):
    signed = signed_bytes(descriptors)
    np.testing.assert_array_equal(signed, np.where(descriptors < 128, descriptors, descriptors - 256.0))
    np.testing.assert_array_equal(unsigned_bytes(signed), descriptors)


@given(arrays(np.float64, st.integers(0, 512), elements=finite))
def test_a_vector_keeps_its_direction_and_has_the_one_scale_of_the_wire(vector):
    features = altered(make_features(1), vector=quantise_vector(vector))
    unit = unit_vector(features)
    if not vector.any():
        assert not unit.any()
        return
    assert np.abs(features.vector).max() == 127
    assert np.linalg.norm(unit) == pytest.approx(1)
    largest = np.abs(vector).max()
    assert np.abs(features.vector - vector / largest * 127).max() <= 0.5 + 1e-9


def test_a_vector_that_is_not_finite_is_no_vector():
    with pytest.raises(ValueError, match="finite"):
        quantise_vector([1.0, np.nan])


@pytest.mark.parametrize("changes", [{}, {"model": b"m" * 32}, {"model": b"m" * 32, "codebook": b"c" * 32}])
@pytest.mark.parametrize("d", [8, 32, 128])
def test_each_kind_of_descriptor_crosses_the_wire_and_names_what_made_it(signed, d, changes):
    features = altered(make_features(3), descriptors=np.zeros((60, d), np.uint8), **changes)
    back = decode(encode(altered(signed[0], features=features)), Observation).features
    assert back.descriptors.shape == (60, d)
    assert (back.model, back.codebook) == (features.model, features.codebook)
    assert (b"codebook" in encode(altered(signed[0], features=features))) is ("codebook" in changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"keypoints": np.ones((60, 5), np.float32)},
        {"keypoints": np.ones((60, 4), np.uint8)},
        {"keypoints": np.zeros((60, 5), np.uint8)},
        {"keypoints": np.ones((257, 5), np.uint8), "descriptors": np.zeros((257, 32), np.uint8)},
        {"descriptors": np.zeros((60, 64), np.uint8)},
        {"descriptors": np.zeros((60, 32), np.int8)},
        {"descriptors": np.zeros((59, 32), np.uint8)},
        {"vector": np.full(8, 126, np.int8)},
        {"vector": np.full(8, -128, np.int8)},
        {"vector": np.full(8, 127, np.uint8)},
        {"vector": np.full((8, 1), 127, np.int8)},
        {"vector": np.full(513, 127, np.int8)},
    ],
)
def test_features_of_another_form_cannot_even_be_made(changes):
    with pytest.raises(WireError):
        altered(make_features(1), **changes)


@pytest.mark.parametrize("vector", [np.zeros(8, np.int8), np.zeros(0, np.int8), np.array([-127, 3], np.int8)])
def test_a_vector_of_no_direction_or_of_the_one_scale_is_accepted(vector):
    assert altered(make_features(1), vector=vector).vector is vector


@pytest.mark.parametrize(("n", "d", "most"), [(100, 32, 6000), (256, 32, 12000)])
def test_a_message_of_32_byte_descriptors_has_a_few_kilobytes(signed, n, d, most):
    features = altered(
        make_features(3, keypoints=n),
        descriptors=np.zeros((n, d), np.uint8),
        vector=np.full(256, 127, np.int8),
        model=bytes(32),
    )
    assert len(encode(altered(signed[0], features=features))) < most
