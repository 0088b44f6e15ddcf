import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import altered, make_observation, make_report
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.relay.guard import Guard, GuardReason, GuardRefusal, RateBudget
from wire.codec import encode
from wire.cose import sign
from wire.errors import WireReason
from wire.schema import MAX_MESSAGE
from wire.topics import Topics

EPOCH = bytes(16)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TOPICS = Topics("speckled", "cam")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def make_guard(clock=None, **budget):
    return Guard(TOPICS, KEY.public_key(), budget=RateBudget(**budget), clock=clock or Clock())


def refusal(guard, envelope):
    with pytest.raises(GuardRefusal) as caught:
        guard.admit(envelope)
    return caught.value


def test_a_signed_consistent_observation_of_this_device_is_admitted():
    observation, envelope = make_observation("cam", 3, EPOCH, KEY)
    assert make_guard().admit(envelope).receipt == observation.receipt


def test_captures_signed_word_about_itself_is_admitted():
    report, envelope = make_report("cam", KEY)
    assert make_guard().admit(envelope) == report


def test_a_word_that_is_of_another_device_key_or_topic_or_is_too_long_stays_inside():
    stranger = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
    guard = make_guard()
    assert refusal(guard, make_report("cam", stranger)[1]).code is WireReason.SIGNATURE
    assert refusal(guard, make_report("cab", KEY)[1]).code is WireReason.SIGNATURE
    assert refusal(guard, make_report("cab", KEY, topic=TOPICS.state)[1]).code is GuardReason.DEVICE
    assert refusal(guard, make_report("cam", KEY, topic=TOPICS.health)[1]).code is WireReason.SIGNATURE
    assert refusal(guard, make_report("cam", KEY, topic=TOPICS.observation)[1]).code is WireReason.SCHEMA
    stuffed = sign(bytes(5000), KEY, TOPICS.state)
    assert refusal(guard, stuffed).code is WireReason.SIGNATURE


def test_each_way_of_being_wrong_is_refused_with_its_reason():
    observation, good = make_observation("cam", 3, EPOCH, KEY)
    other_key = make_observation("cam", 3, EPOCH, Ed25519PrivateKey.from_private_bytes(bytes([1] * 32)))[1]
    other_topic = make_observation("cam", 3, EPOCH, KEY, topic=TOPICS.health)[1]
    other_device = make_observation("cab", 3, EPOCH, KEY, topic=TOPICS.observation)[1]
    cheaper = altered(observation.statement, epsilon=observation.statement.epsilon / 2)
    dishonest = sign(encode(altered(observation, statement=cheaper)), KEY, TOPICS.observation)
    not_an_observation = sign(b"\xa0", KEY, TOPICS.observation)
    changed = bytearray(good)
    changed[-100] ^= 1
    guard = make_guard()
    assert refusal(guard, None).code is WireReason.OVERSIZE
    assert refusal(guard, b"\x00" * 100).code is WireReason.MALFORMED
    assert refusal(guard, b"").code is WireReason.MALFORMED
    assert refusal(guard, other_key).code is WireReason.SIGNATURE
    assert refusal(guard, other_topic).code is WireReason.SIGNATURE
    assert refusal(guard, bytes(changed)).code is WireReason.SIGNATURE
    assert refusal(guard, other_device).code is GuardReason.DEVICE
    assert refusal(guard, dishonest).code is WireReason.SCHEMA
    assert refusal(guard, not_an_observation).code is WireReason.SCHEMA
    assert not any(refusal(guard, None).later for _ in range(2))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_make_the_guard_fail_otherwise_than_by_refusing(data):
    refusal(make_guard(), data)


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_one_changed_bit_anywhere_is_refused(at, bit):
    envelope = bytearray(make_observation("cam", 3, EPOCH, KEY, keypoints=2)[1])
    envelope[at % len(envelope)] ^= 1 << bit
    refusal(make_guard(), bytes(envelope))


def test_a_refusal_holds_nothing_of_the_message():
    secret = b"the face of somebody" * 10
    error = refusal(make_guard(), secret)
    assert "face" not in f"{error!r} {error.__dict__} {error.__context__} {error.__cause__}"
    assert error.args == ("malformed",)


def test_beyond_the_number_of_messages_one_is_asked_to_wait_and_then_let_through():
    clock = Clock()
    guard = make_guard(clock, messages_at_once=2, messages_per_second=0.5)
    envelopes = [make_observation("cam", n, EPOCH, KEY, keypoints=1)[1] for n in (1, 2, 3)]
    guard.admit(envelopes[0])
    guard.admit(envelopes[1])
    assert (refusal(guard, envelopes[2]).code, refusal(guard, envelopes[2]).later) == (GuardReason.RATE, True)
    clock.now += 2.0
    guard.admit(envelopes[2])


def test_beyond_the_number_of_bytes_one_is_asked_to_wait():
    clock = Clock()
    envelope = make_observation("cam", 1, EPOCH, KEY)[1]
    guard = make_guard(clock, bytes_at_once=len(envelope), bytes_per_second=len(envelope))
    guard.admit(envelope)
    assert refusal(guard, envelope).code is GuardReason.RATE
    clock.now += 1.0
    guard.admit(envelope)


def test_garbage_is_charged_like_anything_else():
    guard = make_guard(messages_at_once=3, messages_per_second=0)
    for _ in range(3):
        assert refusal(guard, b"garbage").code is WireReason.MALFORMED
    assert refusal(guard, b"garbage").code is GuardReason.RATE


def test_the_default_budget_is_far_below_video():
    budget = RateBudget()
    assert budget.bytes_at_once >= 64 * MAX_MESSAGE
    assert budget.bytes_per_second < 640 * 480
