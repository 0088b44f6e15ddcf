import base64
import json
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import altered, make_observation, make_report, make_statement
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import StoreUnavailable
from collector.reader import Reader
from wire.codec import decode, encode
from wire.cose import sign, verify
from wire.errors import WireError
from wire.schema import Acknowledgement
from wire.topics import Topics

EPOCH = bytes(range(16))
TOPIC = Topics("speckled", "cam-1").observation
ACK = Topics("speckled", "cam-1").ack


@pytest.fixture
def good(key):
    return lambda position=1: (TOPIC, make_observation("cam-1", position, EPOCH, key, keypoints=3)[1])


def letters(tmp_path):
    with Reader(tmp_path / "collector.db") as reader:
        return {letter.reason: letter for letter in reader.letters(limit=100)}


def stored(tmp_path):
    with Reader(tmp_path / "collector.db") as reader:
        return sorted(row.position for row in reader.latest("cam-1", "day", 100))


def test_a_good_observation_is_stored_and_answered_with_a_signed_acknowledgement(ingest, good, collector_key):
    ((topic, envelope),) = ingest.take([good()])
    assert topic == ACK
    word = decode(verify(envelope, collector_key.public_key(), topic), Acknowledgement)
    assert (word.device, word.epoch) == ("cam-1", EPOCH)
    assert word.covers(1)
    assert not word.covers(2)


def test_an_acknowledgement_names_the_ledger_entry_that_it_reaches(ingest, key, collector_key):
    """Also where it is of an observation that was stored long before, and reaches beyond the one that came."""
    ten, eleven = (make_observation("cam-1", position, EPOCH, key, keypoints=3) for position in (10, 11))
    ingest.take([(TOPIC, eleven[1])])
    ((topic, envelope),) = ingest.take([(TOPIC, ten[1])])
    word = decode(verify(envelope, collector_key.public_key(), topic), Acknowledgement)
    assert (word.upto, word.hash) == (11, eleven[0].receipt.hash)


def test_a_duplicate_is_acknowledged_again_and_stored_once(ingest, good, tmp_path):
    first = ingest.take([good()])
    assert ingest.take([good(), good()]) == first
    assert stored(tmp_path) == [1]


def make_bad(name, key, stranger):
    observation, envelope = make_observation("cam-1", 2, EPOCH, key, keypoints=3)
    other_topic = Topics("speckled", "cam-2").observation
    match name:
        case "oversize":
            return TOPIC, bytes(65537)
        case "malformed":
            return TOPIC, envelope[: len(envelope) // 2]
        case "topic":
            return TOPIC.replace("/v1/", "/v1/0"), envelope
        case "unknown-device":
            return other_topic, make_observation("cam-2", 2, EPOCH, key, keypoints=3)[1]
        case "signature":
            return TOPIC, make_observation("cam-1", 2, EPOCH, stranger, keypoints=3)[1]
        case "schema":
            return TOPIC, sign(b"\xa0", key, TOPIC)
        case "unsupported-version":
            body = encode(observation).replace(b"\x67version\x01", b"\x67version\x02")
            return TOPIC, sign(body, key, TOPIC)
        case "another-device":
            return TOPIC, make_observation("cam-2", 2, EPOCH, key, keypoints=3, topic=TOPIC)[1]
        case "equivocation":
            return TOPIC, make_observation("cam-1", 1, EPOCH, key, keypoints=3, opened=5)[1]
        case "ledger-chain-broken":
            return TOPIC, make_observation("cam-1", 2, EPOCH, key, keypoints=3, previous=b"x" * 32)[1]
    raise AssertionError(name)


BAD = [
    "oversize",
    "malformed",
    "topic",
    "unknown-device",
    "signature",
    "schema",
    "unsupported-version",
    "another-device",
    "equivocation",
    "ledger-chain-broken",
]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_message_is_a_dead_letter_with_its_reason_and_disturbs_nothing(
    ingest, good, key, reports, tmp_path, name, collector_key
):
    bad = make_bad(name, key, Ed25519PrivateKey.generate())
    ingest.take([good(1)])
    ((topic, envelope),) = ingest.take([bad, good(4), bad])
    letter = letters(tmp_path)[name]
    assert (letter.count, letter.size) == (2, len(bad[1]))
    assert [reason for _, reason in reports] == [name]
    assert stored(tmp_path) == [1, 4]
    word = decode(verify(envelope, collector_key.public_key(), topic), Acknowledgement)
    assert word.gaps == [(2, 3)]


def test_a_statement_whose_epsilon_does_not_follow_is_a_dead_letter(ingest, key, tmp_path):
    wrong = altered(make_statement(), epsilon=Fraction(1, 10))
    assert ingest.take([(TOPIC, make_observation("cam-1", 1, EPOCH, key, keypoints=3, statement=wrong)[1])]) == []
    (letter,) = letters(tmp_path).values()
    assert (letter.reason, letter.detail.split(" ")[0]) == ("schema", "statement.epsilon")


def test_a_message_moved_to_the_topic_of_another_enrolled_device_is_a_forgery(ingest, good, key, enrol, tmp_path):
    enrol("cam-2", key)
    _, envelope = good()
    assert ingest.take([(Topics("speckled", "cam-2").observation, envelope)]) == []
    assert list(letters(tmp_path)) == ["signature"]


def test_a_bit_flipped_anywhere_is_never_stored(ingest, good, tmp_path):
    topic, envelope = good()
    for place in range(0, len(envelope), 41):
        flipped = bytearray(envelope)
        flipped[place] ^= 1
        assert ingest.take([(topic, bytes(flipped))]) == []
    assert stored(tmp_path) == []
    assert ingest.take([good()]) != []


def test_an_unknown_device_is_not_answered_and_is_stored_once_it_is_enrolled(ingest, key, enrol, reports):
    late = Ed25519PrivateKey.generate()
    message = (Topics("speckled", "late").observation, make_observation("late", 1, EPOCH, late, keypoints=3)[1])
    assert ingest.take([message]) == []
    assert ingest.take([message]) == []
    assert reports == [("late", "unknown-device")]
    enrol("late", late)
    assert len(ingest.take([message])) == 1


def test_replacing_or_removing_a_key_file_takes_effect_with_the_next_message(ingest, good, enrol, tmp_path):
    enrol("cam-1", Ed25519PrivateKey.generate())
    assert ingest.take([good()]) == []
    (tmp_path / "devices" / "cam-1.pub").unlink()
    assert ingest.take([good()]) == []
    assert set(letters(tmp_path)) == {"unknown-device"}


UNKNOWN_KIND = "MA8wBQYDKgMEAwYAAQIDBAU="
"""A well-formed public key whose algorithm nobody knows."""


@pytest.mark.parametrize(
    "pem", ["", "rubbish", f"-----BEGIN PUBLIC KEY-----\n{UNKNOWN_KIND}\n-----END PUBLIC KEY-----\n"]
)
def test_a_key_file_of_no_use_enrols_nobody_and_stops_nothing(ingest, good, tmp_path, pem):
    (tmp_path / "devices" / "cam-1.pub").write_text(pem)
    assert ingest.take([good()]) == []
    assert set(letters(tmp_path)) == {"unknown-device"}


def test_a_store_that_fails_takes_nothing_and_answers_nothing(ingest, good, store, tmp_path):
    ingest.take([good(1)])
    store._database.execute("PRAGMA query_only=1")
    with pytest.raises(StoreUnavailable):
        ingest.take([good(2)])
    store._database.execute("PRAGMA query_only=0")
    assert stored(tmp_path) == [1]
    ((topic, _),) = ingest.take([good(2)])
    assert topic == ACK


def test_the_state_of_an_enrolled_device_is_remembered_and_rubbish_is_not(ingest, tmp_path):
    online = json.dumps({"state": "online", "session": "s", "software": "speckled 0.1.0"}).encode()
    rubbish = [b"", b"{", b'{"state":"burning"}', b"\xff", b"x" * 5000]
    state = Topics("speckled", "cam-1").state
    unknown = Topics("speckled", "cam-9").state
    ingest.take([(state, online), (unknown, online), *((state, text) for text in rubbish)])
    with Reader(tmp_path / "collector.db") as reader:
        assert [(row.device, row.state) for row in reader.devices()] == [("cam-1", "online")]
        assert reader.letters() == []


def state_message(envelope, **changes):
    online = {"state": "online", "session": "s", "software": "speckled 0.1.0"}
    return json.dumps(online | {"signed": base64.b64encode(envelope).decode()} | changes).encode()


@pytest.mark.parametrize(
    ("word", "changes", "shown"),
    [
        ("switched-off", {}, "switched-off"),
        ("observing", {}, "online"),
        ("switched-off", {"state": "offline"}, "offline"),
    ],
)
def test_a_closed_camera_is_shown_on_captures_signed_word(ingest, key, tmp_path, word, changes, shown):
    state = Topics("speckled", "cam-1").state
    ingest.take([(state, state_message(make_report("cam-1", key, state=word)[1], **changes))])
    with Reader(tmp_path / "collector.db") as reader:
        assert [row.state for row in reader.devices()] == [shown]


def test_a_closed_camera_that_capture_did_not_sign_is_not_shown(ingest, key, tmp_path):
    topic = Topics("speckled", "cam-1").state
    forged = make_report("cam-1", Ed25519PrivateKey.generate(), state="switched-off")[1]
    moved = make_report("cam-1", key, state="switched-off", topic=Topics("other", "cam-1").state)[1]
    for envelope in (forged, moved, b"", b"rubbish"):
        ingest.take([(topic, state_message(envelope))])
        with Reader(tmp_path / "collector.db") as reader:
            assert [row.state for row in reader.devices()] == ["online"]
    ingest.take([(topic, state_message(b"", signed="not base64"))])


LEVELS = st.sampled_from(["speckled", "v1", "cam-1", "observation", "state", "ack", "+", "", "\n", "é", "a/b"])
TOPICS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.lists(LEVELS, max_size=7).map("/".join)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(topic=TOPICS | st.just(TOPIC), payload=st.binary(max_size=200))
def test_no_bytes_on_no_topic_stop_the_collector(ingest, topic, payload):
    assert ingest.take([(topic, payload)]) == []


def test_a_dead_letter_never_quotes_the_message(ingest, key, tmp_path):
    observation, _ = make_observation("cam-1", 1, EPOCH, key, keypoints=3)
    secret = altered(observation, level="s3cret" * 20)
    with pytest.raises(WireError):
        decode(encode(secret), type(secret))
    ingest.take([(TOPIC, sign(encode(secret), key, TOPIC))])
    (letter,) = letters(tmp_path).values()
    assert "s3cret" not in letter.detail
