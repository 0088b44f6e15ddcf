import argparse
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")  # a busy machine is no failure
PROGRAMS = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin"


def pytest_addoption(parser: pytest.Parser) -> None:
    """On which rungs tests/hil stands (docs/hardware-in-the-loop.md)."""
    rungs = {"fake", "spidev", "vm", "device"}

    def chosen(text: str) -> list[str]:
        names = text.split(",")
        if not rungs.issuperset(names):
            raise argparse.ArgumentTypeError(f"{text}: rungs are {', '.join(sorted(rungs))}")
        return names

    parser.addoption("--hil", type=chosen, default=["fake", "spidev"], help="rungs of tests/hil, with commas")
    parser.addoption("--hil-device", metavar="SETTINGS", help="the settings file of a real device, for --hil=device")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where SPECKLED_NO_SKIPS is set, a test that was skipped for a missing system package is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SPECKLED_NO_SKIPS") and reporter is not None:
        missing = [report for report in reporter.stats.get("skipped", []) if "Skipped: needs " in str(report.longrepr)]
        for report in missing:
            reporter.write_line(f"not allowed here: {report.nodeid} was skipped: {report.longrepr[2]}", red=True)
        if missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The clips and photographs that are kept beside the checkout, never in it."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no clips and photographs beside the checkout (../shared/data)")
    return path


@dataclass
class Mosquitto:
    """A real broker on a loopback port that stays the same over restarts; it forgets everything when it stops."""

    program: str
    folder: Path
    port: int
    passwords: dict[str, str] = field(default_factory=dict)
    extra: str = ""
    host: str = "127.0.0.1"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once the port answers."""
        # As root it would change to a user that cannot read pytest's folders.
        lines = [f"listener {self.port} {self.host}", "persistence false", f"user {getpass.getuser()}", self.extra]
        lines.append(f"password_file {self._password_file()}" if self.passwords else "allow_anonymous true")
        settings = self.folder / "mosquitto.conf"
        settings.write_text("\n".join(lines) + "\n", encoding="utf-8")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-c", str(settings)], stdout=log, stderr=log, cwd=self.folder
            )
        until = time.monotonic() + 15
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError((self.folder / "mosquitto.log").read_text(encoding="utf-8", errors="replace"))

    def stop(self) -> None:
        """End in good order: clients are told."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def kill(self) -> None:
        """End as a power cut would; start() or restart() brings it back on the same port."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def _password_file(self) -> Path:
        path = self.folder / "passwords"
        path.write_text("".join(f"{name}:{word}\n" for name, word in self.passwords.items()), encoding="utf-8")
        path.chmod(0o600)
        passwd = shutil.which("mosquitto_passwd", path=PROGRAMS)
        if passwd is None:
            pytest.skip("needs mosquitto_passwd: apt install mosquitto")
        subprocess.run([passwd, "-U", str(path)], check=True, capture_output=True)
        return path


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def start_mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Start a broker with passwords={name: word} or extra lines of configuration; each is ended with the test."""
    program = shutil.which("mosquitto", path=PROGRAMS)
    if program is None:
        pytest.skip("needs mosquitto: apt install mosquitto")
    started: list[Mosquitto] = []

    def start(*, passwords: dict[str, str] | None = None, extra: str = "") -> Mosquitto:
        folder = tmp_path / f"mosquitto-{len(started)}"
        folder.mkdir()
        broker = Mosquitto(program, folder, free_port(), passwords or {}, extra)
        started.append(broker)
        broker.start()
        return broker

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def mosquitto(start_mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    """A broker that lets anyone in."""
    return start_mosquitto()
