"""Against a peer that follows a script: every answer that MQTT has, and what no broker should do."""

import itertools
import threading

import pytest
from rig.client import client, ready
from rig.packets import (
    CONTENT_TYPE,
    MAXIMUM_PACKET_SIZE,
    MAXIMUM_QOS,
    MESSAGE_EXPIRY,
    RECEIVE_MAXIMUM,
    RETAIN_AVAILABLE,
    SERVER_KEEP_ALIVE,
    Connect,
    Disconnect,
    Ping,
    Puback,
    Publish,
    Subscribe,
)
from rig.peer import DROP, SILENCE, Answer, Goodbye, Peer, Raw, Script, in_turn, settle
from rig.proxy import Proxy

from wire.connection import PENDING, WINDOW
from wire.events import TOO_LARGE, TOO_MANY, Connected, Disconnected, Message, Published, Refused, Subscribed

REFUSALS = [0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x9A]
REFUSALS += [0x9B, 0x9C, 0x9D, 0x9F]
GOODBYES = [0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98]
GOODBYES += [0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2]
PUBACKS = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
SUBACKS = [0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
"""Reason codes of each packet: MQTT 5, sections 3.2.2.2, 3.14.2.1, 3.4.2.1 and 3.9.3."""
RUBBISH = [b"\xff" * 9, b"\x00\x00", b"\x20\x01\x00", b"\x40\x01\x00", b"\x30\x05\xff\xff\x00\x00\x00", b"\x90\x00"]


def test_each_refusal_of_a_connection_is_told_with_its_words_and_its_kind():
    script = Script(connect=in_turn(*(Answer(code) for code in REFUSALS)))
    with Peer(script) as peer, client(peer.port) as one:
        told = [one.wait(Refused) for _ in REFUSALS]
        assert one.broker.alive()
    assert {code for code, each in zip(REFUSALS, told, strict=True) if each.credentials} == {0x86, 0x87, 0x8A, 0x8C}
    assert len({each.reason for each in told}) == len(REFUSALS)
    assert told[REFUSALS.index(0x84)].reason == "Unsupported protocol version: set `protocol`"
    assert not any(isinstance(event, (Connected, Disconnected)) for event in one.past)


@pytest.mark.parametrize(("code", "credentials"), [(2, False), (3, False), (4, True), (5, True)])
def test_each_refusal_of_mqtt_3_1_1_is_told_too(code, credentials):
    with Peer(Script(connect=Answer(code))) as peer, client(peer.port, protocol="3.1.1") as one:
        assert one.wait(Refused).credentials is credentials


def test_a_broker_that_does_not_speak_the_version_is_told_with_what_to_set():
    with Peer(Script(connect=Answer(1))) as peer, client(peer.port, protocol="3.1.1") as one:
        assert "another version of MQTT: see `protocol`" in one.wait(Disconnected).reason


def test_each_goodbye_of_a_broker_is_told_in_its_words():
    script = Script(publish=in_turn(*(Goodbye(code) for code in GOODBYES)))
    with Peer(script) as peer, client(peer.port) as one:
        reasons = set()
        for _ in GOODBYES:
            one.wait(Connected)
            one.broker.publish("a", b"")
            reasons.add(one.wait(Disconnected).reason)
        assert one.broker.alive()
    assert len(reasons) == len(GOODBYES)
    assert "Session taken over; somebody else connects under the same client id: give each its own" in reasons


def test_each_answer_to_a_publish_is_told_with_its_code():
    script = Script(publish=in_turn(*(Answer(code) for code in PUBACKS)))
    with Peer(script) as peer, ready(peer.port) as one:
        for code in PUBACKS:
            mid = one.broker.publish("a", b"")
            answer = one.wait(Published)
            assert (answer.mid, answer.code, answer.accepted) == (mid, code, code < 0x80)
        assert peer.connections == 1


def test_each_refusal_of_a_subscription_is_told():
    for code in SUBACKS:
        with Peer(Script(subscribe=Answer(code))) as peer, client(peer.port, subscriptions=("a", "b")) as one:
            told = one.wait(Subscribed)
            assert not told.accepted
            assert told.reason
            assert peer.all(Subscribe)[0].filters == ("a", "b")


def test_a_refusal_that_paho_has_no_name_for_is_told_as_an_end():
    with Peer(Script(connect=in_turn(Answer(0x99), Answer()))) as peer, client(peer.port) as one:
        assert "Protocol error before an answer" in one.wait(Disconnected).reason
        one.wait(Connected)


@pytest.mark.parametrize("code", [0x42, 0x7F, 0xFE])
def test_a_code_that_no_standard_has_ends_a_connection_and_not_the_thread(code):
    script = Script(publish=in_turn(Answer(code), Answer()))
    with Peer(script) as peer, ready(peer.port) as one:
        one.broker.publish("a", b"")
        one.wait(Disconnected)
        one.wait(Connected)
        mid = one.broker.publish("a", b"")
        assert one.wait(Published).mid == mid


@pytest.mark.parametrize("bad", [DROP, *(Raw(data) for data in RUBBISH)])
@pytest.mark.parametrize(("stage", "packet"), [("connect", Connect), ("subscribe", Subscribe), ("publish", Publish)])
def test_rubbish_and_resets_at_any_stage_are_survived(stage, packet, bad):
    script = Script(**{stage: in_turn(bad, Answer())})
    with Peer(script) as peer, client(peer.port, subscriptions=("b",)) as one:
        if stage == "publish":
            one.wait(Connected)
            one.broker.publish("a", b"")
        peer.wait(packet)
        settle(0.03)
        if peer.connections == 1:
            peer.drop()  # what looks like the beginning of a message is waited for
        one.wait(Disconnected)
        one.wait(Connected)
        mid = one.broker.publish("a", b"")
        while (answer := one.wait(Published)).mid != mid:
            pass
        assert answer.accepted


def test_a_peer_that_does_not_answer_a_connect_is_left():
    now = itertools.count(0, 4)
    with Peer(Script(connect=SILENCE)) as peer, client(peer.port, clock=lambda: next(now)) as one:
        reason = one.wait(Disconnected).reason
    assert reason.startswith("no answer within 10 s; the broker may speak another version of MQTT")


def test_a_broker_whose_network_has_gone_is_left_after_one_and_a_half_keepalives_and_found_again():
    with Peer() as peer, Proxy(peer.port) as proxy, ready(proxy.port, keepalive=1) as one:
        proxy.blackhole()
        assert one.wait(Disconnected).reason == "the broker has said nothing for 1.5 s"
        proxy.through()
        one.wait(Connected)


def test_a_broker_that_answers_pings_is_kept():
    with Peer() as peer, ready(peer.port, keepalive=1) as one:
        peer.wait(Ping, 2)
        assert one.events.empty()
    assert peer.connections == 1


def test_the_keepalive_that_the_broker_asks_for_is_kept():
    script = Script(connect=Answer(0, {SERVER_KEEP_ALIVE: 1}), ping=in_turn(Answer(), SILENCE))
    with Peer(script) as peer, ready(peer.port, keepalive=3600) as one:
        peer.wait(Ping)
        assert one.wait(Disconnected).reason == "the broker has said nothing for 1.5 s"


@pytest.mark.parametrize(("told", "most"), [(1, 1), (3, 3), (65535, WINDOW)])
def test_never_more_than_the_broker_takes_is_unanswered_and_the_rest_follows(told, most):
    script = Script(connect=Answer(0, {RECEIVE_MAXIMUM: told}), publish=SILENCE)
    with Peer(script) as peer, ready(peer.port) as one:
        numbers = [one.broker.publish("a", b"%d" % n) for n in range(WINDOW + 5)]
        first = peer.wait(Publish, most)
        settle()
        assert len(peer.all(Publish)) == most
        peer.script = Script()
        for message in first:
            peer.send(bytes([0x40, 2]) + message.mid.to_bytes(2, "big"))
        assert sorted(one.wait(Published).mid for _ in numbers) == numbers
        assert [message.payload for message in peer.all(Publish)] == [b"%d" % n for n in range(WINDOW + 5)]


def test_what_is_of_quality_0_does_not_wait_for_answers_to_the_rest():
    script = Script(connect=Answer(0, {RECEIVE_MAXIMUM: 1}), publish=SILENCE)
    with Peer(script) as peer, ready(peer.port) as one:
        for _ in range(3):
            one.broker.publish("a", b"waits")
        one.broker.publish("a", b"goes", qos=0)
        assert [message.payload for message in peer.wait(Publish, 2)] == [b"waits", b"goes"]
        peer.drop()


def test_a_broker_that_never_answers_does_not_fill_the_memory():
    script = Script(connect=Answer(0, {RECEIVE_MAXIMUM: 1}), publish=SILENCE)
    with Peer(script) as peer, ready(peer.port) as one:
        one.broker.publish("a", b"")
        peer.wait(Publish)
        numbers = [one.broker.publish("a", b"") for _ in range(PENDING + 1)]
        assert one.wait(Published) == Published(numbers[-1], False, one.past[-1].reason, TOO_MANY)
        peer.drop()


@pytest.mark.parametrize("size", [100, 127, 128, 129, 130, 16380, 16383, 16384, 16386, 16387, 16388, 16400])
def test_the_longest_packet_that_the_broker_takes_goes_and_one_byte_more_is_told_and_kept(size):
    with Peer() as peer, ready(peer.port) as one:
        one.broker.publish("a/topic", bytes(size), expiry=60, content_type="text/plain")
        length = peer.wait(Publish)[0].size
    for limit in length, length - 1:
        with Peer(Script(connect=Answer(0, {MAXIMUM_PACKET_SIZE: limit}))) as peer, ready(peer.port) as one:
            one.broker.publish("a/topic", bytes(size), expiry=60, content_type="text/plain")
            answer = one.wait(Published)
            assert answer.accepted is (limit == length)
            assert (answer.code == TOO_LARGE) is (limit < length)
            one.broker.publish("a", b"short")
            assert one.wait(Published).accepted
            assert peer.wait(Publish)[-1].payload == b"short"


@pytest.mark.parametrize(
    ("lacking", "word"), [({MAXIMUM_QOS: 0}, "allow QoS 1"), ({RETAIN_AVAILABLE: 0}, "allow retained messages")]
)
def test_a_broker_that_cannot_do_what_delivery_needs_is_told_and_left(lacking, word):
    with Peer(Script(connect=Answer(0, lacking))) as peer, client(peer.port) as one:
        told = one.wait(Refused)
        assert word in told.reason
        assert not told.credentials
        peer.wait(Disconnect)


def test_expiry_and_content_type_travel_with_mqtt_5_and_are_left_out_of_3_1_1():
    with Peer() as peer:
        for protocol in ("5", "3.1.1"):
            with ready(peer.port, protocol=protocol) as one:
                one.broker.publish("a", b"x", expiry=90, content_type="text/plain")
                one.wait(Published)
        new, old = peer.all(Publish)
    assert new.properties == {MESSAGE_EXPIRY: 90, CONTENT_TYPE: "text/plain"}
    assert (old.properties, old.payload) == ({}, b"x")


def test_messages_are_acknowledged_when_we_say_so_and_in_our_order():
    with Peer() as peer, ready(peer.port, subscriptions=("a",), manual_ack=True) as one:
        for mid in (5, 6):
            peer.send(Publish("a", b"%d" % mid, qos=1, mid=mid))
        first, second = one.wait(Message), one.wait(Message)
        settle()
        assert peer.all(Puback) == []
        one.broker.acknowledge(second)
        one.broker.acknowledge(first)
        assert [answer.mid for answer in peer.wait(Puback, 2)] == [6, 5]


def test_what_was_published_before_a_stop_goes_before_the_goodbye():
    with Peer() as peer:
        with ready(peer.port) as one:
            for number in range(WINDOW):
                one.broker.publish("a", b"%d" % number)
            one.broker.publish("a", b"farewell", qos=0)
        assert peer.wait(Disconnect)
        assert [message.payload for message in peer.all(Publish)][-1] == b"farewell"
        assert len(peer.all(Publish)) == WINDOW + 1


def test_a_corrupted_connection_ends_and_the_next_one_delivers():
    with Peer() as peer, Proxy(peer.port) as proxy, client(proxy.port, keepalive=1) as one:
        one.wait(Connected)
        proxy.corrupt()
        while not any(isinstance(event, Disconnected) for event in one.past):
            one.broker.publish("a", bytes(100))
            one.wait((Disconnected, Published))
        proxy.through()
        proxy.cut()
        one.wait(Connected)
        mid = one.broker.publish("a", b"sound")
        while one.wait(Published).mid != mid:
            pass
        assert peer.all(Publish)[-1].payload == b"sound"


def test_many_threads_may_publish_at_once():
    with Peer() as peer, ready(peer.port) as one:
        threads = [threading.Thread(target=lambda: [one.broker.publish("a", b"") for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        answers = [one.wait(Published) for _ in range(200)]
        for thread in threads:
            thread.join()
        assert len({answer.mid for answer in answers}) == 200
        assert len(peer.all(Publish)) == 200
