"""From settings to a running capture: the one place that knows which part goes where."""

import logging
import threading
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from drivers.errors import DriverError
from edge.capture import Capture, Origin
from edge.config import Settings, configuration_hash
from edge.courier import Courier
from edge.devices import commissioned_credit, make_camera, make_qrng
from edge.entropy import EntropyPool, Latch
from edge.errors import CameraUnavailable, ConfigError, Reason
from edge.features.nested import Nest
from edge.folders import state_folder
from edge.history import CollectorHistory
from edge.memory import MemoryNotLockable, lock_memory
from edge.notify import Notifier
from edge.pace import Pace
from edge.privacy.ledger import Ledger
from edge.promise import plan_of
from edge.relay.link import CaptureLink
from edge.releases import ReleaseStore
from wire.keys import read_private_key
from wire.topics import Topics

log = logging.getLogger("speckled.capture")

DELIVERY_PATIENCE = 4.0
"""Seconds that capture waits at its end for the relay to take what is left.

A stop is over within 5 s where camera and relay answer, and within 10 s where both hang (edge/run.py waits that long).
"""


def ledger_path(settings: Settings) -> Path:
    """Where the record of every charge is."""
    return Path(settings.capture.state) / "ledger.jsonl"


def run_capture(settings: Settings, *, new_epoch: bool, stop: threading.Event) -> None:
    """Build capture and run it until `stop`, the end of the camera, or an error that ends it.

    Raises:
        SpeckledError: with the reason, the remedy and the exit status.
    """
    _protect_memory(settings)
    key = read_private_key(Path(settings.device.key))
    state = state_folder(settings.capture.state, "[capture]")
    camera = make_camera(settings.camera, stop.is_set)
    pool = _make_pool(settings, Latch(state / "entropy-failed"))
    history = CollectorHistory(CaptureLink(Path(settings.relay.socket)))
    courier = Courier(history.send)
    with ExitStack() as stack:
        try:
            identity = camera.open()
        except DriverError as error:
            if stop.is_set():
                return
            raise CameraUnavailable(Reason.CAMERA, str(error), error.remedy) from None
        stack.callback(camera.close)
        hurried = settings.simulation.speedup != 1
        if hurried and not identity.simulated:
            raise ConfigError(
                Reason.CONFIG, "[simulation] speedup with a live camera", "set speedup = 1, or use a simulated camera"
            )
        stack.callback(pool.stop)
        pool.start()
        plan = plan_of(settings.privacy, width=identity.width, height=identity.height, max_value=identity.max_value)
        configuration = configuration_hash(settings)
        ledger = Ledger(
            ledger_path(settings),
            device=settings.device.id,
            configuration=configuration,
            terms=plan.terms,
            clock=_wall_ms,
            speedup=settings.simulation.speedup,
            history=history.words,
            new_epoch=new_epoch,
        )
        stack.callback(ledger.close)
        history.ask(ledger.epoch)
        courier.start()
        stack.callback(_deliver_the_rest, courier)
        Capture(
            camera=camera,
            identity=identity,
            pool=pool,
            ledger=ledger,
            plan=plan,
            origin=Origin(
                topics=Topics(settings.mqtt.root, settings.device.id),
                key=key,
                software=f"speckled {version('speckled')}",
                configuration=configuration,
                simulated=identity.simulated or hurried or pool.provenance().simulated,
            ),
            releases=ReleaseStore(state / "releases", settings.capture.keep_releases, epoch=ledger.epoch),
            outgoing=courier,
            pace=Pace(plan.frame_rate * settings.simulation.speedup, time.monotonic_ns, resumed=ledger.next_frame > 0),
            wall_ms=_wall_ms,
            fuse=settings.privacy.fuse,
            nest=Nest() if settings.privacy.join_levels else None,
            notifier=Notifier(),
        ).run(stop)


def _make_pool(settings: Settings, latch: Latch) -> EntropyPool:
    return EntropyPool(
        make_qrng(settings.qrng),
        clock=time.monotonic,
        latch=latch,
        rate=settings.entropy.rate,
        partners=tuple(make_qrng(partner) for partner in settings.entropy.partners),
        commissioned=commissioned_credit(settings.entropy),
    )


def _protect_memory(settings: Settings) -> None:
    try:
        lock_memory()
    except MemoryNotLockable as error:
        if settings.capture.require_locked_memory:
            raise
        log.warning("%s", error)


def _deliver_the_rest(courier: Courier) -> None:
    left = courier.stop(DELIVERY_PATIENCE)
    if left:
        log.error("%d observations were not accepted by the relay and are lost; their charges stand", left)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
