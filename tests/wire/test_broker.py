import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from queue import SimpleQueue

import pytest
from conftest import free_port
from rig.client import Client, client, ready

from wire.connection import PENDING
from wire.events import NO_SUBSCRIBERS, NOT_SENT, Connected, Disconnected, Message, Published, Refused, Subscribed, Will
from wire.settings import SettingsError

AMQTT = """
import asyncio, sys
from amqtt.broker import Broker
async def serve():
    await Broker({
        "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:" + sys.argv[1]}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }).start()
    await asyncio.Event().wait()
asyncio.run(serve())
"""


@pytest.fixture(scope="module")
def amqtt():
    pytest.importorskip("amqtt")
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", AMQTT, str(port)], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
    yield port
    process.kill()
    process.wait()


@contextmanager
def peer(behave):
    """A server that does `behave(connection)` with each connection."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                connection.recv(1000)
                behave(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_published_arrives_and_the_answer_bears_its_number(mosquitto, protocol):
    with ready(mosquitto.port, protocol=protocol, subscriptions=("a/#",)) as one:
        mid = one.broker.publish("a/b", b"\x00payload")
        assert one.wait(Message).payload == b"\x00payload"
        answers = [event for event in one.past if isinstance(event, Published)] or [one.wait(Published)]
        assert answers[0] == Published(mid, True, "Success", 0)


def test_a_small_broker_inside_python_that_speaks_3_1_1_only_serves_too(amqtt):
    with ready(amqtt, protocol="3.1.1", subscriptions=("a/#",), will=Will("a/will", b"x")) as one:
        one.broker.publish("a/b", b"payload", retain=True)
        assert one.wait(Message) == Message("a/b", b"payload", (1 << 16) | 1, 1)


@pytest.mark.broker
def test_mqtt_5_tells_when_nobody_subscribes(mosquitto):
    with ready(mosquitto.port) as one:
        one.broker.publish("nobody/listens", b"")
        answer = one.wait(Published)
        assert (answer.accepted, answer.code) == (True, NO_SUBSCRIBERS)


@pytest.mark.broker
def test_a_denied_publish_and_a_denied_subscription_are_told(start_mosquitto, tmp_path):
    (tmp_path / "acl").write_text("topic read nothing\n")
    mosquitto = start_mosquitto(extra=f"acl_file {tmp_path / 'acl'}")
    with client(mosquitto.port, subscriptions=("a/#",)) as one:
        one.wait(Subscribed)
        one.broker.publish("a/b", b"")
        answer = one.wait(Published)
        assert (answer.accepted, answer.code, answer.reason) == (False, 0x87, "Not authorized")


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_a_matter_of_credentials(start_mosquitto, tmp_path, protocol):
    mosquitto = start_mosquitto(passwords={"me": "right"})
    (tmp_path / "word").write_text("wrong\n")
    login = {"username": "me", "password_file": str(tmp_path / "word"), "protocol": protocol}
    with client(mosquitto.port, **login) as one:
        assert one.wait(Refused).credentials
        one.wait(Refused)
    assert not any(isinstance(event, Disconnected) for event in one.past)
    (tmp_path / "word").write_text("right\nanything\n")
    with ready(mosquitto.port, **login):
        pass


@pytest.mark.broker
def test_it_connects_and_subscribes_again_after_the_broker_was_killed(mosquitto):
    with ready(mosquitto.port, subscriptions=("a/#",)) as one:
        mosquitto.kill()
        one.wait(Disconnected)
        mosquitto.start()
        one.wait(Connected)
        one.wait(Subscribed)
        one.broker.publish("a/b", b"again")
        assert one.wait(Message).payload == b"again"
        assert one.broker.alive()


@pytest.mark.broker
def test_a_new_connection_never_sends_what_an_old_one_left_over(mosquitto):
    with ready(mosquitto.port, client_id="watcher", subscriptions=("a/#",)) as watcher, ready(mosquitto.port) as one:
        mosquitto.kill()
        numbers = [one.broker.publish("a/b", b"%d" % n) for n in range(50)]
        one.wait(Disconnected)
        mosquitto.start()
        one.wait(Connected)
        watcher.wait(Connected)
        watcher.wait(Subscribed)
        one.broker.publish("a/b", b"new")
        assert watcher.wait(Message).payload == b"new"
        assert len(set(numbers)) == 50


def test_without_a_connection_a_publish_is_answered_at_once():
    with client(free_port()) as one:
        one.wait(Disconnected)
        mid = one.broker.publish("a", b"")
        answer = one.wait(Published)
        assert (answer.mid, answer.accepted, answer.code) == (mid, False, NOT_SENT)
        assert one.broker.publish("a", b"") != mid


def test_an_unreachable_broker_is_told_and_tried_again():
    with client(free_port()) as one:
        assert one.wait(Disconnected).reason == "Connection refused"
        one.wait(Disconnected)


@pytest.mark.broker
def test_a_kept_session_delivers_what_came_while_we_were_away(mosquitto):
    how = {"client_id": "kept", "subscriptions": ("a/#",)}
    with ready(mosquitto.port, client_id="sender") as sender:
        with ready(mosquitto.port, **how):
            pass
        sender.broker.publish("a/b", b"meanwhile")
        sender.wait(Published)
        with client(mosquitto.port, **how) as one:
            assert one.wait(Connected).session_present
            assert one.wait(Message).payload == b"meanwhile"


@pytest.mark.broker
def test_what_was_not_acknowledged_comes_again_and_an_acknowledgement_counts_for_its_own_connection_only(mosquitto):
    kept = {"client_id": "kept", "subscriptions": ("a/#",), "manual_ack": True}
    with ready(mosquitto.port, client_id="sender") as sender, ready(mosquitto.port, **kept) as one:
        for text in (b"1", b"2"):
            sender.broker.publish("a/b", text)
        first, second = one.wait(Message), one.wait(Message)
        one.broker.acknowledge(first)
        break_connection(one)
        assert one.wait(Message).payload == b"2"
        one.broker.acknowledge(second)  # of the connection before: ignored
        break_connection(one)
        assert one.wait(Message).payload == b"2"


def heard_by(one):
    """A queue that gets an item after each message that has come over the wire, whatever became of it."""
    arrived, paho = SimpleQueue(), one.broker._connection._client
    inner = paho.on_message
    paho.on_message = lambda *message: (inner(*message), arrived.put(message))
    return arrived


def break_connection(one):
    """As a cable does that is pulled."""
    time.sleep(0.1)
    one.broker._connection._client.socket().shutdown(socket.SHUT_RDWR)
    one.wait(Disconnected)


@pytest.mark.broker
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_session_of_no_length_starts_clean(mosquitto, protocol):
    for _ in range(2):
        with client(mosquitto.port, session_expiry=0, protocol=protocol, subscriptions=("a",)) as one:
            assert not one.wait(Connected).session_present


@pytest.mark.broker
def test_the_will_speaks_for_who_vanishes_and_is_silent_for_who_says_goodbye(mosquitto):
    with ready(mosquitto.port, client_id="watcher", subscriptions=("a/#",)) as watcher:
        with ready(mosquitto.port, will=Will("a/will", b"gone")) as one:
            one.broker.publish("a/last", b"bye", qos=0)
        assert watcher.wait(Message).payload == b"bye"
        with ready(mosquitto.port, will=Will("a/will", b"gone")) as one:
            break_connection(one)
            assert watcher.wait(Message).payload == b"gone"


@pytest.mark.broker
def test_the_next_two_of_a_name_take_turns_but_never_hang(mosquitto):
    with ready(mosquitto.port, client_id="same") as one, ready(mosquitto.port, client_id="same"):
        assert one.wait(Disconnected).reason


def test_a_broker_that_says_who_took_over_is_quoted_with_a_remedy():
    taken_over = bytes([0x20, 3, 0, 0, 0]) + bytes([0xE0, 2, 0x8E, 0])
    with peer(lambda connection: connection.sendall(taken_over)) as port, client(port) as one:
        reason = one.wait(Disconnected).reason
    assert "taken over" in reason
    assert "give each its own" in reason


@pytest.mark.broker
@pytest.mark.parametrize(("manual_ack", "qos"), [(True, 0), (False, 0), (False, 1)])
def test_a_flood_that_nothing_holds_back_is_dropped_and_not_kept_in_memory(mosquitto, manual_ack, qos):
    how = {"subscriptions": ("a",), "manual_ack": manual_ack}
    with ready(mosquitto.port, **how) as one, ready(mosquitto.port, client_id="sender") as sender:
        arrived = heard_by(one)
        for _ in range(PENDING):
            one.events.put(None)
        for number in (qos, 1):
            sender.broker.publish("a", b"too much", qos=number)
            arrived.get(timeout=15)
        assert one.events.qsize() == PENDING + (1 if manual_ack else 0)
        while one.events.qsize():
            one.events.get()
        sender.broker.publish("a", b"welcome again", qos=0)
        assert one.wait(Message).payload == b"welcome again"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00", b"\x20\x01\x00", b"\xff" * 9])
def test_a_peer_that_is_no_broker_never_stops_the_thread(answer):
    with peer(lambda connection: connection.sendall(answer)) as port, client(port) as one:
        for _ in range(2):
            assert "another version of MQTT" in one.wait(Disconnected).reason
        assert one.broker.alive()


@pytest.mark.parametrize(
    ("code", "credentials"), [(0x86, True), (0x87, True), (0x8A, True), (0x88, False), (0x85, False)]
)
def test_each_refusal_of_mqtt_5_is_told_with_its_kind(code, credentials):
    connack = bytes([0x20, 3, 0, code, 0])
    with peer(lambda connection: connection.sendall(connack)) as port, client(port) as one:
        assert one.wait(Refused).credentials is credentials


def test_the_brokers_own_receive_maximum_is_told():
    connack = bytes([0x20, 6, 0, 0, 3, 0x21, 0, 7])
    with peer(lambda connection: (connection.sendall(connack), connection.recv(100))) as port, client(port) as one:
        assert one.wait(Connected).receive_maximum == 7


def test_no_more_is_sent_than_the_broker_takes_unanswered():
    connack, heard, done = bytes([0x20, 6, 0, 0, 3, 0x21, 0, 2]), [], threading.Event()

    def listen(connection):
        connection.sendall(connack)
        while b"the end" not in b"".join(heard):
            heard.append(connection.recv(1000))
        done.set()

    with peer(listen) as port, client(port) as one:
        one.wait(Connected)
        for _ in range(5):
            one.broker.publish("a", b"a message", qos=1)
        one.broker.publish("a", b"the end", qos=0)
        assert done.wait(15)
    assert b"".join(heard).count(b"a message") == 2


@pytest.mark.broker
def test_a_stop_is_quick_whatever_the_state(mosquitto):
    for port in (mosquitto.port, free_port()):
        with client(port) as one:
            one.events.get(timeout=10)
        assert not one.broker.alive()


def test_files_that_cannot_be_used_are_an_error_with_a_remedy_before_anything_starts(tmp_path):
    (tmp_path / "empty").write_text("")
    missing = str(tmp_path / "missing")
    wrong = [
        {"username": "me", "password_file": missing},
        {"username": "me", "password_file": str(tmp_path / "empty")},
        {"ca_file": missing},
        {"ca_file": str(tmp_path / "empty")},
        {"certificate_file": missing, "key_file": missing},
    ]
    for options in wrong:
        with pytest.raises(SettingsError) as caught:
            Client(1, **options)
        assert caught.value.remedy


@pytest.mark.broker
def test_a_stop_at_any_moment_of_the_start_is_quick(mosquitto):
    for _ in range(30):
        with client(mosquitto.port) as one:
            pass
        assert not one.broker.alive()
