from fractions import Fraction

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import altered, make_observation
from hypothesis import given
from hypothesis import strategies as st

from wire import loss
from wire.codec import encode
from wire.cose import sign
from wire.topics import Topics
from wire.verify import Verdict, exact, labels, plain, verify_message, verify_together

EPOCH = bytes(range(16))


@pytest.fixture
def verify(key, topic):
    """Signs an observation as the device would, and checks it."""

    def verify(observation):
        return verify_message(sign(encode(observation), key, topic), key.public_key())

    return verify


def failing(findings):
    return [finding.name for finding in findings if finding.verdict is Verdict.FAILS]


def stated(observation, **changes):
    return altered(observation, statement=altered(observation.statement, **changes))


def gaussian(observation):
    """The same with Gaussian noise, consistent."""
    statement, noise, delta = observation.statement, "discrete-gaussian", Fraction(1, 10**9)
    cost = loss.cost(noise, statement.slope, statement.unit, statement.cell, statement.frames)
    epsilon = loss.epsilon(noise, cost, statement.unit, delta)
    rho = loss.zcdp(cost, statement.unit)
    return stated(
        observation, mechanism=noise, delta=delta, cost_total=cost, rho=rho, epsilon=epsilon, epsilon_level=epsilon
    )


def test_every_check_holds_for_a_message_as_it_was_signed(signed, key, topic):
    for given_topic in (None, topic):
        checked = verify_message(signed[1], key.public_key(), given_topic)
        assert {finding.verdict for finding in checked.findings} == {Verdict.HOLDS}
        assert encode(checked.observation) == encode(signed[0])
        said = {finding.name: finding.text for finding in checked.findings}
        assert ("made from the device id" in said["topic"]) == (given_topic is None)


def test_epsilon_is_shown_as_a_fraction_for_the_unit_in_words(signed, verify):
    said = {finding.name: finding.text for finding in verify(signed[0]).findings}
    unit = "one visit shorter than 10 min with at most 1024 pixels in view of this camera"
    assert said["slope"] == "λ = 1/614400 (about 1.6276e-06) = range / scale = 255 / 156672000"
    assert said["level"].startswith(f"ε = 1 at level day alone, for {unit}: cost 1/614400")
    assert said["total"].startswith(f"ε = 1 over all levels, for ever, for {unit}: cost 1/614400")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"epsilon": Fraction(1, 2)}, "total"),
        ({"epsilon_level": Fraction(1, 2)}, "level"),
        ({"slope": Fraction(1, 7)}, "slope"),
        ({"scale": 5}, "slope"),
        ({"frame_rate": Fraction(2)}, "statement"),
        ({"rows": 31}, "statement"),
        ({"simulated": False}, "statement"),
        ({"delta": Fraction(1, 2)}, "statement"),
        ({"guarantee": "local-dp"}, "guarantee"),
    ],
)
def test_a_forged_figure_fails_its_own_line_although_the_signature_holds(signed, verify, change, name):
    checked = verify(stated(signed[0], **change))
    assert name in failing(checked.findings)
    assert "signature" not in failing(checked.findings)
    if name in {"total", "level", "guarantee"}:
        assert failing(checked.findings) == [name]


def test_a_forged_figure_is_shown_beside_the_recomputed_one(signed, verify):
    (total,) = [
        finding for finding in verify(stated(signed[0], epsilon=Fraction(1, 3))).findings if finding.name == "total"
    ]
    assert total.text.startswith("ε = 1 over all levels")
    assert total.text.endswith("but the message says 1/3 (about 0.333333)")


def test_gaussian_noise_is_recomputed_with_its_own_sums(signed, verify):
    observation = gaussian(signed[0])
    checked = verify(observation)
    assert failing(checked.findings) == []
    assert "rho" in {finding.name for finding in checked.findings}
    assert failing(verify(stated(observation, rho=Fraction(1, 9))).findings) == ["rho"]
    assert failing(verify(stated(observation, epsilon=Fraction(1, 9))).findings) == ["total"]
    assert failing(verify(stated(observation, delta=Fraction(1, 10**8))).findings) == ["level", "total"]
    assert "δ = 1/1000000000" in labels(observation)[-1]


@pytest.mark.parametrize(
    "receipt",
    [{"position": 1}, {"previous": bytes(32)}, {"previous": b"\1" * 32, "hash": b"\1" * 32}],
)
def test_a_receipt_that_no_ledger_gives_fails(signed, verify, receipt):
    said = msgspec.structs.replace(signed[0].receipt, **receipt)
    features = altered(signed[0].features, fused=[said.position])
    assert failing(verify(altered(signed[0], receipt=said, features=features)).findings) == ["receipt"]


def test_another_key_fails_at_the_signature_and_nothing_of_the_message_is_told(signed):
    other = Ed25519PrivateKey.from_private_bytes(b"e" * 32).public_key()
    checked = verify_message(signed[1], other)
    assert checked.observation is None
    assert [finding.name for finding in checked.findings] == ["envelope", "signature"]
    assert failing(checked.findings) == ["signature"]


def test_a_message_on_the_topic_of_another_device_fails(signed, key, topic):
    stranger = Topics("speckled", "cam-2").observation
    assert failing(verify_message(signed[1], key.public_key(), stranger).findings) == ["signature"]
    moved = sign(encode(signed[0]), key, stranger)
    assert failing(verify_message(moved, key.public_key(), stranger).findings) == ["topic"]
    for odd in ("speckled", topic.replace("observation", "state"), topic.replace("cam-1", "cam-2")):
        assert failing(verify_message(signed[1], key.public_key(), odd).findings) == ["topic"]


HOSTILE = [
    b"",
    bytes(65536),
    bytes(70000),
    b"\x81" * 65536,
    b"\xd2" * 500,
    b"\xa1" * 65000,
    b"\x9f" * 100,
    b"\xc2\x59\xff\xff" + b"\xff" * 65000,
    cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b"", b""])),
    cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b"\xa0", bytes(64)])),
    cbor2.dumps(cbor2.CBORTag(18, [1, 2, 3, 4])),
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("with_topic", [False, True])
def test_hostile_bytes_give_one_failing_line(key, topic, data, with_topic):
    checked = verify_message(data, key.public_key(), topic if with_topic else None)
    assert checked.observation is None
    assert len(failing(checked.findings)) == 1
    assert all("\n" not in finding.text for finding in checked.findings)


def test_a_message_cut_or_changed_anywhere_fails(signed, key):
    envelope = signed[1]
    for at in range(0, len(envelope), 61):
        flipped = envelope[:at] + bytes([envelope[at] ^ 4]) + envelope[at + 1 :]
        for hostile in (envelope[:at], flipped, envelope + b"\n"):
            assert len(failing(verify_message(hostile, key.public_key()).findings)) == 1


@given(data=st.binary(max_size=300))
def test_any_bytes_signed_by_the_device_that_are_no_observation_fail_in_one_line(key, topic, data):
    checked = verify_message(sign(data, key, topic), key.public_key(), topic)
    assert failing(checked.findings) == ["schema"]


def history(key, *positions, **changes):
    return [make_observation("cam-1", at, EPOCH, key, keypoints=2, **changes)[0] for at in positions]


def test_one_message_alone_has_nothing_to_be_compared_with(key):
    assert verify_together(history(key, 3)) == []


def test_neighbours_link_in_any_order_and_the_same_message_twice_is_no_fault(key):
    found = verify_together(history(key, 5, 3, 4, 4))
    assert [(finding.name, finding.verdict) for finding in found] == [
        ("positions", Verdict.HOLDS),
        ("links", Verdict.HOLDS),
        ("epoch", Verdict.HOLDS),
    ]
    assert "2 of neighbours" in found[1].text


def test_messages_that_are_no_neighbours_leave_the_chain_open(key):
    assert {finding.name: finding.verdict for finding in verify_together(history(key, 3, 9))}["links"] is Verdict.OPEN


def test_a_neighbour_that_does_not_follow_fails(key):
    first, second = history(key, 3, 4)
    receipt = msgspec.structs.replace(second.receipt, previous=b"\7" * 32)
    assert failing(verify_together([first, altered(second, receipt=receipt)])) == ["links"]


def test_a_position_with_two_messages_fails_even_where_the_receipts_agree(key):
    (first,) = history(key, 3)
    for other in (
        altered(first, opened=first.opened - 1),
        altered(first, receipt=msgspec.structs.replace(first.receipt, hash=b"\7" * 32)),
    ):
        assert failing(verify_together([first, other])) == ["positions"]


def test_an_entry_at_two_positions_fails(key):
    first, second = history(key, 3, 5)
    receipt = msgspec.structs.replace(second.receipt, hash=first.receipt.hash)
    assert failing(verify_together([first, altered(second, receipt=receipt)])) == ["positions"]


def test_an_epoch_that_goes_on_after_another_fails(key):
    first, _, third = history(key, 3, 6, 9)
    (other,) = [make_observation("cam-1", 6, bytes(16), key, keypoints=2)[0]]
    assert failing(verify_together([first, other])) == []
    assert failing(verify_together([first, other, third])) == ["positions"]


@pytest.mark.parametrize(
    "change", [{"cost_total": Fraction(1, 9)}, {"profile": "place"}, {"frame_rate": Fraction(1, 2)}]
)
def test_an_epoch_with_two_promises_fails_and_the_part_is_named(key, change):
    first, second = history(key, 3, 4)
    found = verify_together([first, stated(second, **change)])
    assert failing(found) == ["epoch"]
    assert f"another statement.{next(iter(change))}" in found[2].text


def test_an_epoch_with_two_configurations_fails(key):
    first, second = history(key, 3, 4)
    provenance = msgspec.structs.replace(second.provenance, configuration=b"\1" * 32)
    assert failing(verify_together([first, altered(second, provenance=provenance)])) == ["epoch"]


def test_devices_are_not_compared_with_each_other(key):
    one, two = history(key, 3)[0], make_observation("cam-2", 3, bytes(16), key, keypoints=2)[0]
    assert failing(verify_together([one, two])) == []


def test_what_a_reader_must_not_overlook_comes_first(signed):
    assert labels(signed[0])[0].startswith("SIMULATED")
    entropy = msgspec.structs.replace(signed[0].statement.entropy, construction="drbg", simulated=False)
    said = labels(stated(signed[0], simulated=False, entropy=entropy))
    assert [label.partition(":")[0] for label in said] == ["COMPUTATIONAL"]


def test_numbers_and_texts_are_shown_as_they_are():
    assert exact(Fraction(3)) == "3"
    assert exact(Fraction(1, 2)) == "1/2 (0.5)"
    assert exact(Fraction(1, 3)) == "1/3 (about 0.333333)"
    assert plain("map\n\x1b[2Jholds\u202e") == "map\ufffd\ufffd[2Jholds\ufffd"
