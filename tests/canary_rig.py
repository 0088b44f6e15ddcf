"""Known frames, runs of a site with them, and what is searched for them. tests/system/test_canary*.py use it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from queue import Empty, SimpleQueue

import numpy as np

from audit.canary import Canary
from edge.privacy.cells import CellSums
from edge.privacy.release import Release
from wire.broker import Broker
from wire.events import Connected, Message
from wire.exit import Exit
from wire.options import BrokerOptions

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


def write_frames(folder):
    """A drawn gradient under strong noise, so that any few pixels are like no others; as files that hold the pixels."""
    random = np.random.default_rng(41)
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    scene = 70 + 50 * np.sin(x / 17) * np.cos(y / 11)
    folder.mkdir()
    planes = []
    for number in range(FRAMES):
        plane = (scene + random.integers(0, 120, scene.shape)).astype(np.uint8)
        (folder / f"{number:04d}.pgm").write_bytes(b"P5\n%d %d\n255\n" % (WIDTH, HEIGHT) + plane.tobytes())
        planes.append(plane)
    return planes


def start_under(site, name, command, **environment):
    """Start a process of the site under another program, such as a tracer."""
    settings = str(site.folder / "speckled.toml")
    with (site.folder / f"{name}.log").open("ab") as log:
        site.processes[name] = subprocess.Popen(
            [*command, sys.executable, "-B", "-m", "edge", name, "--config", settings],
            stdout=log,
            stderr=log,
            cwd=site.folder,
            env={**os.environ, **environment},
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
