import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import paho.mqtt.client as mqtt
import pytest
from factories import make_observation

from collector.cli import collector as run_collector
from collector.errors import BrokerRefused
from collector.reader import Reader
from wire.codec import decode
from wire.cose import verify
from wire.exit import Exit
from wire.keys import make_key_pair
from wire.schema import Acknowledgement
from wire.topics import Topics

pytestmark = pytest.mark.broker

EPOCH = bytes(range(16))
COMMAND = "import sys; from collector.cli import collector; sys.exit(collector(sys.argv[1:]))"


class Device:
    """Publishes, and believes only what the collector signs."""

    def __init__(self, broker, key, collector_key):
        self.topics = Topics("speckled", "cam-1")
        self.key, self.collector_key = key, collector_key
        self.sent, self.held, self.words = {}, set(), 0
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "cam-1", protocol=mqtt.MQTTv5)
        self.client.max_inflight_messages_set(100)
        self.client.on_connect = lambda client, *_: client.subscribe(self.topics.ack, 1)
        self.client.on_message = lambda _client, _data, message: self.hear(message.payload)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def hear(self, payload):
        word = decode(verify(payload, self.collector_key.public_key(), self.topics.ack), Acknowledgement)
        self.held |= {position for position in self.sent if word.covers(position)}
        self.words += 1

    def send(self, positions):
        for position in positions:
            self.sent[position] = make_observation("cam-1", position, EPOCH, self.key, keypoints=3)[1]
            self.client.publish(self.topics.observation, self.sent[position], qos=1)

    def missing(self):
        return set(self.sent) - self.held

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device(mosquitto, key, collector_key, enrol):
    enrol("cam-1", key)
    device = Device(mosquitto, key, collector_key)
    yield device
    device.close()


@pytest.fixture
def arguments(mosquitto, tmp_path, collector_key):
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = collector_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "collector.key").write_bytes(pem)
    store, key, devices = (str(tmp_path / name) for name in ("collector.db", "collector.key", "devices"))
    return ["--broker", f"{mosquitto.host}:{mosquitto.port}", "--store", store, "--key", key, "--keys", devices]


@contextmanager
def collecting(arguments):
    search = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def rows(tmp_path):
    with Reader(tmp_path / "collector.db") as reader:
        return sorted(row.position for row in reader.latest("cam-1", "day", 1000))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_a_device_sends_is_stored_and_acknowledged(device, arguments, tmp_path, protocol):
    with collecting([*arguments, "--protocol", protocol]) as process:
        until((tmp_path / "collector.db").exists)
        resend_until_held(device, {1, 2, 5})
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert rows(tmp_path) == [1, 2, 5]


def resend_until_held(device, positions):
    device.send(positions)
    end = time.monotonic() + 30
    while missing := device.missing():
        assert time.monotonic() < end
        pause = time.monotonic() + 0.7
        while device.missing() and time.monotonic() < pause:
            time.sleep(0.01)
        if missing == device.missing():
            device.send(missing)


def test_a_collector_killed_again_and_again_loses_nothing_and_stores_nothing_twice(device, arguments, tmp_path):
    chance = random.Random(5)
    everything = set(range(1, 201))
    batches = [set(range(first, first + 25)) for first in range(1, 201, 25)]
    for batch in batches[:-1]:
        with collecting(arguments):
            device.send(device.missing() | batch)
            words = device.words + chance.randrange(3)
            wait = time.monotonic() + 3
            while device.words < words and time.monotonic() < wait:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.5)
    with collecting(arguments):
        resend_until_held(device, device.missing() | batches[-1])
    assert device.held == everything
    assert rows(tmp_path) == sorted(everything)


def test_a_bad_message_between_good_ones_holds_nothing_up(device, arguments, tmp_path):
    with collecting(arguments):
        device.client.publish(device.topics.observation, b"rubbish", qos=1)
        resend_until_held(device, {1, 2})
    with Reader(tmp_path / "collector.db") as reader:
        assert [letter.reason for letter in reader.letters("cam-1")] in ([], ["malformed"])
    assert rows(tmp_path) == [1, 2]


def test_a_broker_that_was_down_is_found_again(device, arguments, mosquitto, tmp_path):
    with collecting(arguments):
        resend_until_held(device, {1})
        mosquitto.kill()
        mosquitto.start()
        resend_until_held(device, {2})
    assert rows(tmp_path) == [1, 2]


def test_refused_credentials_end_the_collector_with_a_remedy(start_mosquitto, tmp_path):
    broker = start_mosquitto(passwords={"collector": "right"})
    (tmp_path / "devices").mkdir()
    make_key_pair(tmp_path / "collector.key", tmp_path / "collector.pub")
    (tmp_path / "password").write_text("wrong")
    settings = tmp_path / "collector.toml"
    settings.write_text(
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\nusername = "collector"\npassword_file = "password"\n'
    )
    with pytest.raises(BrokerRefused) as caught:
        run_collector(["--config", str(settings)])
    assert caught.value.exit == Exit.REFUSED == 77
    assert "password" in caught.value.remedy
