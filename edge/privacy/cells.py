"""Exact cell sums of one secret plane, in buffers that are made once and wiped.

Each cell row of the frame is one strip of b x width pixels: it is widened into an integer type that holds b times the
range, mapped by the LUT, and added up over its rows; one pass over all strips then adds the columns of each cell. No
step depends on a pixel's value, apart from which entry of a small table is read.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.privacy.lut import LogLut, Lut, ResidualLut

Plane = NDArray[np.uint8] | NDArray[np.uint16]
Integers = NDArray[np.signedinteger]


class StripMap(Protocol):
    """Applies a LUT to one strip."""

    buffer: Integers

    def load(self, strip: Plane, row: int) -> None:
        """Fill `buffer` (b, width) with the LUT's values of cell row `row`."""
        ...

    def wipe(self) -> None:
        """Overwrite every buffer."""
        ...


class CellSums:
    """Adds the cell sums of planes under one LUT to 64-bit accumulators."""

    def __init__(self, lut: Lut, cell: int, rows: int, columns: int) -> None:
        """For grids of rows x columns cells of cell x cell pixels; the rest of a plane is left out."""
        self._cell = cell
        self._strip: StripMap = _strip_map(lut, cell, rows, columns)
        self._totals = np.zeros((rows, columns * cell), self._strip.buffer.dtype)
        self._wide = np.zeros((rows, columns, cell), np.int64)
        self._sums = np.zeros((rows, columns), np.int64)

    def add(self, plane: Plane, out: NDArray[np.int64]) -> None:
        """Add the sums of one plane (at least rows·b x columns·b pixels) to `out` (rows, columns)."""
        rows, width = self._totals.shape
        buffer = self._strip.buffer
        for row in range(rows):
            self._strip.load(plane[row * self._cell : (row + 1) * self._cell, :width], row)
            np.add.reduce(buffer, axis=0, out=self._totals[row])
        np.copyto(self._wide, self._totals.reshape(self._wide.shape))
        np.add.reduce(self._wide, axis=2, out=self._sums)
        np.add(out, self._sums, out=out)
        self.wipe()

    def wipe(self) -> None:
        """Overwrite what the last plane left behind."""
        self._strip.wipe()
        for buffer in (self._totals, self._wide, self._sums):
            buffer[...] = 0


class _Linear:
    def __init__(self, max_value: int, cell: int, width: int) -> None:
        self._max_value = max_value
        self.buffer: Integers = np.zeros((cell, width), _holding(max(np.iinfo(np.uint16).max, max_value * cell)))

    def load(self, strip: Plane, row: int) -> None:  # noqa: ARG002 - every row has the same LUT
        np.copyto(self.buffer, strip)
        np.minimum(self.buffer, self._max_value, out=self.buffer)

    def wipe(self) -> None:
        self.buffer[...] = 0


class _Log:
    def __init__(self, lut: LogLut, cell: int, width: int) -> None:
        self.buffer: Integers = np.zeros((cell, width), _holding(lut.range * cell))
        self._table = lut.table.astype(self.buffer.dtype)
        self._index = np.zeros((cell, width), np.intp)

    def load(self, strip: Plane, row: int) -> None:  # noqa: ARG002 - every row has the same LUT
        np.copyto(self._index, strip)
        # "clip" maps values above max_value to the table's end, and lets numpy write to `out` without a copy.
        np.take(self._table, self._index, out=self.buffer, mode="clip")

    def wipe(self) -> None:
        self.buffer[...] = 0
        self._index[...] = 0


class _Residual:
    def __init__(self, lut: ResidualLut, cell: int, width: int) -> None:
        self._max_value = lut.max_value
        self._range = lut.range
        largest = max(np.iinfo(np.uint16).max + lut.tau, lut.range * cell)
        self.buffer: Integers = np.zeros((cell, width), _holding(largest))
        base = np.repeat(lut.reference - lut.tau, cell, axis=1)
        self._base = base.astype(self.buffer.dtype)

    def load(self, strip: Plane, row: int) -> None:
        np.copyto(self.buffer, strip)
        np.minimum(self.buffer, self._max_value, out=self.buffer)
        np.subtract(self.buffer, self._base[row], out=self.buffer)
        np.maximum(self.buffer, 0, out=self.buffer)
        np.minimum(self.buffer, self._range, out=self.buffer)

    def wipe(self) -> None:
        self.buffer[...] = 0


def _strip_map(lut: Lut, cell: int, rows: int, columns: int) -> StripMap:
    if isinstance(lut, ResidualLut):
        if lut.reference.shape != (rows, columns):
            raise ValueError("the residual reference has another grid")
        return _Residual(lut, cell, columns * cell)
    if isinstance(lut, LogLut):
        return _Log(lut, cell, columns * cell)
    return _Linear(lut.max_value, cell, columns * cell)


def _holding(largest: int) -> type[np.int32] | type[np.int64]:
    """The narrowest of the two signed types that holds -largest..largest."""
    return np.int32 if largest <= np.iinfo(np.int32).max else np.int64
