from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from typing import NoReturn

import numpy as np

from drivers.errors import QrngError
from drivers.qrng.base import Qrng, QrngIdentity
from edge.entropy.buffer import wipe
from edge.entropy.health import USABLE, WINDOW, Windows
from edge.entropy.monitor import STARTUP_SAMPLES, Finding, Monitor, examine_startup
from edge.errors import EntropyUnavailable, Reason

EXPECTED = Fraction(7, 8)
"""Bits of min-entropy that the tests expect of each bit, where the source is credited with less.

A source that passes with less than its credit would be unsound, one that passes with more is only watched more
closely: bits that are 1 with probability 0.6 hold 0.74 bits, more than most credits, yet no such source is in order.
"""
CAP = Fraction(9, 10)
BATCH = STARTUP_SAMPLES // WINDOW
"""Windows that are read and tested together, at most: a device that is fast enough to start is fast enough for it."""
RETRIAL_SECONDS = 3600
"""A second intermittent failure within this time is a permanent one."""
REPLACE = "Check wiring and power of the random-number device, test it again, and replace it if it fails again."
_USABLE_SAMPLES = len(range(WINDOW)[USABLE])


class State(StrEnum):
    """Where a source stands. Only HEALTHY emits; FAILED is for ever."""

    ABSENT = "absent"
    IDENT = "identifying"
    STARTUP = "starting"
    HEALTHY = "healthy"
    SUSPECT = "suspect"
    FAILED = "failed"


class SourceRestarted(Exception):
    """A test failed intermittently and the source passed its start-up tests anew: what was drawn before is void."""


class TestedSource:
    """One source and its tests: samples of windows that passed, or nothing. One thread uses it.

    Nothing is kept from one draw to the next but what the tests remember, and that is never used.
    """

    __test__ = False  # the name is no test's

    def __init__(
        self, qrng: Qrng, *, clock: Callable[[], float], expected: Fraction = EXPECTED, partner: bool = False
    ) -> None:
        """Draw from `qrng`. clock: monotonic seconds. partner: errors name the source by its driver."""
        self._qrng = qrng
        self._clock = clock
        self._expected = expected
        self._partner = partner
        self._state = State.ABSENT
        self._identity: QrngIdentity | None = None
        self._suspected_at: float | None = None
        self._startups = 0
        self._monitor = Monitor(8 * expected)

    @property
    def state(self) -> State:
        """Where it stands now."""
        return self._state

    @property
    def identity(self) -> QrngIdentity | None:
        """What it is, known once it was opened."""
        return self._identity

    @property
    def startups(self) -> int:
        """How often the start-up tests were run: once for each start and retest, more after intermittent failures."""
        return self._startups

    @property
    def name(self) -> str:
        """How errors call it: nothing for the chip, `partner` and its driver for a partner."""
        if not self._partner:
            return ""
        driver = self._identity.driver if self._identity is not None else type(self._qrng).__name__
        return f"partner {driver}"

    def start(self) -> None:
        """Identify the source and run the start-up tests.

        Raises EntropyUnavailable: with state ABSENT where it could not be opened, and `start` may be tried again.
        """
        self._identity = None
        self._state = State.IDENT
        try:
            self._identity = self._qrng.open()
        except QrngError as error:
            self._state = State.ABSENT
            raise EntropyUnavailable(Reason.ENTROPY_DEVICE, self._said(str(error)), error.remedy) from error
        self._admit(self._identity)
        self._run_startup_tests()

    def retest(self) -> None:
        """Run the start-up tests on new samples (SP 800-90B, 4.3: on demand). Raises EntropyUnavailable."""
        self._run_startup_tests()

    def draw(self, count: int) -> bytearray:
        """Exactly `count` samples, all of windows that passed every test; the caller wipes them.

        Raises EntropyUnavailable, or SourceRestarted: then nothing of this draw, nor of a draw that the caller has
        not finished with, may be used.
        """
        out, filled = bytearray(count), 0
        try:
            while filled < count:
                windows = min(BATCH, -(-(count - filled) // _USABLE_SAMPLES))
                filled += self._fill(windows, memoryview(out)[filled:])
        except BaseException:  # whatever stops the draw, its samples do not outlive it
            wipe(out)
            raise
        return out

    def check(self) -> None:
        """Draw a window, test it and throw it away. Raises EntropyUnavailable or SourceRestarted."""
        wipe(self.draw(1))

    def close(self) -> None:
        """Release the device; whoever sees it fail does that, too. FAILED stays FAILED."""
        self._qrng.close()
        if self._state is not State.FAILED:
            self._state = State.ABSENT

    def _admit(self, identity: QrngIdentity) -> None:
        if identity.sample_bits != 8 or not 0 < identity.credit <= CAP * identity.sample_bits:
            self._fail(
                Reason.ENTROPY_DEVICE,
                f"{identity.credit} bits of min-entropy cannot be credited to samples of {identity.sample_bits} bits",
                "Use a source of 8-bit samples with a credit above 0 and at most 7.2 bits.",
            )
        self._monitor = Monitor(max(8 * self._expected, identity.credit))

    def _run_startup_tests(self) -> None:
        self._state = State.STARTUP
        self._startups += 1
        samples = self._read(STARTUP_SAMPLES)
        try:
            drawn = np.frombuffer(samples, np.uint8)
            findings = (self._monitor.examine(drawn.reshape(-1, WINDOW)), examine_startup(drawn))
            found = [finding for finding in findings if finding is not None]
        finally:
            wipe(samples)
        if found:
            self._suspect(max(found, key=lambda finding: finding.permanent))
        else:
            self._state = State.HEALTHY

    def _fill(self, windows: int, target: memoryview) -> int:
        """Put usable samples of `windows` new windows into `target`, as many as fit; returns how many."""
        samples = self._read(windows * WINDOW)
        try:
            drawn = np.frombuffer(samples, np.uint8).reshape(windows, WINDOW)
            finding = self._monitor.examine(drawn)
            if finding is None:
                return _copy_usable(drawn, target)
        finally:
            wipe(samples)
        self._suspect(finding)
        raise SourceRestarted

    def _read(self, count: int) -> bytearray:
        try:
            samples = self._qrng.read(count)
        except QrngError as error:
            self._fail(Reason.ENTROPY_DEVICE, str(error), error.remedy)
        if len(samples) != count:
            wipe(samples)
            self._fail(Reason.ENTROPY_DEVICE, "the driver returned another number of samples", REPLACE)
        return samples

    def _suspect(self, finding: Finding) -> None:
        """Fail, or give the source one more start-up."""
        now = self._clock()
        recently = self._suspected_at is not None and now - self._suspected_at < RETRIAL_SECONDS
        if finding.permanent or recently:
            again = "" if finding.permanent else ", for the second time within an hour"
            self._fail(finding.reason, finding.detail + again, REPLACE)
        self._suspected_at = now
        self._state = State.SUSPECT
        self._run_startup_tests()

    def _fail(self, reason: Reason, detail: str, remedy: str) -> NoReturn:
        self._state = State.FAILED
        raise EntropyUnavailable(reason, self._said(detail), remedy)

    def _said(self, detail: str) -> str:
        return f"{self.name}: {detail}" if self.name else detail


def _copy_usable(windows: Windows, target: memoryview) -> int:
    """Put the usable samples of `windows` into `target`, as many as fit; returns how many."""
    filled = 0
    for usable in windows[:, USABLE]:
        part = target[filled : filled + usable.size]
        part[:] = usable[: len(part)].data
        filled += len(part)
    return filled
