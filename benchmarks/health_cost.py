"""What the continuous tests of a source cost, each by itself and in the whole path."""

import os
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np

from drivers.qrng.software import SoftwareQrng
from edge.entropy import EntropyPool
from edge.entropy.buffer import wipe
from edge.entropy.conditioning import HmacSha512
from edge.entropy.drbg import SEED_BYTES, CtrDrbg
from edge.entropy.health import (
    WINDOW,
    AdaptiveProportion,
    BitPrediction,
    RepeatedBlock,
    RepetitionCount,
    Verdicts,
    Windows,
)
from edge.entropy.source import BATCH, EXPECTED

FLOOR = 50.0
"""MB/s that RCT and APT together must not fall below."""
MANY = 64
_WINDOWS = 8192
_REPEATS = 5
_ENTROPY = 8 * EXPECTED

Feed = Callable[[Windows], object]


def health_costs() -> str:
    """A table of megabytes of samples per second, for one window at a time, for a batch of the pool, and for more."""
    lines = [
        "Continuous tests on noise of the kernel's generator, in MB of samples per second. The pool tests windows of",
        f"{WINDOW} samples, at most {BATCH} at a time; a source of 20 Mbit/s gives 2.5 MB/s. The first two tests must",
        f"leave {FLOOR:.0f} MB/s or more.",
        "",
        f"| test | 1 window | {BATCH} windows | {MANY} windows |",
        "|---|---|---|---|",
    ]
    for name, make in _tests().items():
        figures = (f"{_speed(make(), size):.0f}" for size in (1, BATCH, MANY))
        lines.append(f"| {name} | " + " | ".join(figures) + " |")
    return "\n".join([*lines, "", *_path()])


def standard_tests_speed(windows: int = BATCH) -> float:
    """MB/s of repetition count and adaptive proportion together, `windows` at a time: to compare with FLOOR."""
    return _speed(_tests()["both of SP 800-90B"](), windows)


def _tests() -> dict[str, Callable[[], Feed]]:
    return {
        "repetition count": lambda: RepetitionCount(_ENTROPY).feed,
        "adaptive proportion": lambda: AdaptiveProportion(_ENTROPY).feed,
        "both of SP 800-90B": lambda: _together(RepetitionCount(_ENTROPY).feed, AdaptiveProportion(_ENTROPY).feed),
        "bit prediction": lambda: BitPrediction(EXPECTED).feed,
        "repeated block": lambda: RepeatedBlock().feed,
        "both of ours": lambda: _together(BitPrediction(EXPECTED).feed, RepeatedBlock().feed),
        "all four": lambda: _together(
            RepetitionCount(_ENTROPY).feed,
            AdaptiveProportion(_ENTROPY).feed,
            BitPrediction(EXPECTED).feed,
            RepeatedBlock().feed,
        ),
    }


def _together(*tests: Callable[[Windows], Verdicts]) -> Feed:
    def feed(windows: Windows) -> None:
        for test in tests:
            test(windows)

    return feed


def _speed(feed: Feed, size: int) -> float:
    batches = np.frombuffer(os.urandom(_WINDOWS * WINDOW), np.uint8).reshape(-1, size, WINDOW)
    feed(batches[0])

    def run() -> None:
        for windows in batches:
            feed(windows)

    return batches.size / _fastest(run) / 1e6


def _path() -> list[str]:
    conditioner, samples, block = HmacSha512(), bytearray(144), bytearray(64)
    drbg = CtrDrbg()
    drbg.seed(memoryview(os.urandom(SEED_BYTES)), os.urandom(SEED_BYTES))

    def condition() -> None:
        with memoryview(samples) as given, memoryview(block) as made:
            for _ in range(10_000):
                conditioner.condition(given, made)

    pools = {rate: EntropyPool(SoftwareQrng(), clock=time.monotonic, rate=rate) for rate in ("true-random", "drbg")}
    lines = [
        "| step | MB/s |",
        "|---|---|",
        f"| HMAC-SHA-512, 144 samples to 64 bytes, of samples | {1.44 / _fastest(condition):.0f} |",
        f"| CTR_DRBG, of output | {8.0 / _fastest(lambda: drbg.generate(8_000_000)):.0f} |",
    ]
    for rate, pool in pools.items():
        pool.start()
        for size in (6_000, 500_000):
            seconds = _fastest(partial(_take, pool, size))
            lines.append(
                f"| `take({size})` at rate `{rate}`, source credited {Fraction(7)} of 8 bits, of output "
                f"| {size / seconds / 1e6:.1f} |"
            )
        pool.stop()
    return lines


def _take(pool: EntropyPool, size: int) -> None:
    wipe(pool.take(size))


def _fastest(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
