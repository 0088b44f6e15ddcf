"""The peer against a client that is not ours, so that a fault of one does not hide a fault of the other."""

import socket
import time

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from rig.packets import (
    CONTENT_TYPE,
    RECEIVE_MAXIMUM,
    SERVER_KEEP_ALIVE,
    SESSION_EXPIRY,
    Connect,
    Disconnect,
    Publish,
    Subscribe,
)
from rig.peer import DROP, SILENCE, Answer, Goodbye, Peer, Raw, Script, in_turn


class Paho:
    """paho in this thread: `loop` until something has happened."""

    def __init__(self, port, version=5, **how):
        self.heard = []
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, "me", protocol=version, clean_session=None if version == 5 else True
        )
        client.on_connect = lambda _c, _u, _f, code, props: self.heard.append(("connack", code.value, props))
        client.on_subscribe = lambda _c, _u, _m, codes, _p: self.heard.append(("suback", [c.value for c in codes]))
        client.on_publish = lambda _c, _u, mid, code, _p: self.heard.append(("puback", mid, code.value))
        client.on_message = lambda _c, _u, message: self.heard.append(("message", message.topic, message.payload))
        client.on_disconnect = lambda _c, _u, _f, code, _p: self.heard.append(("end", code.value))
        client.connect("127.0.0.1", port, keepalive=5, **how)
        client.loop(0.05)

    def until(self, kind, seconds=10):
        end = time.monotonic() + seconds
        while not any(one[0] == kind for one in self.heard):
            assert time.monotonic() < end, self.heard
            self.client.loop(0.05)
        return next(one for one in self.heard if one[0] == kind)

    def close(self):
        self.client.disconnect()
        self.client.loop(0.05)
        if self.client.socket():
            self.client.socket().close()


@pytest.fixture
def start():
    opened = []

    def start(script=None, **how):
        peer = Peer(script).__enter__()
        opened.append(peer)
        one = Paho(peer.port, **how)
        opened.append(one)
        return peer, one

    yield start
    for one in reversed(opened):
        one.close() if isinstance(one, Paho) else one.__exit__()


@pytest.mark.parametrize("version", [5, 4])
def test_a_friendly_script_connects_subscribes_takes_and_gives(start, version):
    peer, one = start(version=version)
    one.until("connack")
    one.client.subscribe("a/#", 1)
    assert one.until("suback") == ("suback", [1])
    one.client.publish("a/b", b"payload", qos=1, retain=True)
    assert one.until("puback")[2] == 0
    peer.send(Publish("a/c", b"\x00back", qos=1, mid=7))
    assert one.until("message") == ("message", "a/c", b"\x00back")
    one.close()
    assert peer.wait(Disconnect)
    assert peer.all(Subscribe)[0].filters == ("a/#",)
    sent = peer.all(Publish)[0]
    assert (sent.topic, sent.payload, sent.qos, sent.retain, sent.again) == ("a/b", b"payload", 1, True, False)
    assert peer.all(Connect)[0].version == version


def test_what_the_client_says_of_itself_is_recorded(start):
    asked = Properties(PacketTypes.CONNECT)
    asked.SessionExpiryInterval = 90
    peer, _one = start(properties=asked, clean_start=False)
    connect = peer.wait(Connect)[0]
    assert (connect.client_id, connect.keepalive, connect.clean) == ("me", 5, False)
    assert connect.properties == {SESSION_EXPIRY: 90}


def test_properties_of_answers_and_messages_arrive(start):
    limits = Answer(0, {RECEIVE_MAXIMUM: 7, SERVER_KEEP_ALIVE: 9})
    peer, one = start(Script(connect=limits))
    properties = one.until("connack")[2]
    assert (properties.ReceiveMaximum, properties.ServerKeepAlive) == (7, 9)
    typed = Properties(PacketTypes.PUBLISH)
    typed.ContentType = "text/plain"
    one.client.publish("a", b"x", qos=1, properties=typed)
    one.until("puback")
    assert peer.all(Publish)[0].properties == {CONTENT_TYPE: "text/plain"}


def test_refusals_are_given_with_their_codes(start):
    _, one = start(Script(connect=Answer(0x87)))
    assert one.until("connack")[1] == 0x87
    _, one = start(Script(subscribe=Answer(0x80), publish=in_turn(Answer(0x97), Answer(0x10))))
    one.until("connack")
    one.client.subscribe("a", 1)
    assert one.until("suback") == ("suback", [0x80])
    one.client.publish("a", b"x", qos=1)
    assert one.until("puback")[2] == 0x97
    one.heard.clear()
    one.client.publish("a", b"x", qos=1)
    assert one.until("puback")[2] == 0x10


@pytest.mark.parametrize(("action", "code"), [(DROP, 128), (Goodbye(0x8E), 0x8E), (Raw(b"\xff" * 9), 130)])
def test_an_end_of_each_kind_ends_the_connection(start, action, code):
    _, one = start(Script(publish=action))
    one.until("connack")
    one.client.publish("a", b"x", qos=1)
    assert one.until("end")[1] == code


def test_silence_is_silence_and_a_late_answer_is_late(start):
    peer, one = start(Script(publish=in_turn(SILENCE, Answer(after=0.3))))
    one.until("connack")
    one.client.publish("a", b"1", qos=1)
    peer.wait(Publish)
    one.client.publish("a", b"2", qos=1)
    before = time.monotonic()
    assert one.until("puback")[1] == peer.wait(Publish, 2)[1].mid
    assert time.monotonic() - before >= 0.2


def test_rubbish_from_a_client_does_not_end_the_peer(start):
    peer, _ = start()
    with socket.create_connection(("127.0.0.1", peer.port)) as one:
        one.sendall(b"\x10\x00GET / HTTP/1.0\r\n\r\n")
        assert one.recv(10) == b""
    again = Paho(peer.port)
    again.until("connack")
    again.close()
