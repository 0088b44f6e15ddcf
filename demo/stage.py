"""The files of one demo run: keys, settings, and where everything keeps its state."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from demo.broker import DemoBroker
from wire.keys import make_key_pair

ROOT = "speckled"
DEVICE = "demo-camera"
SECONDS_PER_FRAME = 360
"""Compressed time: one frame stands for six minutes, so a day is 240 frames and a ten-minute visit touches two."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where one run of the demo has its files."""

    folder: Path
    device_settings: Path
    collector_settings: Path
    store: Path
    releases: Path
    ledger: Path


def set_stage(
    folder: Path, broker: DemoBroker, *, video: Path | None, frames: int | None, rate: int, profile: str
) -> Stage:
    """Write keys and settings into an emptied folder.

    Args:
        folder: emptied first; everything of the run stays below it.
        broker: where capture's observations and the collector's acknowledgements meet.
        video: a clip to play; None for the synthetic place.
        frames: how many frames the synthetic place gives; None for no end.
        rate: frames taken per second of real time.
        profile: the privacy profile.
    """
    for name in ("capture", "relay", "collector", "keys"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("collector", "keys"):
        (folder / name).mkdir(parents=True)
    for path in folder.glob("*.key"):
        path.unlink()
    (folder / "collector.pub").unlink(missing_ok=True)
    make_key_pair(folder / "device.key", folder / "keys" / f"{DEVICE}.pub")
    make_key_pair(folder / "collector.key", folder / "collector.pub")
    device = folder / "speckled.toml"
    device.write_text(
        _device_settings(broker, video=video, frames=frames, rate=rate, profile=profile), encoding="utf-8"
    )
    collector = folder / "collector.toml"
    collector.write_text(_collector_settings(broker), encoding="utf-8")
    return Stage(
        folder=folder,
        device_settings=device,
        collector_settings=collector,
        store=folder / "collector" / "observations.sqlite",
        releases=folder / "capture" / "releases",
        ledger=folder / "capture" / "ledger.jsonl",
    )


def _device_settings(broker: DemoBroker, *, video: Path | None, frames: int | None, rate: int, profile: str) -> str:
    if video:
        camera = f'driver = "opencv"\nsource = {_quoted(video)}\nlive = false'
    else:
        camera = 'driver = "synthetic"\nseed = 7\npeople = 3\nvisit_frames = 1' + (
            f"\nframes = {frames}" if frames else ""
        )
    return f"""\
# One run of `make demo`: no hardware, compressed time. Every observation says that it is simulated.
[device]
id = "{DEVICE}"
key = "device.key"
public_key = "keys/{DEVICE}.pub"

[camera]
{camera}

[qrng]
driver = "emulated-microrng"

[privacy]
profile = "{profile}"
frames_per_second = "1/{SECONDS_PER_FRAME}"

[simulation]
speedup = {SECONDS_PER_FRAME * rate}

[capture]
state = "capture"
keep_releases = 64
require_locked_memory = false

[relay]
socket = "relay/socket"
state = "relay"
health_seconds = 0.5

[mqtt]
host = "127.0.0.1"
port = {broker.port}
protocol = "{broker.protocol}"
collector_key = "collector.pub"
"""


def _collector_settings(broker: DemoBroker) -> str:
    return f"""\
[mqtt]
host = "127.0.0.1"
port = {broker.port}
protocol = "{broker.protocol}"

[store]
path = "collector/observations.sqlite"

[keys]
devices = "keys"
key = "collector.key"
"""


def _quoted(path: Path) -> str:
    text = str(path.resolve())
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
