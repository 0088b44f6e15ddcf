"""Known frames go in; every byte that comes out of capture and relay is searched for them."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from queue import Empty, SimpleQueue

import numpy as np
import pytest

from audit import trace
from audit.canary import Canary
from edge.privacy.cells import CellSums
from edge.privacy.release import Release
from wire.broker import Broker
from wire.events import Connected, Message
from wire.exit import Exit
from wire.options import BrokerOptions

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

WIDTH, HEIGHT, FRAMES = 320, 256, 51
RELEASES = FRAMES // 24 + FRAMES // 3
"""Two day windows and seventeen state windows; three frames are left over in a third day window."""


class Listener:
    """Whoever may subscribe to everything on the broker."""

    def __init__(self, port):
        self.events = SimpleQueue()
        self.messages = []
        self.connected = False
        self.broker = Broker(BrokerOptions(port=port), client_id="listener", events=self.events, subscriptions=("#",))
        self.broker.start()

    def hear(self):
        while True:
            try:
                event = self.events.get_nowait()
            except Empty:
                return self.messages
            self.connected = self.connected or isinstance(event, Connected)
            if isinstance(event, Message):
                self.messages.append(event)

    def observations(self):
        return [message.payload for message in self.hear() if message.topic.endswith("/observation")]


@pytest.fixture
def frames(site):
    """A drawn gradient under strong noise, so that any few pixels are like no others; as files that hold the pixels."""
    random = np.random.default_rng(41)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    scene = 70 + 50 * np.sin(x / 17) * np.cos(y / 11)
    folder = site.folder / "frames"
    folder.mkdir()
    planes = []
    for number in range(FRAMES):
        plane = (scene + random.integers(0, 120, scene.shape)).astype(np.uint8)
        (folder / f"{number:04d}.pgm").write_bytes(b"P5\n%d %d\n255\n" % (WIDTH, HEIGHT) + plane.tobytes())
        planes.append(plane)
    site.configure(camera='driver = "folder"\npath = "frames"', frames_per_second=60)
    return planes


@pytest.fixture
def listener(mosquitto):
    listener = Listener(mosquitto.port)
    yield listener
    listener.broker.stop()


def start_traced(site, name):
    settings = str(site.folder / "speckled.toml")
    with (site.folder / f"{name}.log").open("ab") as log:
        site.processes[name] = subprocess.Popen(
            [
                *trace.command(site.folder / "traces" / name),
                sys.executable,
                "-B",
                "-m",
                "edge",
                name,
                "--config",
                settings,
            ],
            stdout=log,
            stderr=log,
            cwd=site.folder,
        )


def finish(site, listener):
    """The camera runs out of frames, everything is delivered and acknowledged, and the relay ends."""
    assert site.wait_for_exit("capture", 60) == Exit.OK
    site.wait_for(lambda: len(site.stored()) == RELEASES)
    site.wait_for(lambda: len(set(listener.observations())) == RELEASES)
    assert site.stop("relay") == Exit.OK


def releases(site):
    return [Release.from_bytes(file.read_bytes()) for file in site.folder.glob("capture/releases/*/*.cbor")]


def canary_of(frames, released):
    """The frames; and for each window the clean sums and means after each of its frames, and of each frame alone."""
    canary = Canary()
    for number, plane in enumerate(frames):
        canary.add_frame(f"frame {number}", plane)
    for release in released:
        mechanism = release.mechanism
        cells = CellSums(mechanism.lut, mechanism.cell, mechanism.rows, mechanism.columns)
        sums = np.zeros((mechanism.rows, mechanism.columns), np.int64)
        first = release.receipt.first_frame
        for count, plane in enumerate(frames[first : first + mechanism.frames], 1):
            alone = np.zeros_like(sums)
            cells.add(plane, alone)
            sums += alone
            name = f"ledger position {release.receipt.position}, {count} frames"
            canary.add_numbers(f"{name}, the last alone", alone)
            canary.add_numbers(name, sums)
            canary.add_floats(f"{name}, mean", sums / (count * mechanism.cell**2))
    return canary


def files_of(site):
    """Every file under the two state directories and every log, by name; a database also value by value."""
    found = {}
    for path in [*site.folder.glob("capture/**/*"), *site.folder.glob("relay/**/*"), *site.folder.glob("*.log")]:
        if path.is_file():
            found[str(path.relative_to(site.folder))] = path.read_bytes()
    for path in site.folder.glob("relay/*.sqlite"):
        found[f"{path.name}, by value"] = values_of(path)
    return found


def values_of(path):
    """Every column of every table, value behind value."""
    columns = []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall():
            for column in zip(*database.execute(f"SELECT * FROM {table}").fetchall(), strict=True):
                columns += [value if isinstance(value, bytes) else str(value).encode() for value in column]
    return b" ".join(columns)


def assert_no_leak(canary, captured):
    for name, data in captured.items():
        assert canary.find(data) == set(), name


def assert_the_search_works(frames, released, canary, captured):
    """A planted row is found among what was captured; so is what may leave, the sums of each release."""
    assert canary.find(captured["capture.log"] + frames[7][40].tobytes())
    witness = Canary()
    for release in released:
        witness.add_numbers(f"release {release.receipt.position}", release.sums)
    kept = b"".join(data for name, data in captured.items() if "releases/" in name)
    assert {name for name, _ in witness.find(kept)} == {f"release {release.receipt.position}" for release in released}


def test_no_raw_frame_is_on_any_disk_or_in_any_log_or_message(site, frames, listener):
    site.wait_for(lambda: listener.hear() is not None and listener.connected)
    site.start("collector", "relay", "capture")
    finish(site, listener)
    released = releases(site)
    assert len(released) == RELEASES
    canary = canary_of(frames, released)
    captured = files_of(site)
    captured["messages"] = b"".join(message.topic.encode() + message.payload for message in listener.hear())
    assert {"capture/ledger.jsonl", "relay/outbox.sqlite", "capture.log", "relay.log"} <= set(captured)
    assert len(set(listener.observations())) == RELEASES
    assert_the_search_works(frames, released, canary, captured)
    assert_no_leak(canary, captured)


@pytest.fixture
def strace(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("needs strace: apt install strace")
    probe = [*trace.command(tmp_path / "probe"), "true"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("this system does not let one process trace another")


def test_no_raw_frame_is_in_any_byte_that_the_two_processes_write_or_send(site, frames, listener, strace):
    (site.folder / "traces").mkdir()
    site.wait_for(lambda: listener.hear() is not None and listener.connected)
    site.start("collector")
    start_traced(site, "relay")
    start_traced(site, "capture")
    finish(site, listener)
    site.wait_for(lambda: all(trace.ended(site.folder / "traces" / name) for name in ("relay", "capture")))
    capture, relay = (trace.read(site.folder / "traces" / name) for name in ("capture", "relay"))

    assert_capture_has_no_other_way_out(site, capture)
    assert_the_relay_sees_no_camera(site, relay)
    sent, published = streams_of(capture), streams_of(relay)
    assert_everything_was_captured(site, listener, sent, published)

    released = releases(site)
    canary = canary_of(frames, released)
    captured = {f"capture to {target}": data for target, data in sent.items()}
    captured |= {f"relay to {target}": data for target, data in published.items()}
    captured["names"] = b"\n".join({call.data for call in capture + relay if call.name in trace.PLACES})
    captured["files that are left"] = b"".join(files_of(site).values())
    assert canary.find(sent[str(site.folder / "capture" / "ledger.jsonl")] + frames[7][40].tobytes())
    assert_no_leak(canary, captured)


def streams_of(calls):
    """What was written to each file and socket, in the order of each thread."""
    streams = {}
    for call in calls:
        if call.name in trace.WRITES:
            streams.setdefault(call.target, bytearray()).extend(call.data)
    return {target: bytes(data) for target, data in streams.items()}


def assert_capture_has_no_other_way_out(site, calls):
    """No network, no other program, no memory that is shared with anyone, no call whose bytes are not seen."""
    sockets = [call.arguments for call in calls if call.name in ("socket", "socketpair")]
    assert sockets
    assert all(arguments.startswith("AF_UNIX") for arguments in sockets)
    assert [call for call in calls if call.name in trace.UNSEEN] == []
    assert len([call for call in calls if call.name in trace.PROGRAMS]) == 1
    assert shared_memory(calls) == set()
    state, log = str(site.folder / "capture"), str(site.folder / "capture.log")
    files = {target for target in streams_of(calls) if target.startswith("/")}
    assert {target for target in files if not target.startswith(state)} <= {log}


def assert_the_relay_sees_no_camera(site, calls):
    opened = {call.path for call in calls if call.name in ("open", "openat", "openat2", "creat")}
    assert str(site.folder / "relay" / "outbox.sqlite") in opened
    secret = [str(site.folder / name) for name in ("frames", "capture", "device.key")]
    assert [path for path in opened if path.startswith(tuple(secret))] == []
    devices = {path for path in opened if path.startswith("/dev/")}
    assert devices <= {"/dev/null", "/dev/urandom", "/dev/random"}
    assert shared_memory(calls) <= {str(site.folder / "relay" / "outbox.sqlite-shm")}
    assert [call for call in calls if call.name in trace.UNSEEN] == []


def shared_memory(calls):
    """What is mapped so that writing to memory writes to it."""
    return {
        call.target
        for call in calls
        if call.name == "mmap" and "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments
    }


def assert_everything_was_captured(site, listener, sent, published):
    """The observations are among what capture sent and what the relay sent, the ledger among what capture wrote."""
    to_relay = b"".join(data for target, data in sent.items() if target.startswith("UNIX"))
    to_broker = b"".join(data for target, data in published.items() if target.startswith("TCP"))
    envelopes = listener.observations()
    assert len(set(envelopes)) == RELEASES
    assert all(envelope in to_relay and envelope in to_broker for envelope in envelopes)
    ledger = site.folder / "capture" / "ledger.jsonl"
    assert sent[str(ledger)] == ledger.read_bytes()
    assert len(published[str(site.folder / "relay" / "outbox.sqlite-wal")]) > sum(map(len, envelopes))
