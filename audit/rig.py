"""Capture in a closed room: the real program, fed with videos and fixed bytes, and everything that it does noted."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from edge.capture import Capture, Origin
from edge.config import SyntheticSettings
from edge.devices import make_camera
from edge.entropy import EntropyPool
from edge.features.classical import Classical
from edge.pace import Pace
from edge.privacy.ledger import Ledger
from edge.privacy.plan import Curve, Plan, plan_for
from edge.privacy.profiles import named
from edge.releases import ReleaseStore
from edge.report import Word
from edge.sections import SwitchSettings
from edge.supervision import Supervision
from edge.switch.make import make_switch
from wire.codec import decode
from wire.cose import verify
from wire.schema import Entropy, Observation
from wire.service.notify import Notifier
from wire.service.progress import Progress
from wire.topics import Topics

WIDTH, HEIGHT = 160, 120
NOW_MS = 1_700_000_000_000
TOPICS = Topics("speckled", "audit")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
Painter = Callable[[NDArray[np.uint8] | NDArray[np.uint16], int], None]
"""Fills a plane (height, width) with frame number 0, 1, ..."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did.

    calls: every call that left the program or came to it, in order, with the sizes of what it carried. log: its
    lines. files: each file that it left, with what is in it. envelopes: signed observations. seconds: how long it took.
    """

    calls: tuple[str, ...]
    log: tuple[str, ...]
    files: dict[str, bytes]
    envelopes: tuple[bytes, ...]
    seconds: float


class _Tape(EntropyPool):
    """A pool whose bytes follow from their number alone, so that two runs have the same noise."""

    def __init__(self, calls: list[str]) -> None:
        self._calls = calls
        self._taken = 0

    def take(self, n: int) -> bytearray:
        self._calls.append(f"entropy: {n} bytes")
        self._taken += 1
        return bytearray(hashlib.shake_256(b"audit" + self._taken.to_bytes(8, "big")).digest(n))

    def check(self) -> None:
        self._calls.append("entropy: check")

    def provenance(self) -> Entropy:
        return Entropy(
            source="audit",
            model="tape",
            sample_bits=8,
            credit=Fraction(4),
            conditioning="none",
            construction="rbg3-xor",
            partners=[],
            simulated=True,
        )


class _Painted:
    """A camera that shows what a painter paints, and stops the program when it has shown enough."""

    def __init__(self, paint: Painter, frames: int, stop: threading.Event, calls: list[str]) -> None:
        self._inner = make_camera(SyntheticSettings(width=WIDTH, height=HEIGHT))
        self._paint, self._left, self._stop, self._calls = paint, frames, stop, calls
        self._shown = 0
        self.open = self._inner.open
        self.close = self._inner.close

    def read(self, plane: NDArray[np.uint8] | NDArray[np.uint16], deadline: float) -> None:
        self._calls.append(f"camera: {plane.nbytes} bytes within {deadline} s")
        self._paint(plane, self._shown)
        self._shown += 1
        if self._shown == self._left:
            self._stop.set()


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


class _Status(Notifier):
    def __init__(self, calls: list[str]) -> None:
        super().__init__("")
        self._calls = calls

    def status(self, text: str) -> None:
        self._calls.append(f"status: {text}")


class _Said:
    def __init__(self, calls: list[str]) -> None:
        self._calls = calls

    def say(self, word: Word) -> None:
        self._calls.append(f"said: {word}")


class _Outgoing:
    def __init__(self, calls: list[str]) -> None:
        self._calls = calls
        self.envelopes: list[bytes] = []

    def hand_over(self, envelope: bytes) -> None:
        self._calls.append("message")
        self.envelopes.append(envelope)


def plan(tau: int | None) -> Plan:
    """Two levels, of 144 and 18 frames: `place` at a frame in ten minutes."""
    return plan_for(
        named("place"),
        width=WIDTH,
        height=HEIGHT,
        max_value=255,
        frame_rate=Fraction(1, 600),
        curve=Curve(),
        tau=tau,
    )


def exact_part(envelope: bytes) -> str:
    """What a message says before its features, which are computed in floating point from the release."""
    key = KEY.public_key()
    observation = decode(verify(envelope, key, TOPICS.observation), Observation)
    parts = (observation.device, observation.level, observation.receipt, observation.opened, observation.closed)
    return repr((*parts, observation.statement, observation.provenance))


def run(paint: Painter, frames: int, folder: Path, tau: int | None = None) -> Run:
    """Capture `frames` frames into an empty `folder`. Clock, key, epoch and noise are the same in every run.

    tau: of residual windows, in grey; None for absolute windows only.
    """
    calls: list[str] = []
    stop = threading.Event()
    switch = make_switch(SwitchSettings(file=str(folder / "off")))

    def told(figures: object) -> None:
        calls.append(f"figures: {figures}")

    camera, outgoing = _Painted(paint, frames, stop, calls), _Outgoing(calls)
    promised = plan(tau)
    ledger = Ledger(
        folder / "ledger.jsonl",
        device=TOPICS.device,
        configuration=bytes(32),
        terms=promised.terms,
        clock=lambda: NOW_MS,
        speedup=10**15,
        make_epoch=lambda: bytes(range(16)),
    )
    with _listening() as lines:
        begin = time.perf_counter()
        try:
            Capture(
                camera=camera,
                identity=camera.open(),
                pool=_Tape(calls),
                ledger=ledger,
                plan=promised,
                origin=Origin(TOPICS, KEY, "audit", bytes(32), simulated=True),
                releases=ReleaseStore(folder / "releases", 64, epoch=ledger.epoch),
                describer=Classical(),
                outgoing=outgoing,
                pace=Pace(Fraction(10**9), time.monotonic_ns, resumed=False),
                wall_ms=lambda: NOW_MS,
                fuse=1,
                supervision=Supervision(switch, Progress(), _Status(calls), _Said(calls), told),
            ).run(stop)
        finally:
            ledger.close()
            camera.close()
        seconds = time.perf_counter() - begin
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return Run(tuple(calls), tuple(lines), files, tuple(outgoing.envelopes), seconds)


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Every line that the program logs meanwhile, at any level."""
    lines: list[str] = []
    logger, handler = logging.getLogger("speckled"), _Lines(lines)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
