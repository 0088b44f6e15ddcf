"""The continuous health tests of SP 800-90B, section 4.4, and two that look where those cannot.

Every test is fed whole windows, any number at once, and says of each window what it would have said had the windows
come one by one. Many at once cost less: the tests must never be what limits a source.
"""

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

Windows = NDArray[np.uint8]
"""(k, WINDOW) samples."""
Verdicts = NDArray[np.uint8]
"""(k,) values of Verdict, one for each window."""


class Verdict(IntEnum):
    """What a test says of the samples so far; the larger value wins."""

    PASS = 0
    INTERMITTENT = 1
    PERMANENT = 2


def judge(counts: NDArray[np.int64], cutoffs: Cutoffs) -> Verdicts:
    """PERMANENT or INTERMITTENT where a count has reached that cutoff, else PASS."""
    return (counts >= cutoffs.intermittent).astype(np.uint8) + (counts >= cutoffs.permanent)


class RepetitionCount:
    """Fails when one value repeats C times in a row (SP 800-90B, 4.4.1). The run carries over from call to call."""

    def __init__(self, entropy: Fraction) -> None:
        """Expect at least `entropy` bits of min-entropy in a sample."""
        self.cutoffs = Cutoffs(repetition_cutoff(entropy, INTERMITTENT), repetition_cutoff(entropy, PERMANENT))
        self._value = -1
        self._run = 0

    def feed(self, windows: Windows) -> Verdicts:
        """Test `windows` (k, WINDOW). Runs are counted only where one of C samples is there to be counted."""
        samples = windows.reshape(-1)
        equal = samples[1:] == samples[:-1]
        if int(samples[0]) == self._value or _in_a_row(equal, self.cutoffs.intermittent - 1):
            return judge(np.array([self._longest(window) for window in windows]), self.cutoffs)
        run = 1
        while run < samples.size and equal[-run]:
            run += 1
        self._value, self._run = int(samples[-1]), run
        return np.zeros(len(windows), np.uint8)

    def _longest(self, window: NDArray[np.uint8]) -> int:
        changes = np.flatnonzero(window[1:] != window[:-1]) + 1
        runs = np.diff(changes, prepend=0, append=window.size)
        if int(window[0]) == self._value:
            runs[0] += self._run
        self._value, self._run = int(window[-1]), int(runs[-1])
        return int(runs.max())


def _in_a_row(flags: NDArray[np.bool_], length: int) -> bool:
    """Whether `length` ≥ 1 flags in a row are set: rows of 1, 2, 4 … are marked, the last step overlaps."""
    marked, rows = flags, 1
    while rows < length:
        step = min(rows, length - rows)
        marked = marked[step:] & marked[:-step]
        rows += step
    return bool(marked.any())


class AdaptiveProportion:
    """Fails when the first value of a window occurs C times in it (SP 800-90B, 4.4.2)."""

    def __init__(self, entropy: Fraction, window: int = WINDOW) -> None:
        """Expect at least `entropy` bits of min-entropy in a sample; `window` is 1024 for samples of one bit."""
        self.cutoffs = Cutoffs(
            proportion_cutoff(window, entropy, INTERMITTENT), proportion_cutoff(window, entropy, PERMANENT)
        )

    def feed(self, windows: Windows) -> Verdicts:
        """Test `windows` (k, W)."""
        return judge((windows == windows[:, :1]).sum(axis=1), self.cutoffs)


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

    def feed(self, windows: Windows) -> Verdicts:
        """Test `windows` (k, WINDOW)."""
        bits = np.unpackbits(windows, axis=1)
        ones = _set_in_each(bits)
        changed = bits[:, 1:] != bits[:, :-1]
        changes = _set_in_each(changed)
        bits.fill(0)
        changed.fill(0)
        size = bits.shape[1]
        return judge(np.maximum.reduce((ones, size - ones, changes, size - 1 - changes)), self.cutoffs)


def _set_in_each(flags: NDArray[np.uint8] | NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.array([np.count_nonzero(row) for row in flags])


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

    def feed(self, windows: Windows) -> Verdicts:
        """Test `windows` (k, WINDOW). Runs of eight are compared only where shorter pieces of them agree."""
        joined = np.concatenate((self._tail, windows.reshape(-1)))
        suspicious = self._tail.size == 0 or self._may_repeat(joined, windows)
        joined.fill(0)
        if suspicious:
            return np.array([self._examine(window) for window in windows], np.uint8)
        self._markers.extend(_runs(windows[:, :MARKER].copy()).tolist())
        self._tail = windows[-1, USABLE.stop :].copy()
        return np.zeros(len(windows), np.uint8)

    def _may_repeat(self, joined: NDArray[np.uint8], windows: Windows) -> bool:
        """Whether any window can fail: never False where one does."""
        markers = np.concatenate((np.fromiter(self._markers, np.uint64), _runs(windows[:, :MARKER].copy())))
        markers.sort()
        if (markers[1:] == markers[:-1]).any():
            return True
        halves = np.ascontiguousarray(sliding_window_view(joined, MARKER // 2)).view(np.uint32)
        halves = halves[: windows.size].reshape(windows.shape)
        known = np.zeros(1 << 16, np.bool_)
        known[_pairs(markers)] = True
        candidates = known[_pairs(halves)]
        candidates[:, MARKER - 1] = False  # each window begins with its own marker
        places = np.flatnonzero(candidates)
        runs = _runs(sliding_window_view(joined, MARKER)[places])
        halves.sort(axis=1)
        again = (halves[:, 1:] == halves[:, :-1]).any() or _any_of(runs, markers)
        halves.fill(0)
        runs.fill(0)
        return bool(again)

    def _examine(self, window: NDArray[np.uint8]) -> Verdict:
        joined = np.concatenate((self._tail, window))
        runs = _runs(np.ascontiguousarray(sliding_window_view(joined, MARKER)))
        known = np.sort(np.fromiter(self._markers, np.uint64))
        self._markers.append(int(runs[self._tail.size]))
        self._tail = window[USABLE.stop :].copy()
        runs.sort()
        again = bool((runs[1:] == runs[:-1]).any()) or (known.size > 0 and _any_of(runs, known))
        joined.fill(0)
        runs.fill(0)
        return Verdict.INTERMITTENT if again else Verdict.PASS


def _runs(samples: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(n, MARKER) contiguous samples as n numbers."""
    return samples.view(np.uint64).reshape(-1)


def _any_of(runs: NDArray[np.uint64], ascending: NDArray[np.uint64]) -> bool:
    places = np.minimum(np.searchsorted(ascending, runs), ascending.size - 1)
    return bool((ascending[places] == runs).any())


def _pairs(numbers: NDArray[np.uint64] | NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Two samples of each, the same two whatever the width."""
    return numbers.astype(np.uint16)
