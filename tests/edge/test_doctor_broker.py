"""The visit to a broker: a real one with and without an ACL, one that hangs, and none."""

import socket
import subprocess
import threading
from dataclasses import replace
from queue import Empty, SimpleQueue

import pytest
from conftest import free_port
from made_up_device import device, known

from edge.config import MqttSettings
from edge.doctor import broker, mqtt
from edge.doctor.mqtt import Step, Visit, visit_broker
from wire.broker import Broker
from wire.events import Connected, Disconnected, Message, Subscribed
from wire.options import BrokerOptions
from wire.topics import Topics

ACL = "pattern readwrite speckled/v1/+/%u/#\n"
LOOKS = (
    broker.broker_address,
    broker.broker_tls,
    broker.broker_login,
    broker.broker_limits,
    broker.broker_rights,
    broker.broker_others,
)
REACHED = Visit(Step("a:1"), Step("TLSv1.3"), Step("MQTT 5"), {}, 0, 0x87)


def found(tmp_path, visit, **mqtt_settings):
    one = device(tmp_path, visit=visit, settings=known(mqtt=MqttSettings(**mqtt_settings)))
    return [str(look(one).status) for look in LOOKS]


@pytest.fixture
def strict(start_mosquitto, tmp_path):
    (tmp_path / "acl").write_text(ACL)
    (tmp_path / "word").write_text("secret\n")
    return start_mosquitto(passwords={"ward-3": "secret"}, extra=f"acl_file {tmp_path / 'acl'}")


def settings_for(strict, tmp_path, **more):
    return MqttSettings(port=strict.port, username="ward-3", password_file=str(tmp_path / "word"), **more)


@pytest.mark.broker
def test_a_broker_with_an_acl_is_well_in_every_respect(tmp_path, strict):
    options = settings_for(strict, tmp_path)
    visit = visit_broker(options, "speckled", "ward-3")
    assert (visit.own is not None and visit.own < 0x80, visit.foreign) == (True, 0x87)
    assert found(tmp_path, visit, host="localhost") == ["ok"] * 6


@pytest.mark.broker
def test_a_broker_without_an_acl_is_told(tmp_path, mosquitto):
    visit = visit_broker(BrokerOptions(port=mosquitto.port), "speckled", "ward-3")
    assert found(tmp_path, visit)[-2:] == ["ok", "warn"]


@pytest.mark.broker
def test_a_device_that_may_not_publish_on_its_own_topic_fails(tmp_path, strict):
    visit = visit_broker(settings_for(strict, tmp_path), "speckled", "ward-4")
    assert found(tmp_path, visit)[-2:] == ["fail", "ok"]


@pytest.mark.broker
def test_a_wrong_password_is_a_refused_login(tmp_path, strict):
    (tmp_path / "word").write_text("wrong\n")
    visit = visit_broker(settings_for(strict, tmp_path), "speckled", "ward-3")
    assert "Not authorized" in visit.login.failed
    assert found(tmp_path, visit)[2:] == ["fail", "skip", "skip", "skip"]


@pytest.mark.broker
def test_mqtt_3_1_1_has_no_way_to_say_no(tmp_path, strict):
    options = settings_for(strict, tmp_path, protocol="3.1.1")
    visit = visit_broker(options, "speckled", "ward-3")
    assert visit.login.found == "MQTT 3.1.1"
    assert found(tmp_path, visit, protocol="3.1.1")[-2:] == ["skip", "skip"]


def what_comes(events, seconds):
    while True:
        try:
            yield events.get(timeout=seconds)
        except Empty:
            return


def next_of(events, kind):
    while True:
        event = events.get(timeout=15)
        if isinstance(event, kind):
            return event


@pytest.mark.broker
def test_a_visit_leaves_the_relays_session_and_everything_retained_as_they_were(tmp_path, strict):
    options, topics = settings_for(strict, tmp_path), Topics("speckled", "ward-3")
    events = SimpleQueue()
    relay = Broker(options, client_id="ward-3", events=events, subscriptions=(topics.health, topics.state))
    relay.start()
    try:
        next_of(events, Connected)
        next_of(events, Subscribed)
        relay.publish(topics.state, b"online", retain=True)
        assert next_of(events, Message).payload == b"online"
        visit_broker(options, "speckled", "ward-3")
        message = next_of(events, Message)
        assert (message.topic, message.payload) == (topics.health, b"")
        assert not [event for event in what_comes(events, 0.3) if isinstance(event, Disconnected | Message)]
    finally:
        relay.stop()
    again = SimpleQueue()
    reader = Broker(options, client_id="reader", events=again, subscriptions=(topics.health, topics.state))
    reader.start()
    try:
        assert next_of(again, Message).payload == b"online"
        assert not [event for event in what_comes(again, 0.3) if isinstance(event, Message)]
    finally:
        reader.stop()


@pytest.fixture
def authority(tmp_path):
    """A self-signed certificate for localhost, by openssl."""
    key, certificate = tmp_path / "server.key", tmp_path / "server.pem"
    command = (
        "openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


@pytest.mark.broker
def test_a_handshake_says_which_tls_is_spoken(tmp_path, start_mosquitto, authority):
    key, certificate = authority
    port = start_mosquitto(extra=f"certfile {certificate}\nkeyfile {key}\ncafile {certificate}").port
    options = MqttSettings(host="localhost", port=port, ca_file=str(certificate))
    visit = visit_broker(options, "speckled", None)
    assert visit.tls.found.startswith("TLSv1.3")
    assert visit.login.found


@pytest.mark.broker
def test_a_certificate_of_an_unknown_authority_is_named(tmp_path, start_mosquitto, authority):
    key, certificate = authority
    port = start_mosquitto(extra=f"certfile {certificate}\nkeyfile {key}\ncafile {certificate}").port
    visit = visit_broker(BrokerOptions(host="localhost", port=port, tls=True), "speckled", None)
    assert "self" in visit.tls.failed
    assert found(tmp_path, visit)[1:] == ["fail", "skip", "skip", "skip", "skip"]


def test_where_nothing_listens_only_the_address_fails(tmp_path):
    visit = visit_broker(BrokerOptions(port=free_port()), "speckled", "ward-3")
    assert "refused" in visit.address.failed
    assert found(tmp_path, visit) == ["fail", "skip", "skip", "skip", "skip", "skip"]


def test_files_of_tls_that_cannot_be_used_do_not_hide_that_nothing_listens(tmp_path):
    options = MqttSettings(port=free_port(), ca_file=str(tmp_path / "none.pem"))
    visit = visit_broker(options, "speckled", "ward-3")
    assert visit.address.failed
    assert visit.tls.failed


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_broker_is_told_within_the_deadline(tmp_path, monkeypatch, answer):
    monkeypatch.setattr(mqtt, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopping = threading.Event()
        peers = []

        def serve():
            while not stopping.is_set():
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                peers.append(peer)
                if answer:
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        visit = visit_broker(BrokerOptions(port=listener.getsockname()[1]), "speckled", "ward-3")
        stopping.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()
        for peer in peers:
            peer.close()
    assert visit.login.failed
    assert visit.login.found == ""


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({}, "ok"),
        ({"MaximumQoS": 0}, "fail"),
        ({"MaximumQoS": 1}, "ok"),
        ({"RetainAvailable": 0}, "fail"),
        ({"MaximumPacketSize": 65536}, "fail"),
        ({"MaximumPacketSize": 2_000_000, "ReceiveMaximum": 20}, "ok"),
    ],
)
def test_a_broker_that_cannot_do_what_is_needed_fails(tmp_path, limits, status):
    one = device(tmp_path, visit=replace(REACHED, limits=limits))
    assert broker.broker_limits(one).status == status


def test_a_publish_without_an_answer_fails(tmp_path):
    assert found(tmp_path, replace(REACHED, own=None, foreign=None))[-2:] == ["fail", "warn"]


def test_plain_mqtt_is_told_unless_it_stays_on_this_machine(tmp_path):
    visit = replace(REACHED, tls=Step())
    assert found(tmp_path, visit, host="127.0.0.1")[1] == "ok"
    assert found(tmp_path, visit, host="broker.lan")[1] == "warn"
