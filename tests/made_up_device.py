"""A device whose files, programs, clock and disk are made up, for the checks of `speckled doctor`."""

from pathlib import Path

import msgspec

from edge.attest.programs import Answer
from edge.attest.tree import Tree
from edge.config import DeviceSettings, MqttSettings, Picamera2Settings
from edge.doctor.device import Device
from edge.doctor.known import Known
from edge.doctor.mqtt import Visit
from edge.doctor.system import Interpreter, Room, System, User
from edge.sections import CaptureSettings, FeaturesSettings, RelaySettings, SwitchSettings
from edge.sources import MicroRngSettings

NOW = 1_790_000_000.0
PYTHON = Interpreter("/opt/speckled/venv/bin/python", "/opt/speckled/venv", "/usr", "aarch64", 64)
PLENTY = Room(10 << 30, 30 << 30, 10**6)
ETC = "/etc/speckled"


def known(**changed):
    """Settings of a Raspberry Pi with a MicroRNG, and what a test changes of them."""
    values = {
        "device": DeviceSettings(id="ward-3", key=f"{ETC}/device.key", public_key=f"{ETC}/device.pub"),
        "identified": True,
        "camera": Picamera2Settings(),
        "qrng": MicroRngSettings(),
        "features": FeaturesSettings(method="sift"),
        "capture": CaptureSettings(),
        "relay": RelaySettings(),
        "switch": SwitchSettings(),
        "mqtt": MqttSettings(collector_key=f"{ETC}/collector.pub"),
    }
    return Known(**(values | changed))


def programs(answers):
    """Answers by the first word that a command has in common with a key; None for every other command."""

    def run(command, seconds=0.0):
        found = next((answers[word] for word in answers if any(word in part for part in command)), None)
        return Answer(0, found) if isinstance(found, str) else found

    return run


def device(
    root,
    files=None,
    *,
    answers=None,
    visit=None,
    with_frame=False,
    capture="idle",
    packages=None,
    settings=None,
    **system,
):
    """A device with these files below `root`."""
    for name, text in (files or {}).items():
        path = Path(root) / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)
    values = {
        "run": programs(answers or {}),
        "environment": {},
        "interpreter": PYTHON,
        "user": User(0, frozenset({0})),
        "now": lambda: NOW,
        "clock_error": lambda: 0.01,
        "room": lambda _path: PLENTY,
    }
    made = Device(
        System(tree=Tree(Path(root)), **(values | system)),
        Path(f"{ETC}/speckled.toml"),
        settings or known(),
        with_frame,
    )
    for name, value in {"capture": capture, "visit": visit, "packages": packages}.items():
        if value is not None:
            made.__dict__[name] = value
    return made


def changed(struct, **fields):
    """A copy of a frozen struct with other fields."""
    return msgspec.structs.replace(struct, **fields)


NOBODY = Visit()
