"""The relay as those see it who watch it: over HTTP, and through Home Assistant's message."""

import json
import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from factories import make_observation, make_report

from edge.errors import Reason, RelayError
from edge.home_assistant.publisher import Announcement
from edge.relay.link import CaptureLink
from edge.relay.options import RelayOptions
from edge.relay.outbox import Outbox
from edge.relay.service import Relay
from edge.relay.watch import Watch, WatchOptions, watch_options
from edge.sections import HomeAssistantSettings, MetricsSettings
from wire.broker import Broker
from wire.events import Connected, Disconnected, Message, Published
from wire.options import BrokerOptions
from wire.schema import Health
from wire.service.attendance import Attendance
from wire.topics import Topics

EPOCH = bytes(16)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
COLLECTOR = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
TOPICS = Topics("speckled", "cam")
HERE = "127.0.0.1"
HEALTH = Health(
    session="a",
    made=None,
    dropped=None,
    spooled=None,
    accepted=0,
    sent=0,
    acknowledged=0,
    waiting=0,
    evicted={},
    lost=0,
    set_aside=0,
    refused={},
    forked=0,
    capture=False,
)
DISCOVERY = "homeassistant/device/cam/config"


def free_port():
    with socket.socket() as sock:
        sock.bind((HERE, 0))
        return sock.getsockname()[1]


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


class Running:
    def __init__(self, tmp_path, *, broker_port=None, clock=time.monotonic, **watch):
        self.port = free_port()
        options = RelayOptions(
            device="cam",
            root="speckled",
            socket=tmp_path / "s",
            outbox=tmp_path / "outbox.sqlite",
            device_key=KEY.public_key(),
            collector_key=COLLECTOR.public_key(),
            broker=BrokerOptions(host=HERE, port=broker_port or free_port()),
            software="speckled test",
            health_seconds=0.2,
            watch=WatchOptions(metrics=MetricsSettings(host=HERE, port=self.port), **watch),
        )
        self.link = CaptureLink(tmp_path / "s")
        self.relay = Relay(options, clock=clock, jitter=lambda: 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.relay.run, args=(self._stop, Attendance({}, clock=time.monotonic)))
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def text(self):
        with urlopen(f"http://{HERE}:{self.port}/metrics", timeout=10) as answer:
            assert answer.status == 200
            return answer.read().decode()

    def figure(self, name):
        lines = [line for line in self.text().splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].split()[-1]) if lines else None


def test_the_relay_answers_with_its_figures_while_it_works(tmp_path):
    with Running(tmp_path, windows={"day": 86400.0, "hours": 10800.0}, epsilon=1.0) as running:
        running.link.send(make_observation("cam", 1, EPOCH, KEY, keypoints=3)[1])
        text = running.text()
    lines = text.splitlines()
    assert "speckled_observations_accepted_total 1" in lines
    assert "speckled_observations_waiting 1" in lines
    assert "speckled_capture_connected 1" in lines
    assert "speckled_broker_connected 0" in lines
    assert "speckled_promised_epsilon 1" in lines
    assert 'speckled_window_seconds{level="hours"} 10800' in lines
    assert 'speckled_relay_build_info{version="speckled test"} 1' in lines
    assert not any(line.startswith("speckled_capture_state") for line in lines)


def test_releases_are_counted_by_the_levels_of_the_settings_and_no_others(tmp_path):
    envelopes = [make_observation("cam", position, EPOCH, KEY, keypoints=3) for position in (1, 2)]
    level = envelopes[0][0].level
    with Running(tmp_path, windows={level: 10.0}) as running:
        for _, envelope in envelopes:
            running.link.send(envelope)
        running.link.send(envelopes[0][1])
        assert f'speckled_releases_accepted_total{{level="{level}"}} 2' in running.text()
    with Running(tmp_path, windows={"other": 10.0}) as running:
        assert 'speckled_releases_accepted_total{level="other"} 0' in running.text()


def test_what_capture_says_of_itself_is_among_the_figures(tmp_path):
    with Running(tmp_path) as running:
        running.link.send(make_report("cam", KEY, state="switched-off", entropy="suspect")[1])
        text = running.text()
    assert 'speckled_capture_state{state="switched-off"} 1' in text
    assert 'speckled_capture_state{state="observing"} 0' in text
    assert 'speckled_capture_entropy_state{state="suspect"} 1' in text


def test_another_path_of_the_relay_does_not_exist(tmp_path):
    with Running(tmp_path) as running, pytest.raises(HTTPError) as refused:
        urlopen(f"http://{HERE}:{running.port}/outbox.sqlite", timeout=10)
    refused.value.close()
    assert refused.value.code == 404


def test_a_silent_visitor_holds_nothing_up(tmp_path):
    with Running(tmp_path) as running, socket.create_connection((HERE, running.port), 5):
        running.link.send(make_observation("cam", 1, EPOCH, KEY, keypoints=3)[1])
        assert running.figure("speckled_observations_accepted_total") == 1


def test_a_relay_whose_port_is_taken_works_without_figures(tmp_path, caplog):
    with Running(tmp_path / "a") as first:
        options = RelayOptions(
            device="cam",
            root="speckled",
            socket=tmp_path / "s",
            outbox=tmp_path / "outbox.sqlite",
            device_key=KEY.public_key(),
            collector_key=COLLECTOR.public_key(),
            broker=BrokerOptions(host=HERE, port=free_port()),
            software="speckled test",
            watch=WatchOptions(metrics=MetricsSettings(host=HERE, port=first.port)),
        )
        stop = threading.Event()
        stop.set()
        Relay(options).run(stop, Attendance({}, clock=time.monotonic))
    assert sum("no figures on" in record.message for record in caplog.records) == 1


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def watch(tmp_path, clock, **options):
    return Watch(
        WatchOptions(**options),
        topics=TOPICS,
        software="speckled test",
        clock=clock,
        publish=lambda topic, payload: 1,
    )


def test_seconds_without_a_broker_are_counted_from_the_last_connection(tmp_path):
    clock = Clock()
    watched = watch(tmp_path, clock)
    clock.now += 5
    assert watched.figures(HEALTH, None, (0, 0)).absent == 5
    watched.note(Connected(session_present=False, receive_maximum=20))
    clock.now += 5
    assert watched.figures(HEALTH, None, (0, 0)).absent == 0
    watched.note(Disconnected("gone"))
    clock.now += 3
    watched.note(Disconnected("still gone"))
    clock.now += 4
    assert watched.figures(HEALTH, None, (0, 0)).absent == 7
    watched.note(Connected(session_present=False, receive_maximum=20))
    assert watched.figures(HEALTH, None, (0, 0)).connections == 2


def test_seconds_since_an_observation_begin_with_the_relay(tmp_path):
    clock = Clock()
    watched = watch(tmp_path, clock)
    clock.now += 60
    assert watched.figures(HEALTH, None, (0, 0)).since_accepted == 60
    watched.accepted()
    clock.now += 2
    assert watched.figures(HEALTH, None, (0, 0)).since_accepted == 2


def test_figures_that_cannot_be_had_now_are_answered_with_503_and_end_nothing(tmp_path, monkeypatch):
    with Running(tmp_path) as running:
        running.link.send(make_observation("cam", 1, EPOCH, KEY, keypoints=3)[1])
        trouble = RelayError(Reason.OUTBOX, "unreadable", "look at it")
        with monkeypatch.context() as broken:
            broken.setattr(Outbox, "fill", lambda _: (_ for _ in ()).throw(trouble))
            with pytest.raises(HTTPError) as refused:
                running.text()
        refused.value.close()
        assert refused.value.code == 503
        assert running.figure("speckled_observations_waiting") == 1


def test_the_fill_of_the_outbox_is_what_it_holds_and_how_long_the_oldest_has_waited(tmp_path):
    clock = Clock()
    outbox = Outbox(tmp_path / "outbox.sqlite", clock=clock)
    empty, none = outbox.fill()
    for position in range(1, 30):
        _, envelope = make_observation("cam", position, EPOCH, KEY, keypoints=100)
        outbox.put(EPOCH, position, envelope)
        clock.now += 10
    held, oldest = outbox.fill()
    outbox.close()
    assert none == 0
    assert oldest == 290
    assert held - empty > 29 * len(envelope)


def test_the_fill_and_its_limit_are_among_the_figures(tmp_path):
    with Running(tmp_path, outbox_limit=1000) as running:
        running.link.send(make_observation("cam", 1, EPOCH, KEY, keypoints=3)[1])
        text = running.text()
    assert "speckled_outbox_limit_bytes 1000\n" in text
    assert "speckled_outbox_oldest_seconds 0\n" in text
    assert int(re.search(r"^speckled_outbox_bytes (\d+)$", text, re.MULTILINE)[1]) > 4096


def certificate(path, end):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cam")])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, end - timedelta(days=9), end)
    path.write_bytes(builder.sign(KEY, None).public_bytes(serialization.Encoding.PEM))


def test_the_end_of_the_certificate_is_read_anew_when_it_was_renewed(tmp_path):
    path = tmp_path / "device.crt"
    watched = watch(tmp_path, Clock(), certificate=path)
    assert watched.figures(HEALTH, None, (0, 0)).certificate_expiry is None
    for year in (2031, 2032):
        end = datetime(year, 1, 1, tzinfo=UTC)
        certificate(path, end)
        assert watched.figures(HEALTH, None, (0, 0)).certificate_expiry == end.timestamp()
    path.write_bytes(b"no certificate")
    assert watched.figures(HEALTH, None, (0, 0)).certificate_expiry is None


def test_who_has_no_certificate_shows_no_end_of_one(tmp_path):
    assert watch(tmp_path, Clock()).figures(HEALTH, None, (0, 0)).certificate_expiry is None


def settings(tmp_path, more=""):
    from edge.config import load

    path = tmp_path / "speckled.toml"
    path.write_text(f'[device]\nid = "cam"\n[camera]\ndriver = "synthetic"\n{more}')
    return load(path)


def test_window_lengths_and_epsilon_come_from_the_settings(tmp_path):
    options = watch_options(settings(tmp_path), tmp_path)
    assert options.windows == {"day": 86400.0, "hours": 10800.0} or len(options.windows) == 2
    assert options.epsilon == pytest.approx(1, rel=1e-6)
    assert options.epsilon <= 1
    assert options.metrics == MetricsSettings()
    assert options.home_assistant.levels == tuple(options.windows)
    hurried = watch_options(settings(tmp_path, "[simulation]\nspeedup = 10\n"), tmp_path)
    assert {name: 10 * seconds for name, seconds in hurried.windows.items()} == options.windows


class Listener:
    """A subscriber of the discovery topic, as Home Assistant is one."""

    def __init__(self, mosquitto, name):
        self.events = SimpleQueue()
        address = BrokerOptions(host=mosquitto.host, port=mosquitto.port, session_expiry=0)
        self.broker = Broker(address, client_id=name, events=self.events, subscriptions=(DISCOVERY,))
        self.broker.start()

    def hear(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                event = self.events.get(timeout=left)
            except Empty:
                return None
            if isinstance(event, Message):
                self.broker.acknowledge(event)
                return event.payload
        return None

    def stop(self):
        self.broker.stop()


@pytest.mark.broker
def test_home_assistant_finds_the_device_at_the_broker_until_it_is_switched_off(tmp_path, mosquitto):
    enabled = Announcement(HomeAssistantSettings(enabled=True), tmp_path, ("day",))
    with Running(tmp_path, broker_port=mosquitto.port, home_assistant=enabled) as running:
        until(lambda: running.figure("speckled_broker_connected") == 1)
        late = Listener(mosquitto, "late")
        message = json.loads(late.hear(20))
        late.stop()
    assert message["cmps"]["released_day"]["state_topic"] == TOPICS.health
    disabled = Announcement(HomeAssistantSettings(enabled=False), tmp_path, ("day",))
    watcher = Listener(mosquitto, "watcher")
    assert json.loads(watcher.hear(20))
    with Running(tmp_path, broker_port=mosquitto.port, home_assistant=disabled):
        assert watcher.hear(20) == b""
        until(lambda: not (tmp_path / "home-assistant-topic").exists())
    watcher.stop()


def test_an_answer_of_the_broker_reaches_the_publisher(tmp_path):
    enabled = Announcement(HomeAssistantSettings(enabled=True), tmp_path, ())
    watched = watch(tmp_path, Clock(), home_assistant=enabled)
    watched.note(Connected(session_present=False, receive_maximum=20))
    watched.note(Published(1, accepted=True, reason=""))
    assert (tmp_path / "home-assistant-topic").read_text() == DISCOVERY
