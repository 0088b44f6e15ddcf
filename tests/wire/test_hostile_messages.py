import contextlib
from fractions import Fraction

import cbor2
import msgspec
import numpy as np
import pytest
from factories import altered, make_features, make_statement
from hypothesis import given
from hypothesis import strategies as st

from wire.codec import decode, encode, load
from wire.cose import sign, verify
from wire.errors import WireError, WireReason
from wire.schema import MAX_MESSAGE, Acknowledgement, Observation
from wire.topics import Topics, parse

positive = st.integers(1, 2**62)
rationals = st.builds(Fraction, st.integers(0, 2**128 - 1), st.integers(1, 2**128 - 1))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)


@st.composite
def acknowledgements(draw):
    edges = sorted(draw(st.sets(positive, min_size=2, max_size=40)))
    inner = edges[1:-1]
    gaps = list(zip(inner[::2], inner[1::2], strict=False))
    return Acknowledgement(device="cam-1", epoch=bytes(16), since=edges[0], upto=edges[-1], hash=bytes(32), gaps=gaps)


@given(acknowledgements())
def test_an_acknowledgement_comes_back_as_it_was_and_has_one_encoding(value):
    assert decode(encode(value), Acknowledgement) == value
    assert encode(decode(encode(value), Acknowledgement)) == encode(value)


@given(value=rationals, scale=positive, level=names, keypoints=st.integers(0, 256), noise=st.floats(0, 1e300))
def test_an_observation_comes_back_as_it_was_and_has_one_encoding(signed, value, scale, level, keypoints, noise):
    statement = altered(make_statement(), epsilon=value, slope=value, scale=scale)
    features = altered(make_features(3, keypoints=keypoints), noise=noise)
    observation = altered(signed[0], statement=statement, features=features, level=level)
    back = decode(encode(observation), Observation)
    assert back.statement == statement
    assert back.level == level
    assert back.features.noise == noise
    np.testing.assert_array_equal(back.features.keypoints, features.keypoints)
    np.testing.assert_array_equal(back.features.descriptors, features.descriptors)
    assert encode(back) == encode(observation)


@given(st.data())
def test_no_changed_cut_or_extended_envelope_verifies(signed, key, topic, data):
    envelope = signed[1]
    at = data.draw(st.integers(0, len(envelope) - 1))
    changed = bytearray(envelope)
    changed[at] ^= data.draw(st.integers(1, 255))
    for hostile in (bytes(changed), envelope[:at], envelope + envelope[: at + 1]):
        with pytest.raises(WireError):
            verify(hostile, key.public_key(), topic)


def test_an_envelope_does_not_verify_on_the_topic_of_another_device(signed, key):
    with pytest.raises(WireError) as caught:
        verify(signed[1], key.public_key(), Topics("speckled", "cam-2").observation)
    assert caught.value.reason is WireReason.SIGNATURE


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_a_wire_error(key, topic, data):
    for attempt in (lambda: decode(data, Observation), lambda: verify(data, key.public_key(), topic)):
        with pytest.raises(WireError):
            attempt()


@given(st.data())
def test_a_changed_payload_is_another_observation_or_a_wire_error_and_never_anything_else(signed, data):
    payload = bytearray(encode(signed[0]))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(WireError):
        assert encode(decode(bytes(payload), Observation)) == payload


@pytest.mark.parametrize(
    "hexadecimal",
    [
        "9f01ff",  # indefinite list
        "5f4101ff",  # indefinite bytes
        "1801",  # a number that is too long
        "f6",  # null
        "ff",
        "0000",  # something follows
        "81" * 60000 + "00",  # deep
        "9b00ffffffffffffff",  # a list of 2^56 items
        "5b00ffffffffffffff",
        "d823612e",  # a regular expression
        "c4821a3b9aca0001",  # 10^1000000000
        "c5821a3b9aca0001",  # 2^1000000000
        "c25820" + "ff" * 32,  # integers of any length, whose rationals take seconds to reduce
        "c3420100",
        "c281c200",
        "d81c81d81d00",  # a list that holds itself
        "dbffffffffffffffff00",
        "d81e820100",  # 1/0
        "d85500",  # floats
        "d84800",  # a typed array of a number
        "d8548200",  # big-endian or unknown array tag
        "d8288282024100d8404101",  # shape of the wrong kind
        "d828828200" + "1bffffffffffffffff" + "d84040",  # nothing, in a very wide shape
        "62c328",  # not UTF-8
    ],
)
def test_a_trap_for_decoders_is_refused(hexadecimal):
    with pytest.raises(WireError):
        load(bytes.fromhex(hexadecimal))


@pytest.mark.parametrize("rational", ["d81e820204", "d81e820220", "d81e822001", "d81e82c2410101", "d81e82f93c0001"])
def test_a_rational_that_is_negative_or_not_in_its_one_form_is_refused(signed, rational):
    payload = encode(altered(signed[0], statement=altered(make_statement(), frame_rate=Fraction(7, 9))))
    mark = bytes.fromhex("d81e820709")
    assert payload.count(mark) == 1
    with pytest.raises(WireError):
        decode(payload.replace(mark, bytes.fromhex(rational)), Observation)


@pytest.mark.parametrize("value", [Fraction(-1), Fraction(2**128), Fraction(1, 2**128)])
def test_a_rational_out_of_bounds_is_not_even_sent(signed, value):
    with pytest.raises(WireError) as caught:
        encode(altered(signed[0], statement=altered(make_statement(), epsilon=value)))
    assert caught.value.reason is WireReason.SCHEMA


def typed(shape, data, tag=64):
    return cbor2.CBORTag(40, [shape, cbor2.CBORTag(tag, data)])


def tree(observation):
    return cbor2.loads(encode(observation))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("version",), 2, WireReason.UNSUPPORTED),
        (("secret-word",), 1, WireReason.SCHEMA),
        (("statement", "mode"), "secret-word", WireReason.SCHEMA),
        (("device",), "cam-1\n", WireReason.SCHEMA),
        (("level",), "", WireReason.SCHEMA),
        (("features", "noise"), float("nan"), WireReason.SCHEMA),
        (("features", "noise"), float("inf"), WireReason.SCHEMA),
        (("features", "fused"), [2, 1, 3], WireReason.SCHEMA),
        (("features", "fused"), [2], WireReason.SCHEMA),
        (("features", "vector"), cbor2.CBORTag(64, b"secret-word"), WireReason.SCHEMA),
        (("features", "vector"), cbor2.CBORTag(72, b"secret-word"), WireReason.SCHEMA),
        (("features", "vector"), cbor2.CBORTag(72, b"\x80\x7f"), WireReason.SCHEMA),
        (("features", "vector"), cbor2.CBORTag(72, b"\x7f" * 513), WireReason.SCHEMA),
        (("features", "keypoints"), cbor2.CBORTag(64, bytes(10)), WireReason.SCHEMA),
        (("features", "keypoints"), typed([2, 5], bytes([1, 1, 0, 1, 1] * 2)), WireReason.SCHEMA),
        (("features", "keypoints"), typed([3, 5], bytes([1] * 15)), WireReason.SCHEMA),
        (("features", "descriptors"), typed([2, 16], bytes(32)), WireReason.SCHEMA),
        (("features", "descriptors"), typed([3, 32], bytes(96)), WireReason.SCHEMA),
        (("features", "model"), bytes(31), WireReason.SCHEMA),
        (("features", "codebook"), "secret-word", WireReason.SCHEMA),
        (("statement", "scale"), 2**70, WireReason.SCHEMA),
        (("statement", "simulated"), 1, WireReason.SCHEMA),
    ],
)
def test_a_value_outside_the_schema_is_refused_without_quoting_it(signed, path, value, reason):
    whole = tree(signed[0])
    part = whole
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    with pytest.raises(WireError) as caught:
        decode(cbor2.dumps(whole, canonical=True), Observation)
    assert caught.value.reason is reason
    assert "secret-word" not in str(caught.value)


def test_a_map_out_of_order_or_with_a_key_twice_is_refused(signed):
    payload = cbor2.dumps(dict(reversed(tree(signed[0]).items())))
    for hostile in (payload, b"\xaa\x65level\x61x" + encode(signed[0])[1:]):
        with pytest.raises(WireError) as caught:
            decode(hostile, Observation)
        assert caught.value.reason is WireReason.NOT_DETERMINISTIC


def test_a_message_that_is_too_long_is_refused_before_it_is_read(key, topic):
    for attempt in (
        lambda: decode(bytes(MAX_MESSAGE + 1), Observation),
        lambda: verify(bytes(MAX_MESSAGE + 1), key.public_key(), topic),
        lambda: sign(bytes(MAX_MESSAGE), key, topic),
    ):
        with pytest.raises(WireError) as caught:
            attempt()
        assert caught.value.reason is WireReason.OVERSIZE


@given(st.text(max_size=80))
def test_a_topic_is_taken_apart_or_refused(text):
    with pytest.raises(WireError):
        parse(text)
    good = Topics("home/speckled", "cam-1").ack
    assert parse(good) == (Topics("home/speckled", "cam-1"), "ack")
    with pytest.raises(WireError):
        Topics("home", "cam-1\n")


def test_every_struct_of_the_wire_refuses_unknown_fields(signed):
    parts = [signed[0], signed[0].receipt, signed[0].statement, signed[0].features, signed[0].provenance]
    assert all(msgspec.inspect.type_info(type(part)).forbid_unknown_fields for part in parts)
