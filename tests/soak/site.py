"""One device, its broker and its collector in a folder, as processes that can be forked, watched and killed."""

import contextlib
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from conftest import PROGRAMS, Mosquitto, free_port

from soak.child import Spawn, fork
from soak.control import Control
from soak.disk import SmallDisk, own_mounts
from soak.proxy import Network
from wire.keys import make_key_pair

DEVICE = "ward-3"
NAMES = ("collector", "relay", "capture")
SETTINGS = """
[device]
id = "{device}"
key = "../device.key"
public_key = "../keys/{device}.pub"

[camera]
driver = "picamera2"
width = 96
height = 64
stream = "luma"

[qrng]
driver = "emulated-microrng"

[privacy]
profile = "custom"
frames_per_second = "1/3600"

[privacy.custom]
visit_seconds = 600
pixels = 1024
epsilon = "1"
levels = [
    {{ name = "map", window_seconds = 43200, cell = 16, epsilon = "1/2" }},
    {{ name = "state", window_seconds = 14400, cell = 32, epsilon = "1/2" }},
]

[simulation]
speedup = {speedup}

[capture]
state = "capture"
require_locked_memory = false
keep_releases = 4

[relay]
socket = "relay.sock"
state = "relay"
health_seconds = 2
resend_seconds = 0.5

[mqtt]
port = {port}
keepalive = 5
collector_key = "../collector.pub"

[switch]
file = "camera-off"

[metrics]
port = 0
"""
COLLECTOR = """
[mqtt]
port = {port}
keepalive = 5

[store]
path = "store/observations.sqlite"

[keys]
devices = "keys"
key = "collector.key"
"""
FRAMES_PER_SECOND = 20
STOPPING = 60.0
"""Seconds that a process has to end after SIGTERM: 5 by its promise, and the rest for a machine that is very busy."""


class Log:
    """What a process says, through a pipe, as a service's words go to the journal: no full disk stops them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)

    def drain(self) -> None:
        """Move what was said into the file."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self._reader, 1 << 16):
                self._file.write(said)
        self._file.flush()

    def close(self) -> None:
        os.close(self.writer)
        self.drain()
        os.close(self._reader)
        self._file.close()


@dataclass
class Process:
    """One process of the site. `allowed`: the exit statuses that what was done to it explains."""

    name: str
    own: Control = field(default_factory=Control)
    pid: int | None = None
    allowed: set[int] = field(default_factory=set)
    held: bool = False
    starts: int = 0
    stopped: bool = False


class Site:
    """The folder has `device` and `store` on small disks of their own where that is allowed, keys and logs beside."""

    def __init__(self, folder: Path, plants: dict[str, Callable[[], None]]) -> None:
        self.folder = folder
        self.device = folder / "device"
        self.store = folder / "store"
        for path in (self.device, self.store, folder / "keys", folder / "broker"):
            path.mkdir(parents=True)
        self.disks = self._mount()
        self.world = Control()
        self.processes = {name: Process(name) for name in NAMES}
        self.witness = Log(folder / "witness")
        self.logs = {name: Log(folder / f"{name}.log") for name in NAMES}
        self.plants = plants
        make_key_pair(folder / "device.key", folder / "keys" / f"{DEVICE}.pub")
        make_key_pair(folder / "collector.key", folder / "collector.pub")
        program = shutil.which("mosquitto", path=PROGRAMS)
        if program is None:
            raise RuntimeError("needs mosquitto: apt install mosquitto")
        extra = "max_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true"
        self.broker = Mosquitto(program, folder / "broker", free_port(), extra=extra)
        self.network = Network(self.broker.port)
        self._configure()

    def _configure(self) -> None:
        """The device reaches the broker through the proxy, the collector without it."""
        speedup = 3600 * FRAMES_PER_SECOND
        (self.device / "speckled.toml").write_text(
            SETTINGS.format(device=DEVICE, speedup=speedup, port=self.network.port)
        )
        (self.folder / "collector.toml").write_text(COLLECTOR.format(port=self.broker.port))

    def start(self, name: str, *more: str) -> None:
        process = self.processes[name]
        assert process.pid is None
        process.own.armed = process.own.fired = 0
        process.allowed = set()
        process.stopped = False
        process.starts += 1
        settings = self.folder if name == "collector" else self.device
        process.pid = fork(
            Spawn(
                name,
                settings,
                self.logs[name].writer,
                self.witness.writer,
                process.own,
                self.world,
                more,
                self.plants.get(name),
            )
        )

    def reap(self) -> list[tuple[Process, int]]:
        """Processes that have ended, with their status; minus the number where a signal ended them."""
        for log in (self.witness, *self.logs.values()):
            log.drain()
        ended = []
        for process in self.processes.values():
            if process.pid is None:
                continue
            done, status = os.waitpid(process.pid, os.WNOHANG)
            if done:
                process.pid = None
                ended.append((process, os.waitstatus_to_exitcode(status)))
        return ended

    def send(self, name: str, number: int) -> None:
        """A signal, to a process that may have ended."""
        pid = self.processes[name].pid
        if pid is not None:
            os.kill(pid, number)

    def kill(self, name: str) -> int | None:
        """kill -9, and wait for it. The status where it had ended by itself just before; None where it did not run."""
        return self.end(name, signal.SIGKILL)

    def end(self, name: str, number: int) -> int | None:
        """Send a signal and wait for the end. Raises TimeoutError."""
        process = self.processes[name]
        if process.pid is None:
            return None
        os.kill(process.pid, number)
        if process.stopped:
            os.kill(process.pid, signal.SIGCONT)
        until = time.monotonic() + STOPPING
        while time.monotonic() < until:
            done, status = os.waitpid(process.pid, os.WNOHANG)
            if done:
                process.pid = None
                return os.waitstatus_to_exitcode(status)
            self.logs[name].drain()
            time.sleep(0.002)
        raise TimeoutError(f"{name} did not end within {STOPPING:.0f} s of signal {number}\n{self._where(process)}")

    def _where(self, process: Process) -> str:
        """What each thread of a process that does not end waits in, and the stacks that SIGABRT makes it say."""
        assert process.pid is not None
        threads = sorted(Path(f"/proc/{process.pid}/task").iterdir())
        states = [(thread / "stat").read_text().rpartition(")")[2].split() for thread in threads]
        said = [f"thread in state {state[0]}, {state[11]} + {state[12]} ticks" for state in states]
        os.kill(process.pid, signal.SIGABRT)
        time.sleep(2.0)
        self.logs[process.name].drain()
        return "\n".join([f"load {os.getloadavg()[0]:.0f}", *said])

    def close(self) -> None:
        """End everything."""
        for name in NAMES:
            with contextlib.suppress(TimeoutError):
                self.kill(name)
        self.network.close()
        self.broker.kill()
        for log in (self.witness, *self.logs.values()):
            log.close()

    def relay_listens(self) -> bool:
        """Whether something accepts connections where capture looks for the relay."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            try:
                probe.connect(str(self.device / "relay.sock"))
            except OSError:
                return False
        return True

    def keep(self, where: Path) -> None:
        """Copy all files out of the small disks."""
        shutil.copytree(self.folder, where, ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True)

    def _mount(self) -> list[SmallDisk]:
        if os.geteuid() or not own_mounts():
            return []
        try:
            return [SmallDisk(self.device), SmallDisk(self.store)]
        except OSError:
            return []


def jitter(pick: random.Random, longest: float) -> float:
    """Seconds, more often short than long."""
    return longest * pick.random() ** 2
