"""A broker for the demo: mosquitto where it is installed, else one inside Python."""

import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """A broker that runs on loopback. `protocol` is the newest MQTT version it speaks."""

    name: str
    port: int
    protocol: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End the broker."""
        self.process.terminate()
        self.process.wait(10)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def start_broker(folder: Path, *, embedded: bool = False) -> DemoBroker:
    """Start mosquitto if this machine has it and `embedded` does not forbid it, else the embedded broker."""
    port = free_port()
    log = (folder / "broker.log").open("wb")
    mosquitto = (
        None if embedded else shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    )
    if mosquitto:
        settings = folder / "mosquitto.conf"
        settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n", encoding="utf-8")
        command = [mosquitto, "-c", str(settings)]
    else:
        command = [sys.executable, "-m", "demo.embedded", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    _wait_for(port, process, folder / "broker.log")
    if mosquitto:
        return DemoBroker("mosquitto", port, "5", process)
    return DemoBroker("embedded broker (amqtt)", port, "3.1.1", process)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"demo: the broker did not start; {log} says why")
