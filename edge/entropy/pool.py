import math
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from typing import NoReturn

import numpy as np

from drivers.errors import QrngError
from drivers.qrng.base import Qrng, QrngIdentity
from edge.entropy.buffer import SecretBuffer, wipe
from edge.entropy.conditioning import Conditioner, HmacSha512
from edge.entropy.health import USABLE, WINDOW
from edge.entropy.latch import Latch
from edge.entropy.monitor import STARTUP_SAMPLES, Finding, Monitor, examine_startup
from edge.errors import EntropyUnavailable, Reason
from wire import schema

EXPECTED = Fraction(7, 8)
"""Bits of min-entropy that the tests expect of each bit, where the source is credited with less.

A source that passes with less than its credit would be unsound, one that passes with more is only watched more
closely: bits that are 1 with probability 0.6 hold 0.74 bits, more than most credits, yet no such source is in order.
"""
CAP = Fraction(9, 10)
RETRIAL_SECONDS = 3600
"""A second intermittent failure within this time is a permanent one."""
_REPLACE = "Check wiring and power of the random-number device, test it again, and replace it if it fails again."
_SOURCE_IS_TO_BLAME = frozenset(
    {
        Reason.ENTROPY_START,
        Reason.ENTROPY_REPETITION,
        Reason.ENTROPY_PROPORTION,
        Reason.ENTROPY_BITS,
        Reason.ENTROPY_REPLAY,
    }
)


class State(StrEnum):
    """Where a source stands. Only HEALTHY emits; FAILED is for ever."""

    ABSENT = "absent"
    IDENT = "identifying"
    STARTUP = "starting"
    HEALTHY = "healthy"
    SUSPECT = "suspect"
    FAILED = "failed"


class EntropyPool:
    """Full-entropy bytes from one tested source, or nothing. One thread uses it.

    docs/entropy.md tells the life of a bit. Nothing is drawn ahead of need except the rest of a window and of a
    block, and both are overwritten when the source fails or the pool stops.
    """

    def __init__(
        self,
        qrng: Qrng,
        *,
        clock: Callable[[], float],
        conditioner: Conditioner | None = None,
        expected: Fraction = EXPECTED,
        latch: Latch | None = None,
    ) -> None:
        """Draw from `qrng`. clock: monotonic seconds. conditioner: HMAC-SHA-512 with a new key where None.

        expected: min-entropy in bits that the tests expect of each bit, raised to the credit where that is higher.
        latch: where a failure of the tests outlives the process; None keeps it in this object only.
        """
        self._qrng = qrng
        self._clock = clock
        self._conditioner: Conditioner = HmacSha512() if conditioner is None else conditioner
        self._expected = expected
        self._latch = latch
        self._state = State.ABSENT
        self._identity: QrngIdentity | None = None
        self._failure: tuple[Reason, str, str] | None = None
        self._suspected_at: float | None = None
        self._restarts = 0
        self._monitor = Monitor(8 * expected)
        self._samples = bytearray()
        self._block = bytearray(self._conditioner.size)
        self._accepted = SecretBuffer(0)
        self._output = SecretBuffer(self._conditioner.size)

    @property
    def state(self) -> State:
        """Where the source stands now."""
        return self._state

    @property
    def reason(self) -> Reason | None:
        """Why the source failed for good, or None."""
        return None if self._failure is None else self._failure[0]

    def start(self) -> None:
        """Identify the source and run the start-up tests; does nothing when HEALTHY.

        Raises EntropyUnavailable. After ENTROPY_DEVICE with state ABSENT the source could not be opened and `start`
        may be tried again.
        """
        if self._state is State.HEALTHY:
            return
        self._refuse_failed()
        earlier = None if self._latch is None else self._latch.read()
        if earlier is not None:
            self._state = State.FAILED
            self._failure = (Reason.ENTROPY_LATCHED, f"{earlier} (before a restart)", _REPLACE)
            self._refuse_failed()
        self._identity = None
        if not self._conditioner.self_test():
            self._fail(Reason.ENTROPY_START, "conditioning does not reproduce its known answers", "Reinstall Python.")
        self._state = State.IDENT
        try:
            identity = self._qrng.open()
        except QrngError as error:
            self._state = State.ABSENT
            raise EntropyUnavailable(Reason.ENTROPY_DEVICE, str(error), error.remedy) from error
        self._admit(identity)
        self._run_startup_tests()

    def take(self, n: int) -> bytearray:
        """Exactly `n` bytes of full entropy; the caller wipes them.

        Every byte comes from windows of samples that passed all tests. Raises EntropyUnavailable, and then nothing
        that was drawn for this call survives.
        """
        self._require_healthy()
        out = bytearray(n)
        filled, restarts = 0, self._restarts
        try:
            while filled < n:
                self._replenish()
                if self._restarts != restarts:
                    wipe(out)
                    filled, restarts = 0, self._restarts
                size = min(n - filled, len(self._output))
                with memoryview(out) as view:
                    self._output.move(view[filled : filled + size])
                filled += size
        except BaseException:  # whatever stops the draw, its bytes do not outlive it
            wipe(out)
            raise
        return out

    def check(self) -> None:
        """Draw a new window, test it and throw it away. Raises EntropyUnavailable when the source is not HEALTHY."""
        self._require_healthy()
        window = self._draw_window()
        if window is not None:
            wipe(window)

    def provenance(self) -> schema.Entropy:
        """What observations say of their noise. Raises EntropyUnavailable before the source is identified."""
        identity = self._identified()
        return schema.Entropy(
            source=identity.driver[:64],
            model=identity.model[:64],
            sample_bits=identity.sample_bits,
            credit=identity.credit,
            conditioning=self._conditioner.name,
            simulated=identity.simulated,
        )

    def stop(self) -> None:
        """Overwrite what is held and release the device. Safe to call twice; FAILED stays FAILED."""
        self._wipe()
        self._qrng.close()
        if self._state is not State.FAILED:
            self._state = State.ABSENT

    def _admit(self, identity: QrngIdentity) -> None:
        """Size the accounts for what the driver credits, after seeing that the credit can be believed."""
        self._identity = identity
        if identity.sample_bits != 8 or not 0 < identity.credit <= CAP * identity.sample_bits:
            self._fail(
                Reason.ENTROPY_DEVICE,
                f"{identity.credit} bits of min-entropy cannot be credited to samples of {identity.sample_bits} bits",
                "Use a source of 8-bit samples with a credit above 0 and at most 7.2 bits.",
            )
        self._monitor = Monitor(max(8 * self._expected, identity.credit))
        needed = math.ceil(self._conditioner.demand / identity.credit)
        self._samples = bytearray(needed)
        self._accepted = SecretBuffer(needed + WINDOW)

    def _run_startup_tests(self) -> None:
        self._state = State.STARTUP
        samples = self._read(STARTUP_SAMPLES)
        try:
            drawn = np.frombuffer(samples, np.uint8)
            findings = [self._monitor.examine(window) for window in drawn.reshape(-1, WINDOW)]
            found = [finding for finding in (*findings, examine_startup(drawn)) if finding is not None]
        finally:
            wipe(samples)
        if found:
            self._suspect(max(found, key=lambda finding: finding.permanent))
        else:
            self._state = State.HEALTHY

    def _replenish(self) -> None:
        """Condition one block, if none is left over."""
        if len(self._output):
            return
        while len(self._accepted) < len(self._samples):
            window = self._draw_window()
            if window is not None:
                with memoryview(window) as view:
                    self._accepted.put(view[USABLE])  # the tests remember the rest
                wipe(window)
        with memoryview(self._samples) as samples, memoryview(self._block) as block:
            self._accepted.move(samples)
            self._conditioner.condition(samples, block)
            self._output.put(block)
        wipe(self._samples)
        wipe(self._block)

    def _draw_window(self) -> bytearray | None:
        """A window that passed, or None after a failed one was destroyed and the source passed start-up again."""
        window = self._read(WINDOW)
        finding = self._monitor.examine(np.frombuffer(window, np.uint8))
        if finding is None:
            return window
        wipe(window)
        self._suspect(finding)
        return None

    def _read(self, count: int) -> bytearray:
        try:
            samples = self._qrng.read(count)
        except QrngError as error:
            self._fail(Reason.ENTROPY_DEVICE, str(error), error.remedy)
        if len(samples) != count:
            wipe(samples)
            self._fail(Reason.ENTROPY_DEVICE, "the driver returned another number of samples", _REPLACE)
        return samples

    def _suspect(self, finding: Finding) -> None:
        """Destroy everything drawn; then fail, or give the source one more start-up."""
        self._wipe()
        self._restarts += 1
        now = self._clock()
        recently = self._suspected_at is not None and now - self._suspected_at < RETRIAL_SECONDS
        if finding.permanent or recently:
            again = "" if finding.permanent else ", for the second time within an hour"
            self._fail(finding.reason, finding.detail + again, _REPLACE)
        self._suspected_at = now
        self._state = State.SUSPECT
        self._run_startup_tests()

    def _fail(self, reason: Reason, detail: str, remedy: str) -> NoReturn:
        self._wipe()
        self._state = State.FAILED
        self._failure = (reason, detail, remedy)
        self._qrng.close()
        if self._latch is not None and self._identity is not None and reason in _SOURCE_IS_TO_BLAME:
            try:
                self._latch.write(reason.value)
            except OSError as error:
                detail += f"; it could not be recorded for the next start ({error.strerror})"
        raise EntropyUnavailable(reason, detail, remedy)

    def _wipe(self) -> None:
        self._accepted.wipe()
        self._output.wipe()
        wipe(self._samples)
        wipe(self._block)

    def _require_healthy(self) -> None:
        self._refuse_failed()
        if self._state is not State.HEALTHY:
            raise EntropyUnavailable(
                Reason.ENTROPY_NOT_STARTED, f"the source is {self._state.value}", "Start the pool first."
            )

    def _refuse_failed(self) -> None:
        if self._failure is None:
            return
        reason, detail, remedy = self._failure
        first = detail if reason is Reason.ENTROPY_LATCHED else f"{reason.value}: {detail}"
        if self._latch is not None and self._latch.read() is not None:
            remedy += f" Then remove {self._latch.path} and restart."
        raise EntropyUnavailable(Reason.ENTROPY_LATCHED, f"the source failed earlier: {first}", remedy)

    def _identified(self) -> QrngIdentity:
        if self._identity is None:
            raise EntropyUnavailable(
                Reason.ENTROPY_NOT_STARTED, "the source is not identified yet", "Start the pool first."
            )
        return self._identity
