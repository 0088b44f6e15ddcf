"""Only signed observations of this device cross from capture to relay, and each process stands alone."""

import os
import re
import signal
import socket
import sqlite3
from contextlib import closing
from queue import Empty, SimpleQueue

import cv2
import msgspec
import numpy as np
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_observation

from edge.relay.link import Reply, Status
from wire.broker import Broker
from wire.codec import encode
from wire.events import Message
from wire.exit import Exit
from wire.keys import read_private_key
from wire.options import BrokerOptions
from wire.schema import MAX_MESSAGE, Health
from wire.topics import Topics

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

DEVICE = "ward-3"
TOPICS = Topics("speckled", DEVICE)


class Listener:
    """Hears what the device publishes."""

    def __init__(self, port):
        self.events = SimpleQueue()
        self.observations = []
        self.health = None
        self.broker = Broker(
            BrokerOptions(port=port),
            client_id="listener",
            events=self.events,
            subscriptions=(TOPICS.observation, TOPICS.health),
        )
        self.broker.start()

    def hear(self):
        while True:
            try:
                event = self.events.get_nowait()
            except Empty:
                return self
            if isinstance(event, Message) and event.topic == TOPICS.health:
                self.health = msgspec.json.decode(event.payload, type=Health)
            elif isinstance(event, Message):
                self.observations.append(event.payload)


@pytest.fixture
def listener(mosquitto):
    listener = Listener(mosquitto.port)
    yield listener
    listener.broker.stop()


class Intruder:
    """A process of the same user that has found the socket."""

    def __init__(self, site):
        self.path = str(site.folder / "relay.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MAX_MESSAGE)
        site.wait_for(self.connects)

    def connects(self):
        return self.socket.connect_ex(self.path) == 0

    def send(self, data):
        self.socket.send(data)
        return Reply.from_bytes(self.socket.recv(100))


@pytest.fixture
def intruder(site):
    site.start("collector", "relay")
    intruder = Intruder(site)
    yield intruder
    intruder.socket.close()


def kept(site):
    """Envelopes that wait in the relay's outbox."""
    with closing(sqlite3.connect(f"file:{site.folder}/relay/outbox.sqlite?mode=ro", uri=True)) as database:
        return database.execute("SELECT count(*) FROM observation").fetchone()[0]


def real_observation(site, listener):
    """One that capture made and the collector holds."""
    site.start("capture")
    site.wait_for(lambda: listener.hear().observations)
    assert site.stop("capture") == Exit.OK
    site.wait_for(lambda: kept(site) == 0 and site.stored())
    return listener.observations[0]


def test_what_is_no_signed_observation_of_this_device_stays_on_the_device_and_is_counted(site, listener, intruder):
    real = real_observation(site, listener)
    stored = site.stored()
    key = read_private_key(site.folder / "device.key")
    noise = np.random.default_rng(1).integers(0, 256, (120, 160), dtype=np.uint8)
    observation, signed = make_observation(DEVICE, 9000, bytes(16), key)
    strange = Ed25519PrivateKey.from_private_bytes(bytes(32))
    refused = {
        "an image": (cv2.imencode(".jpg", noise)[1].tobytes(), "malformed"),
        "a frame": (noise.tobytes(), "malformed"),
        "a huge datagram": (bytes(3 * MAX_MESSAGE), "oversize"),
        "an observation without a signature": (encode(observation), "malformed"),
        "the signature of another key": (make_observation(DEVICE, 9000, bytes(16), strange)[1], "signature"),
        "another device": (make_observation("ward-4", 9000, bytes(16), key)[1], "signature"),
        "another device on this one's topic": (
            make_observation("ward-4", 9000, bytes(16), key, topic=TOPICS.observation)[1],
            "wrong-device",
        ),
        "a real one with a bit changed": (real[:-70] + bytes([real[-70] ^ 1]) + real[-69:], "signature"),
        "a signature with a bit changed": (real[:-1] + bytes([real[-1] ^ 1]), "signature"),
        "bytes behind a real one": (real + b"\0", "malformed"),
        "nothing but a letter": (b"r", "malformed"),
    }
    counted = {}
    for name, (data, code) in refused.items():
        reply = intruder.send(data)
        assert reply == Reply(Status.REFUSED, code), name
        counted[code] = counted.get(code, 0) + 1
    assert kept(site) == 0
    site.wait_for(lambda: listener.hear().health and sum(listener.health.refused.values()) >= len(refused))
    assert listener.health.refused == counted
    assert listener.health.accepted == len(stored)
    assert site.stored() == stored

    # A replay of a real one changes nothing; the relay goes on with real ones.
    assert intruder.send(real).status is Status.ACCEPTED
    site.start("capture")
    site.wait_for(lambda: len(site.stored()) > len(stored))
    assert len(site.stored()) == len(set(site.stored()))
    assert signed not in listener.hear().observations


def test_capture_without_a_relay_waits_and_delivers_when_the_relay_comes(site):
    site.configure(camera='driver = "synthetic"\nwidth = 320\nheight = 256\nvisit_frames = 1')
    site.start("collector", "capture")
    site.wait_for(lambda: (site.folder / "capture.log").read_text().count("released ledger position") >= 2)
    assert "observations wait here until it answers" in site.log("capture")
    assert site.processes["capture"].poll() is None
    released = (site.folder / "capture.log").read_text().count("released ledger position")
    site.start("relay")
    site.wait_for(lambda: len(site.stored()) >= released)
    assert min(position for _, position in site.stored()) <= 3


def children(site):
    """The processes that `speckled run` has started, by their command."""
    return {child.cmdline()[3]: child for child in psutil.Process(site.processes["run"].pid).children()}


@pytest.mark.parametrize("name", ["capture", "relay"])
def test_run_starts_both_processes_and_ends_both_when_one_is_killed(site, name):
    site.start("collector", "run")
    site.wait_for(lambda: len(site.stored()) >= 2)
    both = children(site)
    assert set(both) == {"capture", "relay"}
    os.kill(both[name].pid, signal.SIGKILL)
    assert site.wait_for_exit("run") != Exit.OK
    assert not any(child.is_running() for child in both.values())


def test_run_ends_both_processes_in_good_order_when_it_is_asked_to(site):
    site.start("collector", "run")
    site.wait_for(site.stored)
    both = children(site)
    assert site.stop("run") == Exit.OK
    assert not any(child.is_running() for child in both.values())
    assert re.search("capture has hung up.*relay of ward-3: stopped", site.log("run"), re.DOTALL)


def test_killing_run_itself_leaves_no_process_behind(site):
    site.start("collector", "run")
    site.wait_for(site.stored)
    both = children(site)
    site.kill("run")
    site.wait_for(lambda: not any(child.is_running() for child in both.values()))
