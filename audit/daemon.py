"""The way of a video through the daemon: ledger, noise from a pool, frames, window, release; thousands of times."""

import functools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.enumerate import Played, Video
from edge.devices import make_qrng
from edge.entropy import EntropyPool
from edge.frame import Frame
from edge.privacy import noise as noise_room
from edge.privacy.ledger import Ledger
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.sampling.sampler import Sampler
from edge.privacy.terms import one_pair
from edge.privacy.window import Window
from edge.sources import EmulatedMicroRngSettings

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours is made in it


class Daemon:
    """A ledger, a pool and one frame buffer, used as capture uses them.

    The ledger is the real one with its syncs, in memory where the system has a file system there: 10^5 syncs of a disk
    would take an hour. The pool is the real one over the emulated chip.
    """

    def __init__(self, ledger: Ledger, pool: EntropyPool) -> None:
        self._ledger = ledger
        self._pool = pool

    def release(self, mechanism: Mechanism, video: Video) -> NDArray[np.int64]:
        """What is published of a video of N frames: (rows, columns) int64."""
        noise = Noise.draw(mechanism, self._pool)
        receipt = self._ledger.charge("audit", mechanism, self._ledger.next_frame)
        window = Window(receipt, noise)
        frame, camera = Frame(video.shape[1], video.shape[2], video.dtype), Played(video)
        for _ in range(mechanism.frames):
            frame.fill(camera, 0)
            window.add(frame)
            frame.wipe()
        self._pool.check()
        return window.close().sums


@contextmanager
def open_daemon(cost_max: Fraction) -> Iterator[Daemon]:
    """A daemon whose ledger allows slopes up to `cost_max`."""
    with tempfile.TemporaryDirectory(prefix="audit-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        ledger = Ledger(
            Path(folder) / "ledger",
            device="audit",
            configuration=bytes(32),
            terms=one_pair(cost_max, Fraction(1)),
            clock=lambda: time.time_ns() // 1_000_000,
        )
        pool = EntropyPool(make_qrng(EmulatedMicroRngSettings()), clock=time.monotonic)
        pool.start()
        try:
            yield Daemon(ledger, pool)
        finally:
            pool.stop()
            ledger.close()


@contextmanager
def tables_made_once() -> Iterator[None]:
    """Let windows of one scale share the sampler's tables, which that scale alone determines.

    Making them takes most of a small window's time: minutes in place of a quarter of an hour for 10^5 releases.
    """
    shared = functools.lru_cache(maxsize=8)(Sampler)
    vars(noise_room)["Sampler"] = shared
    try:
        yield
    finally:
        vars(noise_room)["Sampler"] = Sampler
