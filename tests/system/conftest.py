"""Whole runs: real processes, a real broker, real files."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from canary_rig import Listener, write_frames

from collector.errors import CollectorError
from collector.reader import Reader
from wire.keys import make_key_pair

DEVICE = "ward-3"

SETTINGS = """
[device]
id = "{device}"
public_key = "keys/{device}.pub"

[camera]
{camera}

[qrng]
{qrng}

[privacy]
profile = "place"
frames_per_second = "1/3600"

[simulation]
speedup = {speedup}

[capture]
state = "capture"
require_locked_memory = false

[switch]
file = "camera-off"

[metrics]
port = 0

[relay]
socket = "relay.sock"
state = "relay"
health_seconds = 0.5
resend_seconds = 2

[mqtt]
port = {port}
{mqtt}
"""

COLLECTOR = """
[mqtt]
port = {port}
{mqtt}

[store]
path = "store/observations.sqlite"

[keys]
devices = "keys"
key = "collector.key"
"""


@dataclass
class Site:
    """One device and one collector in a folder; each process can be started, killed and started again.

    One frame stands for an hour, so a day window is 24 frames and a state window 3.
    """

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def configure(
        self,
        *,
        camera: str = 'driver = "synthetic"\nwidth = 320\nheight = 256\nvisit_frames = 1',
        qrng: str = 'driver = "emulated-microrng"',
        frames_per_second: int = 40,
        mqtt: str = "",
    ) -> None:
        speedup = 3600 * frames_per_second
        text = SETTINGS.format(device=DEVICE, camera=camera, qrng=qrng, speedup=speedup, port=self.port, mqtt=mqtt)
        (self.folder / "speckled.toml").write_text(text)
        (self.folder / "collector.toml").write_text(COLLECTOR.format(port=self.port, mqtt=mqtt))

    def start(self, *names: str, more: tuple[str, ...] = (), **environment: str) -> None:
        for name in names:
            settings = "collector.toml" if name == "collector" else "speckled.toml"
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "edge", name, "--config", str(self.folder / settings), *more],
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **environment},
                    cwd=self.folder,
                )

    def signal(self, name: str, number: int) -> int:
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(20)

    def kill(self, name: str) -> None:
        self.signal(name, signal.SIGKILL)

    def stop(self, name: str) -> int:
        return self.signal(name, signal.SIGTERM)

    def wait_for(self, condition: Callable[[], object], seconds: float = 40) -> None:
        """Poll until the condition holds; say what the logs hold if it never does."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                pytest.fail("\n".join(self.log(path.stem) for path in sorted(self.folder.glob("*.log"))))
            time.sleep(0.05)

    def wait_for_exit(self, name: str, seconds: float = 30) -> int:
        return self.processes[name].wait(seconds)

    def log(self, name: str) -> str:
        return f"== {name}\n" + (self.folder / f"{name}.log").read_text(errors="replace")[-6000:]

    def stored(self) -> list[tuple[bytes, int]]:
        """(epoch, position) of every stored observation, in the order they were stored."""
        try:
            with closing(Reader(self.folder / "store" / "observations.sqlite")) as reader:
                rows = [row for level in reader.levels(DEVICE) for row in reader.latest(DEVICE, level, 10_000)]
        except CollectorError:
            return []
        return [(row.epoch, row.position) for row in sorted(rows, key=lambda row: row.id)]

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(10)


@pytest.fixture
def make_site(tmp_path):
    """A function that makes a site on a broker's port."""
    sites = []

    def make(port: int) -> Site:
        folder = tmp_path / f"site-{len(sites)}"
        for name in ("keys", "store", "relay", "capture"):
            (folder / name).mkdir(parents=True)
        make_key_pair(folder / "device.key", folder / "keys" / f"{DEVICE}.pub")
        make_key_pair(folder / "collector.key", folder / "collector.pub")
        site = Site(folder, port)
        site.configure()
        sites.append(site)
        return site

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(make_site, mosquitto) -> Site:
    """A configured site on a real mosquitto."""
    return make_site(mosquitto.port)


@pytest.fixture
def frames(site):
    """Known frames in a folder, from which the site's camera takes them."""
    planes = write_frames(site.folder / "frames")
    site.configure(camera='driver = "folder"\npath = "frames"', frames_per_second=60)
    return planes


@pytest.fixture
def listener(mosquitto):
    """Somebody who has subscribed to everything on the broker."""
    listener = Listener(mosquitto.port)
    yield listener
    listener.broker.stop()
