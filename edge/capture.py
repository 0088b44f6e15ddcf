"""The process that sees pixels: camera to signed observation. It has no network.

One frame's way: `Capture.run` takes it, every level's open `Window` adds it, and it is wiped. A full window becomes a
`Release`, the release a `Map`, the map `Features`, the features an `Observation`, which is signed and handed to the
courier. Nothing after the release knows a pixel; nothing before it knows the network.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.camera.base import Camera, CameraIdentity
from drivers.errors import CameraError, CameraReason
from edge.entropy.pool import EntropyPool
from edge.errors import CameraUnavailable, Reason
from edge.features.describe import Describer
from edge.features.map import MapKeeper
from edge.features.nested import Nest
from edge.frame import Frame
from edge.metrics.capture import CaptureFigures
from edge.pace import Pace
from edge.privacy.ledger import Ledger
from edge.privacy.noise import Noise
from edge.privacy.plan import LevelPlan, Plan
from edge.privacy.statement import make_statement
from edge.privacy.window import Release, Window
from edge.releases import ReleaseStore
from edge.supervision import Supervision
from edge.switch.rest import rest_while_off
from wire.codec import encode
from wire.cose import sign
from wire.schema import Observation, Provenance
from wire.topics import Topics

log = logging.getLogger("speckled.capture")

FIGURES_MS = 15_000
"""Between two tellings of the figures: what reads them asks about as often."""
FRAME_SECONDS = 3.0
"""How long one attempt at a frame may take; the camera's ladder of recoveries makes several. A stop waits for one."""


class Outgoing(Protocol):
    """Where signed observations go."""

    def hand_over(self, envelope: bytes) -> None:
        """Take one signed observation, without waiting for its delivery."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """What every observation of this process says about where it comes from."""

    topics: Topics
    key: Ed25519PrivateKey
    software: str
    configuration: bytes
    simulated: bool


class Level:
    """One schedule of windows: its open window, and the maps that its releases have given."""

    def __init__(self, plan: LevelPlan, keeper: MapKeeper) -> None:
        self.plan = plan
        self.keeper = keeper
        self.window: Window | None = None
        self.opened = 0
        self.windows_opened = 0
        self.released = 0


class Capture:
    """Frames in, signed observations out.

    The order of the steps, their moments and every log line depend on the schedule, on the health of the devices and
    on releases, never on a pixel.
    """

    def __init__(
        self,
        *,
        camera: Camera,
        identity: CameraIdentity,
        pool: EntropyPool,
        ledger: Ledger,
        plan: Plan,
        origin: Origin,
        releases: ReleaseStore,
        describer: Describer,
        outgoing: Outgoing,
        pace: Pace,
        wall_ms: Callable[[], int],
        fuse: int,
        nest: Nest | None = None,
        supervision: Supervision,
    ) -> None:
        self._camera = camera
        self._identity = identity
        self._pool = pool
        self._ledger = ledger
        self._plan = plan
        self._origin = origin
        self._releases = releases
        self._describer = describer
        self._outgoing = outgoing
        self._pace = pace
        self._wall_ms = wall_ms
        self._supervision = supervision
        self._progress = supervision.progress
        self._notifier = supervision.notifier
        self._index = ledger.next_frame
        self._taken = 0
        self._position: int | None = None
        self._told_ms = 0
        shortest_first = sorted(plan.levels, key=lambda level: level.frames)
        self._levels = [Level(level, self._remember(level.name, fuse, nest)) for level in shortest_first]

    def run(self, stop: threading.Event) -> None:
        """Go on until `stop` is set or the camera has no more frames. Open windows are wiped at the end.

        Raises:
            CameraUnavailable, EntropyUnavailable, LedgerError: nothing more can be published, and why.
            Stopping: `stop` was set while noise was drawn.
        """
        frame = Frame(self._identity.height, self._identity.width, self._identity.dtype)
        try:
            while self._wait(stop):
                for level in self._levels:
                    if level.window is None:
                        self._open(level)
                self._notifier.ready()
                self._supervision.reporter.say("observing")
                if not self._take(frame, stop):
                    break
                for level in self._levels:
                    if level.window is not None and level.window.full:
                        self._publish(level, level.window)
                self._report()
        finally:
            frame.wipe()
            self._discard()

    def _wait(self, stop: threading.Event) -> bool:
        """Until the next frame is due, with the camera closed for as long as the privacy switch is off."""
        while not self._pace.wait(stop, self._interrupted):
            if stop.is_set():
                return False
            self._discard()
            self._index = self._ledger.next_frame
            self._camera.close()
            if not rest_while_off(self._supervision, stop):
                return False
            self._reopen()
        return True

    def _interrupted(self) -> bool:
        self._progress.step("schedule")
        return self._supervision.switch.off()

    def _discard(self) -> None:
        """The windows end unfinished; what they were charged stands."""
        for level in self._levels:
            if level.window is not None:
                level.window.wipe()
                level.window = None

    def _reopen(self) -> None:
        """Raises CameraUnavailable, also where it is another camera now: the promise was made for the first."""
        try:
            identity = self._camera.open()
        except CameraError as error:
            raise CameraUnavailable(Reason.CAMERA, str(error), error.remedy) from None
        if identity != self._identity:
            raise CameraUnavailable(
                Reason.CAMERA, "the camera came back as another one", "start again with the camera that is to be used"
            )

    def _open(self, level: Level) -> None:
        """Noise first, then the charge, then the window: a source that fails costs no charge."""
        mechanism = level.plan.mechanism(level.keeper.reference())
        with self._progress.working("entropy"):
            noise = Noise.draw(mechanism, self._pool)
        receipt = self._ledger.charge(level.plan.name, mechanism, self._index)
        level.window = Window(receipt, noise)
        level.opened = self._wall_ms()
        self._position = receipt.position
        level.windows_opened += 1
        _say(level, "window opened at", receipt.position)

    def _take(self, frame: Frame, stop: threading.Event) -> bool:
        try:
            with self._progress.working("camera"), self._ledger.frame(self._index):
                frame.fill(self._camera, FRAME_SECONDS)
        except CameraError as error:
            if error.reason is CameraReason.ENDED:
                log.info("the camera has no more frames")
                self._notifier.status(f"ended after frame {self._taken}")
                return False
            if stop.is_set():
                return False
            raise CameraUnavailable(Reason.CAMERA, str(error), error.remedy) from None
        self._pace.taken()
        for level in self._levels:
            if level.window is not None:
                level.window.add(frame)
        frame.wipe()
        self._index += 1
        self._taken += 1
        return True

    def _publish(self, level: Level, window: Window) -> None:
        """Only a source that is healthy now vouches for the noise of this window."""
        with self._progress.working("entropy"):
            self._pool.check()
        release = window.close()
        level.window = None
        with self._progress.working("description"):
            observation = self._observe(level, release)
            topic = self._origin.topics.observation
            self._outgoing.hand_over(sign(encode(observation), self._origin.key, topic))
        self._releases.add(level.plan.name, release)  # last: a full disk must not cost what is paid for
        level.released += 1
        _say(level, "released", release.receipt.position)

    def _observe(self, level: Level, release: Release) -> Observation:
        statement = make_statement(
            self._plan,
            release.mechanism,
            entropy=self._pool.provenance(),
            pixel_source=self._identity.pixel_source,
            simulated=self._origin.simulated,
        )
        camera = f"{self._identity.driver} {self._identity.model}".strip()[:64]
        return Observation(
            device=self._origin.topics.device,
            level=level.plan.name,
            receipt=release.receipt.to_wire(),
            opened=level.opened,
            closed=self._wall_ms(),
            statement=statement,
            features=self._describer.describe(level.keeper.add(release)),
            provenance=Provenance(
                software=self._origin.software, camera=camera, configuration=self._origin.configuration
            ),
        )

    def _remember(self, name: str, fuse: int, nest: Nest | None) -> MapKeeper:
        """All that are kept, not the last `fuse`: how noisy a reference was is known from the release before it."""
        keeper = MapKeeper(fuse=fuse, nest=nest)
        for release in self._releases.kept(name):
            keeper.add(release)
        return keeper

    def _report(self) -> None:
        levels = (f"{level.plan.name} {_filled(level)}/{level.plan.frames}" for level in self._levels)
        released = sum(level.released for level in self._levels)
        self._notifier.status(f"frame {self._taken}, released {released}: " + ", ".join(levels))
        now = self._wall_ms()
        if abs(now - self._told_ms) >= FIGURES_MS:
            self._told_ms = now
            self._supervision.figures(self._figures(now))

    def _figures(self, now_ms: int) -> CaptureFigures:
        return CaptureFigures(
            software=self._origin.software,
            frames=self._taken,
            frame_time=now_ms / 1000,
            gaps=self._pace.late,
            opened={level.plan.name: level.windows_opened for level in self._levels},
            released={level.plan.name: level.released for level in self._levels},
            charged=self._ledger.charges,
            position=self._position,
            epsilon={self._plan.profile: self._plan.epsilon},
        )


def _say(level: Level, what: str, position: int) -> None:
    fields = {"SPECKLED_LEVEL": level.plan.name, "SPECKLED_POSITION": position}
    log.info("level %s: %s ledger position %d", level.plan.name, what, position, extra={"fields": fields})


def _filled(level: Level) -> int:
    return level.window.added if level.window is not None else level.plan.frames
