"""What the checks look at: one device, with what several of them need looked up once."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from edge.attest.units import running
from edge.doctor.known import Known
from edge.doctor.mqtt import Visit, visit_broker
from edge.doctor.picamera2 import Packages, find_packages
from edge.doctor.system import System

CAPTURE = "speckled-capture"
CaptureState = Literal["runs", "idle", "unknown"]


@dataclass(frozen=True)
class Device:
    """config: where its settings are. with_frame: whether a person asked for one frame of the camera."""

    system: System
    config: Path
    known: Known
    with_frame: bool = False

    @cached_property
    def capture(self) -> CaptureState:
        """Whether capture runs: then nothing of its is opened. It holds a lock of its ledger for as long.

        /proc/locks tells of the lock without taking it, which could get in the way of a capture that starts now.
        """
        if running(self.system.run, (CAPTURE,)):
            return "runs"
        ledger, locks = Path(self.known.capture.state) / "ledger.jsonl", self.system.tree.text("/proc/locks")
        try:
            number = self.system.tree.at(str(ledger)).stat().st_ino
        except (FileNotFoundError, NotADirectoryError):
            return "idle"
        except OSError:
            return "unknown"
        if locks is None:
            return "unknown"
        held = (line.split()[5] for line in locks.splitlines() if " FLOCK " in line and len(line.split()) > 5)
        return "runs" if any(lock.rpartition(":")[2] == str(number) for lock in held) else "idle"

    @cached_property
    def visit(self) -> Visit:
        """What the broker answered."""
        return visit_broker(
            self.known.mqtt, self.known.mqtt.root, self.known.device.id if self.known.identified else None
        )

    @cached_property
    def packages(self) -> Packages:
        """What a Python beside this one could import of picamera2 and what it stands on."""
        return find_packages(self.system)
