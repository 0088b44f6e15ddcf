"""From settings to a running relay."""

import os
import threading
import time
from importlib.metadata import version
from pathlib import Path

from edge.config import Settings
from edge.folders import state_folder
from edge.relay.deliver import Patience
from edge.relay.options import RelayOptions
from edge.relay.outbox import Bounds
from edge.relay.service import Relay
from edge.relay.watch import watch_options
from wire.keys import read_public_keys
from wire.service.attendance import Attendance


def run_relay(settings: Settings, *, stop: threading.Event) -> None:
    """Build the relay and run it until `stop`.

    Raises:
        SpeckledError: with the reason, the remedy and the exit status.
    """
    state = state_folder(settings.relay.state, "[relay]")
    relay = Relay(
        RelayOptions(
            device=settings.device.id,
            root=settings.mqtt.root,
            socket=Path(settings.relay.socket),
            outbox=state / "outbox.sqlite",
            device_key=read_public_keys(Path(settings.device.public_key)),
            collector_key=read_public_keys(Path(settings.mqtt.collector_key)),
            broker=settings.mqtt,
            software=f"speckled {version('speckled')}",
            health_seconds=settings.relay.health_seconds,
            message_expiry=settings.relay.message_expiry,
            patience=Patience(first=settings.relay.resend_seconds),
            bounds=Bounds(size=settings.relay.outbox_mb * 2**20, age=settings.relay.outbox_days * 86400.0),
            watch=watch_options(settings, state),
        )
    )
    with Attendance(os.environ, clock=time.monotonic) as attendance:
        relay.run(stop, attendance)
