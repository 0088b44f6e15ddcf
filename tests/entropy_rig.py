"""A source with faults behind the real EntropyPool, in which every sample that goes in can be found in what comes out.

faults = Faults(seeded(1), (parse_fault("stuck@5000"),))
rig = Rig(MyDriver(bus=MyEmulator(faults=faults)), faults)
error = rig.run(calls=1000)
assert error.reason is Reason.ENTROPY_REPETITION
rig.assert_failed(Reason.ENTROPY_REPETITION)
assert rig.samples_since(5000) <= WITHIN_TWO_WINDOWS
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

import pytest

from drivers.emulated.faults import Fault, Faults
from drivers.qrng.base import Qrng, QrngIdentity
from drivers.qrng.spi import bus_error
from edge.entropy import EntropyPool, State
from edge.entropy.drbg import SEED_BYTES
from edge.entropy.health import USABLE, WINDOW
from edge.entropy.monitor import STARTUP_SAMPLES
from edge.errors import EntropyUnavailable, Reason

WITHIN_TWO_WINDOWS = 2 * WINDOW
"""Samples from the beginning of a fault to a permanent failure: the rest of one window and the next."""
WITHIN_TWO_TRIALS = 6 * WINDOW + STARTUP_SAMPLES
"""Samples from the beginning of a fault to a second intermittent failure, with the start-up tests between the two."""


class Clock:
    """Seconds that pass only when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Identity:
    """Conditioning that passes samples through one for one, so that a test can see which of them come out."""

    name = "identity"
    size = 64
    demand = Fraction(4 * size)
    """At the credit of the source, which `Witness.open` puts here: 64 samples for the 64 bytes of a block."""

    def condition(self, samples: memoryview, block: memoryview) -> None:
        block[:] = samples

    def self_test(self) -> bool:
        return True


class Silent:
    """A DRBG that adds nothing to what the chip gives."""

    def seed(self, entropy: memoryview, other: bytes) -> None:
        pass

    def generate(self, count: int) -> bytearray:
        return bytearray(count)

    def wipe(self) -> None:
        pass


class Plain:
    """A source without a protocol: the noise of `faults` over one wire, whose errors are those of a bus."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def open(self) -> QrngIdentity:
        return QrngIdentity("plain", "noise", 8, Fraction(4), raw=True, simulated=True)

    def read(self, count: int) -> bytearray:
        try:
            return bytearray(self.faults.wire(self.faults.draw(count)))
        except OSError as error:
            raise bus_error(error, "the wire") from None

    def close(self) -> None:
        pass


class Breakable(Protocol):
    """A Faults, or an emulator that has one."""

    @property
    def drawn(self) -> int: ...

    def inject(self, fault: Fault) -> None: ...


class Witness:
    """A source that keeps a copy of every read with the state of the pool at that moment, and what it handed out."""

    def __init__(self, qrng: Qrng, conditioner: Identity) -> None:
        self.qrng = qrng
        self.conditioner = conditioner
        self.state: Callable[[], State] = lambda: State.HEALTHY
        self.reads: list[tuple[State, bytes]] = []
        self.handed: list[bytearray] = []

    def open(self) -> QrngIdentity:
        identity = self.qrng.open()
        self.conditioner.demand = self.conditioner.size * identity.credit
        return identity

    def read(self, count: int) -> bytearray:
        samples = self.qrng.read(count)
        self.reads.append((self.state(), bytes(samples)))
        self.handed.append(samples)
        return samples

    def close(self) -> None:
        self.qrng.close()


class Rig:
    """One source in one pool that is not started yet."""

    def __init__(self, source: Qrng, faults: Breakable, *, clock: Clock | None = None) -> None:
        """faults: what the emulator behind `source` breaks by; its `drawn` is the clock of detection."""
        self.faults = faults
        conditioner = Identity()
        self.source = Witness(source, conditioner)
        self.clock = clock or Clock()
        self.pool = EntropyPool(self.source, clock=self.clock, conditioner=conditioner, drbg=Silent())
        self.source.state = lambda: self.pool.state
        self.out = bytearray()
        self._takes: list[tuple[int, int, int]] = []

    def run(self, calls: int, size: int = 400) -> EntropyUnavailable | None:
        """Start, and take `size` bytes `calls` times or until something fails. Returns the error, or None."""
        try:
            self.pool.start()
            for _ in range(calls):
                self.take(size)
        except EntropyUnavailable as error:
            return error
        return None

    def take(self, size: int) -> None:
        """Take `size` bytes, and remember which reads they were made of."""
        before = len(self.source.reads)
        self.out += self.pool.take(size)
        self._takes.append((before, len(self.source.reads), size))

    def samples_since(self, after: int) -> int:
        """Samples that the device has drawn since it had drawn `after`: how long a fault that began there went on."""
        return self.faults.drawn - after

    def passed(self) -> bytes:
        """What the takes so far must have given: the samples after the seed, in order, of windows that passed.

        Where the source went through another start-up during a take, only what was read after that.
        """
        return b"".join(self._usable(before, after)[SEED_BYTES:][:size] for before, after, size in self._takes)

    def leaked(self, window: bytes) -> bool:
        """Whether eight samples in a row of `window` are in what came out."""
        return any(window[at : at + 8] in self.out for at in range(len(window) - 7))

    def assert_failed(self, reason: Reason) -> None:
        """The pool has failed for good, names why, and gave out nothing but samples that passed before."""
        assert self.pool.state is State.FAILED
        assert self.pool.reason is reason
        assert self.passed() == self.out
        for act in (self.pool.start, self.pool.check, lambda: self.pool.take(1)):
            with pytest.raises(EntropyUnavailable) as later:
                act()
            assert later.value.reason is Reason.ENTROPY_LATCHED
            assert reason.value in later.value.detail
        self.pool.stop()
        assert self.pool.state is State.FAILED

    def _usable(self, before: int, after: int) -> bytes:
        reads = self.source.reads[before:after]
        start = max((index for index, (state, _) in enumerate(reads, 1) if state is State.STARTUP), default=0)
        drawn = b"".join(read for _, read in reads[start:])
        return b"".join(drawn[at : at + WINDOW][USABLE] for at in range(0, len(drawn), WINDOW))
