import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from queue import Empty, SimpleQueue

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_observation, make_report

from edge.errors import BrokerRefused, Reason, RelayError
from edge.relay.deliver import Patience
from edge.relay.link import CaptureLink
from edge.relay.options import RelayOptions
from edge.relay.outbox import Outbox
from edge.relay.service import Relay
from wire.broker import Broker
from wire.codec import decode, encode
from wire.cose import sign, verify
from wire.events import Message, Subscribed
from wire.exit import Exit
from wire.options import BrokerOptions
from wire.schema import MAX_MESSAGE, Acknowledgement, Observation, State
from wire.service.attendance import Attendance
from wire.topics import QOS, RETAIN, Topics, parse

pytestmark = pytest.mark.broker

EPOCH = bytes(16)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
COLLECTOR = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([2] * 32))
TOPICS = Topics("speckled", "cam")


def envelope(position, keypoints=3, **changes):
    return make_observation("cam", position, EPOCH, KEY, keypoints=keypoints, **changes)[1]


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def options(tmp_path, mosquitto, **changes):
    given = {
        "device": "cam",
        "root": "speckled",
        "socket": tmp_path / "s",
        "outbox": tmp_path / "outbox.sqlite",
        "device_key": KEY.public_key(),
        "collector_key": COLLECTOR.public_key(),
        "broker": BrokerOptions(host=mosquitto.host, port=mosquitto.port),
        "software": "speckled test",
        "health_seconds": 0.2,
        "patience": Patience(first=0.3),
    }
    return RelayOptions(**given | changes)


class Running:
    def __init__(self, options):
        self.relay = Relay(options, jitter=lambda: 0.0)
        self.error = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            self.relay.run(self._stop, Attendance({}, clock=time.monotonic))
        except Exception as error:
            self.error = error

    def stop(self):
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def join(self):
        self._thread.join(20)
        return self.error


@contextmanager
def running(options):
    relay = Running(options)
    try:
        yield relay
    finally:
        relay.stop()


class ScriptedCollector:
    """Subscribes to everything of the device; acknowledges what `acknowledges` says, signed with `key`."""

    def __init__(
        self, mosquitto, *, key=COLLECTOR, acknowledges=lambda times: True, hash_of=lambda receipt: receipt.hash
    ):
        self.events = SimpleQueue()
        self.seen, self.states, self.healths = [], [], []
        self._key, self._acknowledges, self._hash_of = key, acknowledges, hash_of
        self.subscribed = False
        subscriptions = (TOPICS.observation, TOPICS.state, TOPICS.health)
        address = BrokerOptions(host=mosquitto.host, port=mosquitto.port, session_expiry=0)
        self.broker = Broker(
            address, client_id="collector", events=self.events, subscriptions=subscriptions, jitter=lambda: 0.0
        )
        self.broker.start()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        until(lambda: self.subscribed)

    def _run(self):
        while not self._end.is_set():
            try:
                event = self.events.get(timeout=0.05)
            except Empty:
                continue
            match event:
                case Subscribed(accepted=True):
                    self.subscribed = True
                case Message(topic=TOPICS.state):
                    self.states.append(json.loads(event.payload))
                case Message(topic=TOPICS.health):
                    self.healths.append(json.loads(event.payload))
                case Message(topic=TOPICS.observation):
                    self._take(event.payload)
                case _:
                    pass

    def _take(self, payload):
        receipt = decode(verify(payload, KEY.public_key(), TOPICS.observation), Observation).receipt
        self.seen.append(receipt.position)
        if self._acknowledges(self.seen.count(receipt.position)):
            position = receipt.position
            digest = self._hash_of(receipt)
            word = Acknowledgement(
                device="cam", epoch=receipt.epoch, since=position, upto=position, hash=digest, gaps=[]
            )
            self.broker.publish(TOPICS.ack, sign(encode(word), self._key, TOPICS.ack), retain=True)

    def stop(self):
        self._end.set()
        self._thread.join()
        self.broker.stop()


@contextmanager
def collecting(mosquitto, **how):
    collector = ScriptedCollector(mosquitto, **how)
    try:
        yield collector
    finally:
        collector.stop()


@pytest.fixture
def link(tmp_path):
    link = CaptureLink(tmp_path / "s")
    yield link
    link.close()


def counters(relay):
    """Asked of the health message, as another program would."""
    return relay.healths[-1] if relay.healths else {}


def test_an_observation_goes_from_capture_to_the_collector_and_is_freed_by_its_word(tmp_path, mosquitto, link):
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto)):
        for position in range(1, 41):
            link.send(envelope(position))
        until(lambda: counters(collector).get("acknowledged") == 40)
        health = counters(collector)
        assert set(collector.seen) == set(range(1, 41))
        assert (health["accepted"], health["waiting"], health["refused"], health["capture"]) == (40, 0, {}, True)
        assert health["sent"] >= 40
    box = Outbox(tmp_path / "outbox.sqlite")
    assert box.waiting() == []
    assert box.counters()["acknowledged"] == 40
    box.close()


def test_each_kind_is_published_as_the_contract_says(tmp_path, mosquitto, link, monkeypatch):
    first, publish = {}, Broker.publish

    def record(self, topic, payload, **how):
        first.setdefault(parse(topic)[1], (how.get("qos"), how.get("retain")))
        return publish(self, topic, payload, **how)

    monkeypatch.setattr(Broker, "publish", record)
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto)):
        link.send(envelope(1))
        until(lambda: counters(collector).get("acknowledged") == 1)
    del first["ack"]  # of the collector that is played here
    assert first == {kind: (QOS[kind], RETAIN[kind]) for kind in ("observation", "state", "health")}


def test_an_older_broker_serves_as_well(tmp_path, mosquitto, link):
    broker = BrokerOptions(host=mosquitto.host, port=mosquitto.port, protocol="3.1.1")
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto, broker=broker)):
        link.send(envelope(1))
        until(lambda: counters(collector).get("acknowledged") == 1)


def test_birth_and_farewell_are_retained_and_of_the_same_session(tmp_path, mosquitto):
    with collecting(mosquitto) as collector:
        with running(options(tmp_path, mosquitto)):
            until(lambda: collector.states)
        until(lambda: len(collector.states) == 2)
        birth, farewell = collector.states
        assert (birth["state"], farewell["state"]) == ("online", "offline")
        assert birth["session"] == farewell["session"]
        assert birth["software"] == "speckled test"
    with collecting(mosquitto) as late:
        until(lambda: late.states == [farewell])


def test_capture_is_told_how_far_its_ledger_had_got(tmp_path, mosquitto, link):
    with running(options(tmp_path, mosquitto)):
        assert link.ask(EPOCH) is None
        assert link.send(envelope(2)).upto == 2
        assert link.send(envelope(1)).upto == 2
    with running(options(tmp_path, mosquitto)):
        link.close()
        assert link.ask(EPOCH).upto == 2
        assert link.ask(bytes([7] * 16)) is None


def test_a_word_of_another_history_is_said_and_counted_and_later_epochs_are_still_delivered(
    tmp_path, mosquitto, link, caplog
):
    other = make_observation("cam", 2, bytes([7] * 16), KEY)[1]
    with (
        collecting(
            mosquitto, hash_of=lambda receipt: bytes(32) if receipt.epoch == EPOCH else receipt.hash
        ) as collector,
        running(options(tmp_path, mosquitto)),
    ):
        link.send(envelope(1))
        until(lambda: counters(collector).get("forked"))
        assert counters(collector)["waiting"] == 1
        assert link.ask(EPOCH).hash == bytes(32)
        link.send(other)
        until(lambda: counters(collector).get("acknowledged") == 1)
        assert counters(collector)["waiting"] == 1
    assert caplog.text.count("another history of this ledger") == 1


def test_without_the_collectors_word_an_observation_is_sent_again_until_it_comes(tmp_path, mosquitto, link):
    with collecting(mosquitto, acknowledges=lambda times: times == 3) as collector:
        with running(options(tmp_path, mosquitto)):
            link.send(envelope(1))
            until(lambda: counters(collector).get("acknowledged") == 1)
        assert collector.seen == [1, 1, 1]


def test_a_forged_word_frees_nothing(tmp_path, mosquitto, link, caplog):
    with collecting(mosquitto, key=STRANGER) as collector, running(options(tmp_path, mosquitto)):
        link.send(envelope(1))
        until(lambda: len(collector.seen) >= 2 and counters(collector).get("sent", 0) >= 2)
        assert counters(collector)["waiting"] == 1
    assert "ignored an acknowledgement" in caplog.text


def test_a_broker_that_is_killed_and_comes_back_delays_and_loses_nothing(tmp_path, mosquitto, link, caplog):
    with running(options(tmp_path, mosquitto)):
        link.send(envelope(1))
        mosquitto.kill()
        until(lambda: "no broker" in caplog.text)
        link.send(envelope(2))
        mosquitto.start()
        with collecting(mosquitto) as collector:
            until(lambda: counters(collector).get("acknowledged") == 2)
            assert set(collector.seen) == {1, 2}


def test_a_broker_that_was_never_there_is_said_once_and_observations_wait(tmp_path, mosquitto, link, caplog):
    mosquitto.kill()
    with running(options(tmp_path, mosquitto)) as relay:
        link.send(envelope(1))
        time.sleep(1.2)
        assert relay.error is None
    assert caplog.text.count("no broker") == 1


def test_observations_of_earlier_settings_are_said_when_the_relay_starts(tmp_path, mosquitto, caplog):
    box = Outbox(tmp_path / "outbox.sqlite")
    box.put(bytes(16), 1, envelope(1))
    box.close()
    with running(options(tmp_path, mosquitto)):
        pass
    assert "no collector will take them" not in caplog.text
    with running(options(tmp_path, mosquitto, root="elsewhere")):
        pass
    assert "1 observations in the outbox are of another root" in caplog.text


def raw_send(path, *datagrams):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(10)
        sock.connect(str(path))
        replies = []
        for datagram in datagrams:
            sock.send(datagram)
            replies.append(sock.recv(100))
        return replies


def test_what_is_not_an_observation_of_this_device_is_refused_counted_and_not_kept(tmp_path, mosquitto, caplog):
    good = envelope(1)
    datagrams = [
        bytes(MAX_MESSAGE + 1),
        b"a picture of somebody",
        good[:-1] + bytes([good[-1] ^ 1]),
        make_observation("cab", 1, EPOCH, KEY, topic=TOPICS.observation)[1],
        good,
        envelope(1, keypoints=4),
    ]
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto)):
        replies = raw_send(tmp_path / "s", *datagrams)
        words = [reply[1:].decode() if reply[0] else "" for reply in replies]
        assert words[:5] == ["oversize", "malformed", "signature", "wrong-device", ""]
        assert words[5] in ("equivocation", "")  # accepted only if the first has been freed by then
        until(lambda: counters(collector).get("refused", {}).get("wrong-device") == 1)
        assert {"oversize": 1, "malformed": 1, "signature": 1}.items() <= counters(collector)["refused"].items()
        assert set(collector.seen) == {1}
    assert "somebody" not in caplog.text


def test_another_observation_for_a_position_that_waits_is_an_equivocation(tmp_path, mosquitto):
    with running(options(tmp_path, mosquitto)):
        replies = raw_send(tmp_path / "s", envelope(1), envelope(1), envelope(1, keypoints=4))
    assert [reply[:1] for reply in replies] == [b"\x00", b"\x00", b"\x01"]
    assert replies[2] == b"\x01equivocation"


def test_a_broker_that_refuses_the_password_ends_the_relay_with_a_remedy(tmp_path, start_mosquitto):
    mosquitto = start_mosquitto(passwords={"cam": "right"})
    (tmp_path / "password").write_text("wrong\n")
    broker = BrokerOptions(port=mosquitto.port, username="cam", password_file=str(tmp_path / "password"))
    error = Running(options(tmp_path, mosquitto, broker=broker)).join()
    assert isinstance(error, BrokerRefused)
    assert (error.reason, error.exit) == (Reason.BROKER_REFUSED, Exit.REFUSED)
    assert "password_file" in error.remedy


def test_a_password_that_is_revoked_later_is_said_and_tried_again(tmp_path, start_mosquitto, link, caplog):
    mosquitto = start_mosquitto(passwords={"cam": "right"})
    (tmp_path / "password").write_text("right\n")
    broker = BrokerOptions(port=mosquitto.port, username="cam", password_file=str(tmp_path / "password"))
    with running(options(tmp_path, mosquitto, broker=broker)) as relay:
        link.send(envelope(1))
        until(lambda: "no collector subscribes" in caplog.text)
        mosquitto.stop()
        mosquitto.passwords["cam"] = "changed"
        mosquitto.start()
        until(lambda: "the broker refuses this device" in caplog.text)
        assert relay.error is None
        link.send(envelope(2))


def test_a_broker_that_denies_the_topic_is_said_and_observations_wait(tmp_path, start_mosquitto, link, caplog):
    (tmp_path / "acl").write_text(f"topic read {TOPICS.ack}\n")
    mosquitto = start_mosquitto(extra=f"acl_file {tmp_path / 'acl'}")
    with running(options(tmp_path, mosquitto)) as relay:
        link.send(envelope(1))
        until(lambda: "the broker refuses observations: Not authorized" in caplog.text)
        assert "the broker refuses speckled/v1" in caplog.text
        assert relay.relay.health().waiting == 1


def test_a_full_disk_asks_capture_to_keep_it_until_there_is_room(tmp_path, mosquitto, link, caplog):
    big = envelope(1, keypoints=200)
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto)) as relay:
        database = relay.relay._outbox._database
        database.execute("PRAGMA max_page_count = 1")
        with pytest.raises(RelayError) as caught:
            link.send(big)
        assert caught.value.reason is Reason.RELAY
        database.execute("PRAGMA max_page_count = 100000")
        link.send(big)
        until(lambda: counters(collector).get("acknowledged") == 1)
    assert "full" in caplog.text


PROGRAM = """
import sys, threading, time
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edge.relay.deliver import Patience
from edge.relay.options import RelayOptions
from edge.relay.service import Relay
from wire.options import BrokerOptions
from wire.service.attendance import Attendance
here, port = Path(sys.argv[1]), int(sys.argv[2])
key = lambda byte: Ed25519PrivateKey.from_private_bytes(bytes([byte] * 32)).public_key()
Relay(RelayOptions(
    device="cam", root="speckled", socket=here / "s", outbox=here / "outbox.sqlite", device_key=key(0),
    collector_key=key(1), broker=BrokerOptions(port=port), software="speckled test", health_seconds=0.2,
    patience=Patience(first=0.3),
)).run(threading.Event(), Attendance({}, clock=time.monotonic))
"""


@contextmanager
def relay_process(tmp_path, mosquitto):
    search = os.pathsep.join(part for part in sys.path if part)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(mosquitto.port)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": search})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def send_when_it_listens(link, data):
    end = time.monotonic() + 20
    while True:
        try:
            return link.send(data)
        except RelayError:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_relay_killed_after_it_accepted_loses_nothing(tmp_path, mosquitto, link):
    for first in (1, 4, 7):
        with relay_process(tmp_path, mosquitto) as process:
            for position in range(first, first + 3):
                send_when_it_listens(link, envelope(position))
            process.send_signal(signal.SIGKILL)
            process.wait()
    with collecting(mosquitto) as collector, relay_process(tmp_path, mosquitto):
        until(lambda: counters(collector).get("acknowledged") == 9)
        assert set(collector.seen) == set(range(1, 10))


def test_a_relay_that_vanishes_is_said_to_be_offline_by_its_will(tmp_path, mosquitto):
    with collecting(mosquitto) as collector:
        with relay_process(tmp_path, mosquitto) as process:
            until(lambda: collector.states)
            process.kill()
            process.wait()
        until(lambda: len(collector.states) == 2)
        assert [state["state"] for state in collector.states] == ["online", "offline"]
        assert collector.states[0]["session"] == collector.states[1]["session"]


def last_word(collector):
    """What the newest state message says that capture says, if it says anything."""
    return (collector.states[-1].get("capture") or {}).get("state") if collector.states else None


def test_captures_word_is_in_the_state_at_once_and_signed_as_it_came(tmp_path, mosquitto):
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto)):
        until(lambda: collector.states)
        link = CaptureLink(tmp_path / "s")
        report, envelope = make_report("cam", KEY, state="switched-off")
        link.send(envelope)
        until(lambda: last_word(collector) == "switched-off")
        state = msgspec.convert(collector.states[-1], State)
        assert base64.b64decode(state.signed) == envelope
        assert state.capture == report
        link.close()


def test_a_word_that_nobody_stands_behind_any_more_is_taken_out_of_the_state(tmp_path, mosquitto):
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto)):
        link = CaptureLink(tmp_path / "s")
        until(lambda: collector.states)
        link.send(make_report("cam", KEY)[1])
        until(lambda: last_word(collector) == "observing")
        link.close()
        until(lambda: last_word(collector) is None)
        assert collector.states[-1]["state"] == "online"


def test_a_broker_that_comes_back_hears_captures_word_at_the_birth(tmp_path, mosquitto):
    with running(options(tmp_path, mosquitto)):
        link = CaptureLink(tmp_path / "s")
        link.send(make_report("cam", KEY)[1])
        mosquitto.restart()
        with collecting(mosquitto) as collector:
            until(lambda: last_word(collector) == "observing")
        link.close()


def test_counts_alone_are_no_news(tmp_path, mosquitto):
    with collecting(mosquitto) as collector, running(options(tmp_path, mosquitto)):
        link = CaptureLink(tmp_path / "s")
        until(lambda: collector.states)
        for made in range(3):
            link.send(make_report("cam", KEY, made=made)[1])
        link.send(make_report("cam", KEY, state="ended")[1])
        until(lambda: last_word(collector) == "ended")
        words = [state["capture"]["state"] for state in collector.states if state.get("capture")]
        assert words == ["observing", "ended"]
        link.close()
