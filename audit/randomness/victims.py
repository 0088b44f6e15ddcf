"""Pictures noised as people do who take the random numbers that are at hand."""

import math
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.int64]
TABLE_BITS = 16
TABLE_SCALE = 64
_FAR = 640
CLOCK_SCALE = 2550
"""Of the clock's victim: ε = 0.1 for a pixel, on paper."""


class Words(Protocol):
    """A generator of 32-bit words, such as numpy.random.RandomState."""

    def randint(self, low: int, high: int, size: int, dtype: type) -> NDArray[np.uint32]:
        """`size` integers in low..high - 1."""
        ...


def room(height: int = 240, width: int = 320) -> Picture:
    """A drawn room with somebody in it: (height, width) int64 in 0..255."""
    rows, columns = np.mgrid[0:height, 0:width]
    picture: NDArray[np.uint8] = (150 + 40 * np.sin(columns / 40) + rows / 8).astype(np.uint8)
    cv2.rectangle(picture, (20, 30), (110, 110), 225, -1)
    cv2.rectangle(picture, (20, 30), (110, 110), 60, 3)
    cv2.rectangle(picture, (215, 60), (300, 235), 95, -1)
    cv2.circle(picture, (290, 150), 4, 220, -1)
    cv2.rectangle(picture, (0, 205), (width, height), 110, -1)
    cv2.ellipse(picture, (165, 190), (34, 75), 0, 0, 360, 45, -1)
    cv2.circle(picture, (165, 95), 24, 190, -1)
    cv2.putText(picture, "WARD 3", (30, 78), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 40, 2)
    return picture.astype(np.int64)


def noised_by_the_clock(picture: Picture, second: int) -> Picture:
    """Laplace noise from a generator whose seed is the time in seconds."""
    generator = np.random.RandomState(second)
    return picture + np.rint(generator.laplace(0, CLOCK_SCALE, picture.size)).astype(np.int64).reshape(picture.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Discrete Laplace noise by a table of 2^16 entries: `starts[i]` is the first entry of noise i - 640."""

    starts: NDArray[np.int64]

    @classmethod
    def make(cls) -> "Table":
        """The table of scale 64."""
        weights = np.array([math.exp(-abs(z) / TABLE_SCALE) for z in range(-_FAR, _FAR + 1)])
        slots = np.maximum(1, np.floor(weights / weights.sum() * 2**TABLE_BITS)).astype(np.int64)
        slots[_FAR] += 2**TABLE_BITS - slots.sum()
        return cls(np.concatenate(([0], np.cumsum(slots))))

    def noise(self, generator: Words, count: int) -> NDArray[np.int64]:
        """(count,) noise: the upper 16 bits of a word choose an entry."""
        words = generator.randint(0, 2**32, size=count, dtype=np.uint32)
        return np.searchsorted(self.starts, words >> TABLE_BITS, side="right") - 1 - _FAR

    def known_bits(self, noise: int) -> tuple[int, int]:
        """How many leading bits of the word a noise value gives away, and their value.

        None for a value that this table never gives: exact noise has no largest value.
        """
        if abs(noise) > _FAR:
            return 0, 0
        first, last = int(self.starts[noise + _FAR]), int(self.starts[noise + _FAR + 1]) - 1
        count = TABLE_BITS - (first ^ last).bit_length()
        return count, first >> TABLE_BITS - count
