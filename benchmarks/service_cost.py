"""What the two services of a device cost when they run as systemd would run them."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from edge.init import make_device
from wire.keys import make_key_pair

STARTS = 5
WATCHED = 20.0
"""Seconds over which processor time is counted."""
LIMITS = {"first": 3.0, "memory": 150.0, "processor": 5.0, "stop": 5.0}
"""Seconds, MB, per cent of one core, seconds."""
SETTINGS = """
[camera]
driver = "synthetic"
[qrng]
driver = "emulated-microrng"
"""
TRIAL = (
    "capture.require_locked_memory=false",
    "capture.state=capture",
    "relay.state=relay",
    "relay.socket=relay.sock",
    "switch.file=camera-off",
    "metrics.port=0",
)


@dataclass(frozen=True, slots=True)
class _Run:
    """first: seconds to the first frame, or for the relay until it serves. memory: MB. stop: seconds."""

    first: float
    memory: float
    processor: float
    stop: float


def service_costs() -> str:
    """Start, memory, idle processor time and stop of capture and relay, each beside its limit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _settings(folder)
        relay = _Service("relay", folder, "READY=1")
        captures = [_Service("capture", folder, "STATUS=frame 1,").measure(0.0) for _ in range(STARTS - 1)]
        captures.append(_Service("capture", folder, "STATUS=frame 1,").measure(WATCHED))
        served = relay.measure(WATCHED)
    lines = [
        "Profile `place` at a frame a second, 640 x 480, synthetic camera and emulated chip, no broker. Started as a",
        "process of its own; *first frame*: it is in the windows, whose noise was drawn and charged before.",
        f"{STARTS} starts, the slowest; memory and processor time of the last, over {WATCHED:.0f} s.",
        "",
        "| service | first frame, s | memory, MB | processor, % of a core | stop, s | within the limits |",
        "|---|---|---|---|---|---|",
        _row("capture", _Run(max(run.first for run in captures), *_last(captures))),
        _row("relay (until it serves)", served),
        "",
        f"Limits: {LIMITS['first']:g} s, {LIMITS['memory']:g} MB, {LIMITS['processor']:g} %, {LIMITS['stop']:g} s.",
    ]
    return "\n".join(lines)


def _last(runs: list[_Run]) -> tuple[float, float, float]:
    return max(run.memory for run in runs), runs[-1].processor, max(run.stop for run in runs)


def _row(name: str, run: _Run) -> str:
    within = all(
        value < LIMITS[limit]
        for limit, value in zip(LIMITS, (run.first, run.memory, run.processor, run.stop), strict=True)
    )
    verdict = "yes" if within else "NO"
    return f"| {name} | {run.first:.2f} | {run.memory:.0f} | {run.processor:.2f} | {run.stop:.2f} | {verdict} |"


def _settings(folder: Path) -> None:
    path = make_device(folder, "bench")[-1]
    make_key_pair(folder / "collector.key", folder / "collector.pub")
    path.write_text('[device]\nid = "bench"\n' + SETTINGS, encoding="utf-8")


class _Service:
    """One process under a service manager that listens."""

    def __init__(self, name: str, folder: Path, begun: str) -> None:
        address = folder / f"notify-{name}"
        address.unlink(missing_ok=True)
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(str(address))
        self._manager.settimeout(60)
        settings = [part for setting in TRIAL for part in ("--set", setting)]
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge", name, "--config", str(folder / "speckled.toml"), *settings],
            env={**os.environ, "NOTIFY_SOCKET": str(address)},
            stderr=subprocess.DEVNULL,
        )
        while not self._manager.recv(4096).decode().startswith(begun):
            pass
        self._first = time.perf_counter() - start

    def measure(self, seconds: float) -> _Run:
        """Watch it for so long, then stop it."""
        process = psutil.Process(self._process.pid)
        before, at = process.cpu_times(), time.perf_counter()
        time.sleep(seconds)
        after, passed = process.cpu_times(), time.perf_counter() - at
        used = after.user + after.system - before.user - before.system
        memory = process.memory_info().rss / 1e6
        asked = time.perf_counter()
        self._process.terminate()
        self._process.wait(20)
        self._manager.close()
        return _Run(self._first, memory, 100 * used / passed if seconds else 0.0, time.perf_counter() - asked)
