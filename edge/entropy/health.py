"""The continuous health tests of SP 800-90B, section 4.4, and two that look where those cannot."""

from collections import deque
from enum import IntEnum
from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge.entropy.cutoffs import (
    INTERMITTENT,
    PERMANENT,
    Cutoffs,
    binomial_quantile,
    proportion_cutoff,
    repetition_cutoff,
)

WINDOW = 512
"""Samples of one window, for samples of more than one bit (SP 800-90B, 4.4.2)."""
MARKER = 8
"""Samples in a row that RepeatedBlock compares."""
USABLE = slice(MARKER, WINDOW - (MARKER - 1))
"""The samples of a window that may become output: not those that RepeatedBlock remembers after the window."""
REMEMBERED = 256
"""Windows whose marker is remembered: 128 KiB of samples, twice the period of a 16-bit shift register."""

Samples = NDArray[np.uint8]


class Verdict(IntEnum):
    """What a test says of the samples so far; the larger value wins."""

    PASS = 0
    INTERMITTENT = 1
    PERMANENT = 2


def judge(count: int, cutoffs: Cutoffs) -> Verdict:
    """PERMANENT or INTERMITTENT where the count has reached that cutoff, else PASS."""
    if count >= cutoffs.permanent:
        return Verdict.PERMANENT
    return Verdict.INTERMITTENT if count >= cutoffs.intermittent else Verdict.PASS


class RepetitionCount:
    """Fails when one value repeats C times in a row (SP 800-90B, 4.4.1). The run carries over from call to call."""

    def __init__(self, entropy: Fraction) -> None:
        """Expect at least `entropy` bits of min-entropy in a sample."""
        self.cutoffs = Cutoffs(repetition_cutoff(entropy, INTERMITTENT), repetition_cutoff(entropy, PERMANENT))
        self._value = -1
        self._run = 0

    def feed(self, samples: Samples) -> Verdict:
        """Test `samples` (n,) uint8, any n."""
        if samples.size == 0:
            return Verdict.PASS
        changes = np.flatnonzero(samples[1:] != samples[:-1]) + 1
        runs = np.diff(changes, prepend=0, append=samples.size)
        if int(samples[0]) == self._value:
            runs[0] += self._run
        self._value, self._run = int(samples[-1]), int(runs[-1])
        return judge(int(runs.max()), self.cutoffs)


class AdaptiveProportion:
    """Fails when the first value of a window occurs C times in it (SP 800-90B, 4.4.2). Windows span calls."""

    def __init__(self, entropy: Fraction, window: int = WINDOW) -> None:
        """Expect at least `entropy` bits of min-entropy in a sample; `window` is 1024 for samples of one bit."""
        self.cutoffs = Cutoffs(
            proportion_cutoff(window, entropy, INTERMITTENT), proportion_cutoff(window, entropy, PERMANENT)
        )
        self._window = window
        self._seen = 0
        self._first = -1
        self._count = 0

    def feed(self, samples: Samples) -> Verdict:
        """Test `samples` (n,) uint8, any n."""
        verdict = Verdict.PASS
        start = 0
        while start < samples.size:
            if self._seen == 0:
                self._first, self._count = int(samples[start]), 0
            part = samples[start : start + self._window - self._seen]
            self._count += int(np.count_nonzero(part == self._first))
            verdict = max(verdict, judge(self._count, self.cutoffs))
            self._seen = (self._seen + part.size) % self._window
            start += part.size
        return verdict


class BitPrediction:
    """Fails when one of four simple predictors knows the bits of a window too well.

    The predictors say that the next bit is 1, is 0, equals the last bit, differs from the last bit. A bit of H bits
    of min-entropy is predicted with probability at most 2^-H, so over the bits of a window the hits stay below
    1 + CRITBINOM(bits, 2^-H, 1 - alpha). Bytes hide a bias of bits from the other tests: bits that are 1 with
    probability 0.6 make a byte whose likeliest value has probability 0.6^8 = 1.7 %, which 512 samples cannot show.
    """

    def __init__(self, entropy: Fraction) -> None:
        """Expect at least `entropy` bits of min-entropy, at most 1, in each bit."""
        bits = 8 * WINDOW
        self.cutoffs = Cutoffs(
            1 + binomial_quantile(bits, entropy, INTERMITTENT), 1 + binomial_quantile(bits, entropy, PERMANENT)
        )

    def feed(self, window: Samples) -> Verdict:
        """Test one whole window (WINDOW,) uint8."""
        bits = np.unpackbits(window)
        ones = int(np.count_nonzero(bits))
        changes = int(np.count_nonzero(bits[1:] != bits[:-1]))
        hits = max(ones, bits.size - ones, changes, bits.size - 1 - changes)
        bits.fill(0)
        return judge(hits, self.cutoffs)


class RepeatedBlock:
    """Fails when eight samples in a row have been seen before: a buffer that is served again, a short-period generator.

    Within a window all runs of eight are compared, and all of them with the first eight samples of earlier windows.
    What is remembered, those eight and the last seven of the window before, lies outside USABLE, so that nothing
    kept here can tell what became output. By chance a source of 7 bits in a sample repeats with probability below
    2^-37 in a window.
    """

    def __init__(self) -> None:
        self._markers: deque[int] = deque(maxlen=REMEMBERED)
        self._tail = np.empty(0, np.uint8)

    def feed(self, window: Samples) -> Verdict:
        """Test one whole window (WINDOW,) uint8."""
        joined = np.concatenate((self._tail, window))
        runs = np.ascontiguousarray(sliding_window_view(joined, MARKER)).view(np.uint64).ravel()
        known = np.fromiter(self._markers, np.uint64, len(self._markers))
        self._markers.append(int(runs[self._tail.size]))
        self._tail = window[USABLE.stop :].copy()
        runs.sort()
        places = np.minimum(np.searchsorted(runs, known), runs.size - 1)
        again = bool((runs[1:] == runs[:-1]).any() or (runs[places] == known).any())
        joined.fill(0)
        runs.fill(0)
        return Verdict.INTERMITTENT if again else Verdict.PASS
