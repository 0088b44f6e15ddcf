"""Proofs by exhaustion: every tiny video through the real window, every short string of bits through the real sampler.

A release is sums plus noise that knows nothing of the video, so the privacy loss between two videos at a release y is
(‖y - S'‖₁ - ‖y - S‖₁) / t, a rational number. Nothing here rounds.
"""

import hashlib
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge.frame import Frame
from edge.privacy.bits import Bits, Words
from edge.privacy.ledger import Ledger
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.window import Window

Output = TypeVar("Output", bound=Hashable)
Video = NDArray[np.uint8]
Grid = NDArray[np.int64]
TAPE = hashlib.shake_256(b"tape").digest(2048)
"""Any bytes will do: the noise they make is the same in each window, and is taken off again."""


class Tape:
    """A pool that gives the same bytes again and again."""

    def __init__(self, tape: bytes = TAPE) -> None:
        self._tape = tape
        self._position = 0

    def take(self, n: int) -> bytearray:
        """The next n bytes of the tape."""
        start = self._position
        self._position += n
        length = len(self._tape)
        return bytearray(self._tape[i % length] for i in range(start, start + n))


class Played:
    """A camera that plays one video."""

    def __init__(self, video: Video) -> None:
        self._frames = iter(video)

    def read(self, plane: NDArray[np.uint8] | NDArray[np.uint16], deadline: float) -> None:  # noqa: ARG002 - Camera
        """Fill the plane with the next frame."""
        plane[...] = next(self._frames)


def all_videos(frames: int, height: int, width: int, values: Sequence[int]) -> Iterator[Video]:
    """Every video of this size with pixels from `values`: (frames, height, width) uint8."""
    for pixels in product(values, repeat=frames * height * width):
        yield np.array(pixels, np.uint8).reshape(frames, height, width)


def exposure(video: Video, other: Video) -> int:
    """E: the number of (pixel, frame) pairs in which two videos differ."""
    return int(np.count_nonzero(video != other))


def window_sums(ledger: Ledger, level: str, mechanism: Mechanism, video: Video) -> Grid:
    """What a window really sums: its release less the noise that went in. The video has N frames."""
    receipt = ledger.charge(level, mechanism, ledger.next_frame)
    window = Window(receipt, Noise.draw(mechanism, Tape()))
    _, height, width = video.shape
    frame, camera = Frame(height, width, np.uint8), Played(video)
    for _ in range(mechanism.frames):
        frame.fill(camera, 0)
        window.add(frame)
    return window.close().sums - known_noise(mechanism)


def known_noise(mechanism: Mechanism) -> Grid:
    """The noise that the tape makes for a mechanism."""
    return Noise.draw(mechanism, Tape()).redeem()


def largest_loss(sums: Grid, other: Grid, scale: int, margin: int = 2) -> Fraction:
    """The largest |ln P[y | S] / P[y | S']| over all releases y, found by trying them.

    Cells are independent, so the largest of each is looked for by itself, over every y from `margin` below both sums
    to `margin` above; further out nothing changes.
    """
    gain = loss = 0
    for s, t in zip(sums.ravel().tolist(), other.ravel().tolist(), strict=True):
        tried = [abs(y - t) - abs(y - s) for y in range(min(s, t) - margin, max(s, t) + margin + 1)]
        gain += max(tried)
        loss += min(tried)
    return Fraction(max(gain, -loss), scale)


class TapeEnds(Exception):
    """A sampler asked for `missing` more bits than the string has."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} bits are missing")
        self.missing = missing


class BitString:
    """A string of bits to sample from."""

    def __init__(self, value: int, length: int) -> None:
        self._value = value
        self._left = length

    def bits(self, count: int) -> int:
        """The next `count` bits. Raises TapeEnds where there are fewer."""
        if count > self._left:
            raise TapeEnds(count - self._left)
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def words(self, count: int, width: int) -> Words:
        """`count` times the next `width` bits. Raises TapeEnds where there are fewer."""
        return np.array([self.bits(width) for _ in range(count)], np.uint64)

    @property
    def left(self) -> int:
        """How many bits were not used."""
        return self._left


@dataclass(frozen=True, slots=True)
class Masses(Generic[Output]):
    """What a sampler does with all strings of bits up to a length: exact, dyadic.

    decided: the mass of each output. open: the mass of strings that are too short to decide.
    """

    decided: dict[Output, Fraction]
    open: Fraction


def enumerate_sampler(sampler: Callable[[Bits], Output], depth: int) -> Masses[Output]:
    """The masses of a sampler over the decision tree of its bits, down to `depth`."""
    decided: dict[Output, Fraction] = {}
    undecided = Fraction(0)
    branches = [(0, 0)]
    while branches:
        value, length = branches.pop()
        source = BitString(value, length)
        try:
            output = sampler(source)
        except TapeEnds as end:
            if length + end.missing > depth:
                undecided += Fraction(1, 2**length)
            else:
                first = value << end.missing
                branches += [(first + more, length + end.missing) for more in range(1 << end.missing)]
            continue
        if source.left:
            raise AssertionError("a shorter string had decided already")
        decided[output] = decided.get(output, Fraction(0)) + Fraction(1, 2**length)
    return Masses(decided, undecided)


def exp_bounds(x: Fraction, terms: int = 24) -> tuple[Fraction, Fraction]:
    """Rational bounds of e^-x for x ≥ 0, near e^-(x/n) to the n-th: there the series alternates and falls."""
    parts = max(1, math.ceil(x))
    total, term = Fraction(0), Fraction(1)
    for k in range(1, terms + 1):
        total += term
        term *= -x / parts / k
    low, high = _down(min(total, total + term)), _up(max(total, total + term))
    return low**parts, high**parts


def laplace_bounds(z: int, scale: Fraction) -> tuple[Fraction, Fraction]:
    """Rational bounds of P[Z = z] = (1 - p) / (1 + p) · p^|z|, p = e^(-1/scale)."""
    low, high = exp_bounds(1 / scale)
    return (1 - high) / (1 + high) * low ** abs(z), (1 - low) / (1 + low) * high ** abs(z)


def gaussian_bounds(z: int, variance: Fraction) -> tuple[Fraction, Fraction]:
    """Rational bounds of P[Z = z] = e^(-z²/2σ²) / Σ, for σ² ≤ 2^10.

    Beyond |z| = 12σ + 12 lies less than 2^-100 of what is summed. All is rounded outwards to multiples of 2^-256.
    """
    low, high = exp_bounds(1 / (2 * variance))  # and e^-(m+1)²c is e^-m²c · e^-(2m+1)c
    weights, ratio, square = [(Fraction(1), Fraction(1))], (low, high), (low * low, high * high)
    while len(weights) < max(abs(z) + 1, 12 * (math.isqrt(math.ceil(variance)) + 2)):
        weights.append((_down(weights[-1][0] * ratio[0]), _up(weights[-1][1] * ratio[1])))
        ratio = (_down(ratio[0] * square[0]), _up(ratio[1] * square[1]))
    low_sum = 2 * sum(low for low, _ in weights) - 1
    high_sum = 2 * sum(high for _, high in weights) - 1 + Fraction(1, 2**100)
    return weights[abs(z)][0] / high_sum, weights[abs(z)][1] / low_sum


def _down(x: Fraction) -> Fraction:
    return Fraction(math.floor(x * 2**256), 2**256)


def _up(x: Fraction) -> Fraction:
    return Fraction(math.ceil(x * 2**256), 2**256)
