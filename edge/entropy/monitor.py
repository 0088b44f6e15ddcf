from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from edge.entropy.cutoffs import PERMANENT, binomial_quantile
from edge.entropy.health import (
    WINDOW,
    AdaptiveProportion,
    BitPrediction,
    RepeatedBlock,
    RepetitionCount,
    Verdict,
    Windows,
)
from edge.errors import Reason

STARTUP_SAMPLES = 4096
"""Samples of the start-up tests, never used; SP 800-90B, 4.3, asks for at least 1024."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A test that failed. `detail` tells the test, never a sample."""

    reason: Reason
    permanent: bool
    detail: str


class Monitor:
    """All continuous tests of one source of 8-bit samples, whole windows at a time.

    It lives as long as the source is open: a new start-up does not forget a run or a repeated block.
    """

    def __init__(self, entropy: Fraction) -> None:
        """Expect at least `entropy` bits of min-entropy in each sample."""
        self._tests = (
            (RepetitionCount(entropy), Reason.ENTROPY_REPETITION, "the repetition count test"),
            (AdaptiveProportion(entropy), Reason.ENTROPY_PROPORTION, "the adaptive proportion test"),
            (RepeatedBlock(), Reason.ENTROPY_REPLAY, "the repeated block test"),
            (BitPrediction(entropy / 8), Reason.ENTROPY_BITS, "the bit prediction test"),
        )

    def examine(self, windows: Windows) -> Finding | None:
        """Run every test on `windows` (k, WINDOW) in order. Returns the gravest finding, the first of equals."""
        verdicts = np.stack([test.feed(windows) for test, *_ in self._tests], axis=1)
        verdict = Verdict(int(verdicts.max()))
        if verdict is Verdict.PASS:
            return None
        _, place = divmod(int(verdicts.argmax()), len(self._tests))
        _, reason, name = self._tests[place]
        tier = "permanently" if verdict is Verdict.PERMANENT else "intermittently"
        return Finding(reason, verdict is Verdict.PERMANENT, f"{name} failed {tier} on a window of {WINDOW} samples")


def examine_startup(samples: NDArray[np.uint8]) -> Finding | None:
    """Look for a dead bit line in the start-up samples (n,) uint8: each of the eight bits must be worth half a bit.

    The continuous tests let one dead line of eight pass, as seven good bits are what they expect of a sample.
    """
    cutoff = 1 + binomial_quantile(samples.size, Fraction(1, 2), PERMANENT)
    ones = np.unpackbits(samples).reshape(-1, 8).sum(axis=0, dtype=np.int64)
    if int(np.maximum(ones, samples.size - ones).max()) < cutoff:
        return None
    return Finding(Reason.ENTROPY_START, permanent=True, detail="one bit of the samples hardly ever changes")
