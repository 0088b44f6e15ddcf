"""From settings to a running capture: the one place that knows which part goes where."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path

from drivers.camera.base import Camera, CameraIdentity
from drivers.errors import DriverError
from drivers.qrng.base import Qrng
from edge.aim.record import times_aimed
from edge.attest.exposure import EXPOSURE_FILE
from edge.attest.gather import gather
from edge.capture import Capture, Origin
from edge.config import Settings, configuration_hash
from edge.courier import Courier
from edge.devices import commissioned_credit, make_camera, make_qrng
from edge.entropy import EntropyPool, Latch, State
from edge.errors import CameraUnavailable, ConfigError, Reason
from edge.features.describe import describer
from edge.features.nested import Nest
from edge.figures import figures_sink
from edge.folders import state_folder
from edge.history import CollectorHistory
from edge.memory import MemoryNotLockable, lock_memory
from edge.pace import Pace
from edge.privacy.ledger import Ledger
from edge.promise import plan_of
from edge.relay.link import CaptureLink
from edge.relay.troubles import Troubles
from edge.releases import ReleaseStore
from edge.report import Health, Reporter
from edge.spool import Spool
from edge.stopping import StoppableQrng, Stopping
from edge.supervision import Supervision
from edge.switch.make import make_switch
from edge.switch.rest import rest_while_off
from wire.credentials import locate
from wire.keys import read_private_key
from wire.service.notify import Notifier, watchdog_seconds
from wire.service.progress import Progress
from wire.service.watchdog import Watchdog
from wire.topics import Topics

log = logging.getLogger("speckled.capture")

DELIVERY_PATIENCE = 4.0
"""Seconds that capture waits at its end for the relay to take what is left.

A stop is over within 5 s where camera and relay answer, and within 10 s where both hang (edge/run.py waits that long).
"""


HEALTH: dict[State, Health] = {
    State.ABSENT: "starting",
    State.IDENT: "starting",
    State.STARTUP: "starting",
    State.HEALTHY: "healthy",
    State.SUSPECT: "suspect",
    State.FAILED: "failed",
}
"""What capture's word calls the states of the sources."""


def ledger_path(settings: Settings) -> Path:
    """Where the record of every charge is."""
    return Path(settings.capture.state) / "ledger.jsonl"


def run_capture(settings: Settings, *, new_epoch: bool, stop: threading.Event) -> None:
    """Build capture and run it until `stop`, the end of the camera, or an error that ends it.

    Raises:
        SpeckledError: with the reason, the remedy and the exit status.
    """
    _protect_memory(settings)
    described_by = describer(settings.features)
    configuration = configuration_hash(settings)
    key = read_private_key(locate(settings.device.key))
    state = state_folder(settings.capture.state, "[capture]")
    topics = Topics(settings.mqtt.root, settings.device.id)
    progress, notifier = Progress(), Notifier()
    with suppress(Stopping), ExitStack() as stack:
        camera = make_camera(settings.camera, stop.is_set)
        sources = [
            StoppableQrng(make_qrng(source), stop, progress) for source in (settings.qrng, *settings.entropy.partners)
        ]
        pool = _make_pool(settings, Latch(state / "entropy-failed"), sources)
        history = CollectorHistory(CaptureLink(Path(settings.relay.socket)))
        courier = Courier(
            _step_by_step(history.send, progress),
            Spool(state / "spool"),
            troubles=Troubles(time.monotonic, "speckled.capture"),
        )
        reporter = Reporter(
            CaptureLink(Path(settings.relay.socket)).send,
            key=key,
            topics=topics,
            attestation=gather(configuration, exposure=EXPOSURE_FILE),
            entropy=lambda: HEALTH[pool.state],
            counts=courier.counts,
            aimed=times_aimed(state),
            wall_ms=_wall_ms,
        )
        watchdog = Watchdog(notifier, progress, watchdog_seconds(os.environ))
        figures = figures_sink(settings.metrics.textfile, camera=camera, pool=pool, sources=sources, watchdog=watchdog)
        supervision = Supervision(make_switch(settings.switch), progress, notifier, reporter, figures)
        watchdog.start()
        stack.callback(watchdog.stop)
        reporter.start()
        stack.callback(reporter.stop)
        if supervision.switch.off() and not rest_while_off(supervision, stop):
            return
        stack.callback(supervision.switch.close)
        identity = _open(camera, stop)
        if identity is None:
            return
        stack.callback(camera.close)
        hurried = settings.simulation.speedup != 1
        if hurried and not identity.simulated:
            raise ConfigError(
                Reason.CONFIG, "[simulation] speedup with a live camera", "set speedup = 1, or use a simulated camera"
            )
        stack.callback(pool.stop)
        pool.start()
        plan = plan_of(settings.privacy, width=identity.width, height=identity.height, max_value=identity.max_value)
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
        stack.callback(notifier.stopping)
        capture = Capture(
            camera=camera,
            identity=identity,
            pool=pool,
            ledger=ledger,
            plan=plan,
            origin=Origin(
                topics=topics,
                key=key,
                software=f"speckled {version('speckled')}",
                configuration=configuration,
                simulated=identity.simulated or hurried or pool.provenance().simulated,
            ),
            releases=ReleaseStore(state / "releases", settings.capture.keep_releases, epoch=ledger.epoch),
            describer=described_by,
            outgoing=courier,
            pace=Pace(plan.frame_rate * settings.simulation.speedup, time.monotonic_ns, resumed=ledger.next_frame > 0),
            wall_ms=_wall_ms,
            fuse=settings.privacy.fuse,
            nest=Nest() if settings.privacy.join_levels else None,
            supervision=supervision,
        )
        capture.run(stop)


def _open(camera: Camera, stop: threading.Event) -> CameraIdentity | None:
    """What the camera is; None where the process is to end instead."""
    try:
        return camera.open()
    except DriverError as error:
        if stop.is_set():
            return None
        raise CameraUnavailable(Reason.CAMERA, str(error), error.remedy) from None


def _make_pool(settings: Settings, latch: Latch, sources: Sequence[Qrng]) -> EntropyPool:
    return EntropyPool(
        sources[0],
        clock=time.monotonic,
        latch=latch,
        rate=settings.entropy.rate,
        partners=tuple(sources[1:]),
        commissioned=commissioned_credit(settings.entropy),
    )


def _protect_memory(settings: Settings) -> None:
    try:
        lock_memory()
    except MemoryNotLockable as error:
        if settings.capture.require_locked_memory:
            raise
        log.warning("%s", error)


def _step_by_step(send: Callable[[bytes], None], progress: Progress) -> Callable[[bytes], None]:
    """Delivery as a stage that the watchdog looks at."""

    def watched(envelope: bytes) -> None:
        with progress.working("delivery"):
            send(envelope)

    return watched


def _deliver_the_rest(courier: Courier) -> None:
    left = courier.stop(DELIVERY_PATIENCE)
    if left:
        log.error("%d observations found no room on the disk and are lost; their charges stand", left)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
