"""Keys of both ends are exchanged while observations are on their way, over the broker's shipped configuration."""

import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from factories import make_observation
from rig.site import Site

from collector.admit import admit
from collector.config import load as load_collector
from collector.reader import Reader
from collector.service import make_service, now
from collector.store import Store
from edge.config import load
from edge.enrolment.rotate import forget, rotate
from edge.init import make_device
from edge.relay.assemble import run_relay
from edge.relay.link import CaptureLink
from wire.keys import make_key_pair, read_private_key
from wire.service.attendance import Attendance

pytestmark = pytest.mark.broker

EPOCH = bytes(range(16))
DEVICE = """
[device]
id = "ward-3"
[camera]
driver = "synthetic"
[relay]
socket = "{folder}/s"
state = "state"
resend_seconds = 0.2
[metrics]
port = 0
[mqtt]
port = {port}
ca_file = "{ca}"
certificate_file = "device.crt"
key_file = "tls.key"
"""
COLLECTOR = """
[mqtt]
port = {port}
ca_file = "{ca}"
certificate_file = "{certificate}"
key_file = "{key}"
[keys]
key = "collector.key"
devices = "devices"
"""


class World:
    """A device that was enrolled as docs/keys.md says, a collector, and the broker between them."""

    def __init__(self, folder):
        (folder / "broker").mkdir()
        self.site = Site(folder / "broker", "2.0")
        self.site.start()
        self.device, self.collector = folder / "device", folder / "collector"
        make_device(self.device, "ward-3")
        authority = self.site.authority
        authority.answer(self.device / "device.csr", self.device / "device.crt")
        (self.collector / "devices").mkdir(parents=True)
        make_key_pair(self.collector / "collector.key", self.collector / "collector.pub")
        self.copy(self.device / "device.pub", self.collector / "devices" / "ward-3.pub")
        self.copy(self.collector / "collector.pub", self.device / "collector.pub")
        places = {"port": self.site.port, "ca": authority.certificate, "folder": folder}
        (self.device / "speckled.toml").write_text(DEVICE.format(**places))
        shown = authority.issue("collector")
        settings = COLLECTOR.format(certificate=shown.certificate, key=shown.key, **places)
        (self.collector / "collector.toml").write_text(settings)
        self.made = 0

    @staticmethod
    def copy(source, target):
        target.write_bytes(Path(source).read_bytes())

    @contextmanager
    def relaying(self):
        settings = load(self.device / "speckled.toml")
        with in_a_thread(lambda stop: run_relay(settings, stop=stop)):
            self.link = CaptureLink(Path(settings.relay.socket))
            until(lambda: Path(settings.relay.socket).exists())
            try:
                yield
            finally:
                self.link.close()

    @contextmanager
    def collecting(self):
        settings = load_collector(self.collector / "collector.toml")
        opened = threading.Event()

        def serve(stop):
            store = Store(Path(settings.store.path), clock=now)
            opened.set()
            try:
                make_service(settings, store).run(stop, Attendance({}, clock=time.monotonic))
            finally:
                store.close()

        with in_a_thread(serve):
            assert opened.wait(20)
            yield

    def sign(self, count):
        """Capture signs with the key that it has now, and hands over to the relay."""
        key = read_private_key(self.device / "device.key")
        for _ in range(count):
            self.made += 1
            self.link.send(make_observation("ward-3", self.made, EPOCH, key, keypoints=3)[1])

    def stored(self):
        with Reader(self.collector / "collector.db") as reader:
            found = [device for device in reader.devices() if device.device == "ward-3"]
            return found[0].observations if found else 0

    def waiting(self):
        """Observations in the outbox, looked at from outside."""
        with closing(sqlite3.connect(f"file:{self.device}/state/outbox.sqlite?mode=ro", uri=True)) as box:
            return box.execute("SELECT count(*) FROM observation").fetchone()[0]

    def done(self, count):
        """Whether the collector holds so many, and the device waits for none."""
        return self.stored() == count and self.waiting() == 0


@contextmanager
def in_a_thread(work):
    stop, errors = threading.Event(), []

    def run():
        try:
            work(stop)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert errors == []


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.site.kill()


def test_a_devices_key_is_exchanged_with_observations_of_both_keys_on_their_way_and_none_is_lost(world):
    device = world.device
    with world.relaying():
        world.sign(3)  # signed with the old key, and no collector there to take them
    rotate("ward-3", device / "device.key", device / "device.pub", wall_ms=lambda: 1)
    with world.relaying(), world.collecting():
        world.sign(3)
        until(lambda: world.stored() == 3)  # the new key is not admitted yet
        until(lambda: world.waiting() == 3)
        assert not admit(device / "device.rotation", world.collector / "devices").again
        world.sign(1)
        until(lambda: world.done(7))
    assert forget(device / "device.pub")
    (world.collector / "devices" / "ward-3.old.pub").unlink()
    with world.relaying(), world.collecting():
        world.sign(2)
        until(lambda: world.done(9))


def test_a_rotation_that_was_lost_on_its_way_can_be_made_good_by_hand(world):
    device, devices = world.device, world.collector / "devices"
    with world.relaying():
        world.sign(2)
    rotate("ward-3", device / "device.key", device / "device.pub", wall_ms=lambda: 1)
    (device / "device.rotation").unlink()
    world.copy(devices / "ward-3.pub", devices / "ward-3.old.pub")
    world.copy(device / "device.pub", devices / "ward-3.pub")
    with world.relaying(), world.collecting():
        world.sign(2)
        until(lambda: world.done(4))


def test_the_collectors_key_is_exchanged_as_the_page_says_and_none_is_lost(world):
    device, collector = world.device, world.collector
    with world.relaying(), world.collecting():
        world.sign(2)
        until(lambda: world.done(2))
    make_key_pair(collector / "next.key", collector / "next.pub")
    (device / "collector.pub").rename(device / "collector.old.pub")
    world.copy(collector / "next.pub", device / "collector.pub")
    with world.relaying(), world.collecting():  # the collector signs with its old key still
        world.sign(2)
        until(lambda: world.done(4))
    (collector / "next.key").replace(collector / "collector.key")
    with world.relaying(), world.collecting():
        world.sign(2)
        until(lambda: world.done(6))
    (device / "collector.old.pub").unlink()
    with world.relaying(), world.collecting():
        world.sign(2)
        until(lambda: world.done(8))


def test_a_device_whose_certificate_was_renewed_on_the_disk_goes_on_without_a_restart(world, caplog):
    request, certificate = world.device / "device.csr", world.device / "device.crt"
    world.site.authority.answer(request, certificate, days=(-9, -1))
    with world.relaying(), world.collecting():
        world.sign(2)
        until(lambda: "our certificate has expired" in caplog.text)
        assert world.stored() == 0
        world.site.authority.answer(request, certificate)
        until(lambda: world.done(2))
