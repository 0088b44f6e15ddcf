"""One bit for each block of pixels: whether there is an edge. Nothing else of a frame is ever drawn."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_DOTS: Final = 64
"""Blocks across or down, at most: with the lens of a Camera Module 2 a face two metres away is four of them wide."""
MIN_BLOCK: Final = 4
"""Pixels of a block's side, at least."""
SHARE: Final = 8
"""One block in SHARE may be an edge: the strongest."""
FLOOR: Final = 40
"""An edge changes by at least 1/FLOOR of full range from one neighbour of a block to the other: more than noise."""
BLURS: Final = 2
"""How often the sums are blurred: together as a binomial filter over 5 x 5 blocks does it."""
GAIN: Final = 16**BLURS
"""What the weights of all blurs add up to."""

Plane = NDArray[np.uint8] | NDArray[np.uint16]


class EdgeFinder:
    """Finds edges in frames of one size, in memory of its own that `wipe` overwrites.

    A frame becomes sums over blocks, those are blurred over 5 x 5 blocks, and a block is an edge where the blurred sums
    beside it and above and below it differ by most.
    """

    def __init__(self, height: int, width: int, max_value: int, *, dots: tuple[int, int]) -> None:
        """For planes (height, width) with values up to max_value, drawn with at most `dots` (down, across)."""
        down, across = (max(1, min(each, MAX_DOTS)) for each in dots)
        self.block = max(MIN_BLOCK, -(-height // down), -(-width // across))
        self.shape = height // self.block, width // self.block
        self._floor = 2 * GAIN * self.block**2 * max_value // FLOOR
        rows, columns = self.shape
        self._sums = np.zeros((rows + 2, columns + 2), np.int64)
        self._half = np.zeros((rows + 2, columns + 2), np.int64)
        self._slope = np.zeros(self.shape, np.int64)
        self._other = np.zeros(self.shape, np.int64)
        self._order = np.zeros(rows * columns, np.int64)

    def find(self, plane: Plane) -> NDArray[np.bool_]:
        """The edges (down, across) of one frame. The caller wipes when the frame is done with."""
        rows, columns = self.shape
        b = self.block
        blocks = plane[: rows * b, : columns * b].reshape(rows, b, columns, b)
        np.sum(blocks, axis=(1, 3), dtype=np.int64, out=self._sums[1:-1, 1:-1])
        for _ in range(BLURS):
            self._extend()
            self._blur()
        self._extend()
        sums = self._sums
        np.subtract(sums[1:-1, 2:], sums[1:-1, :-2], out=self._slope)
        np.abs(self._slope, out=self._slope)
        np.subtract(sums[2:, 1:-1], sums[:-2, 1:-1], out=self._other)
        np.abs(self._other, out=self._other)
        self._slope += self._other
        return self._slope > self._threshold()

    def wipe(self) -> None:
        """Overwrite everything that came from a frame."""
        for array in (self._sums, self._half, self._slope, self._other, self._order):
            array.fill(0)

    def _extend(self) -> None:
        """Repeat the outermost blocks, so that the border of the picture is no edge."""
        sums = self._sums
        sums[0], sums[-1] = sums[1], sums[-2]
        sums[:, 0], sums[:, -1] = sums[:, 1], sums[:, -2]

    def _blur(self) -> None:
        """Weights 1 2 1 across, then down."""
        sums, half = self._sums, self._half
        half.fill(0)
        for part, weight in ((slice(None, -2), 1), (slice(1, -1), 2), (slice(2, None), 1)):
            for _ in range(weight):
                half[:, 1:-1] += sums[:, part]
        inside = sums[1:-1, 1:-1]
        inside.fill(0)
        for part, weight in ((slice(None, -2), 1), (slice(1, -1), 2), (slice(2, None), 1)):
            for _ in range(weight):
                inside += half[part, 1:-1]

    def _threshold(self) -> int:
        """What only one block in SHARE exceeds, and never below the floor."""
        order = self._order
        np.copyto(order, self._slope.reshape(-1))
        place = order.size - 1 - order.size // SHARE
        order.partition(place)
        return max(int(order[place]), self._floor)
