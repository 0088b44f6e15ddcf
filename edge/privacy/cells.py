"""Exact cell sums of one secret plane, in buffers that are made once and wiped.

The rows of each cell are added up first, in an integer type that holds b times the range; one pass then adds what is
left of the columns of each cell. Planes of bytes are mapped by the LUT as a whole (`byte_rows.py`), others strip by
strip. No step depends on a pixel's value, apart from which entry of a small table is read.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.privacy.byte_rows import ByteRows, fits_bytes
from edge.privacy.lut import ClipLut, LogLut, Lut, ResidualLut

Plane = NDArray[np.uint8] | NDArray[np.uint16]
Integers = NDArray[np.integer]


class RowSums(Protocol):
    """Adds up the rows of each cell of a plane under one LUT."""

    def add_rows(self, plane: Plane) -> Integers:
        """(rows, columns·k): the sums of k equal parts of each cell, side by side. Good until the next call or wipe."""
        ...

    def wipe(self) -> None:
        """Overwrite every buffer."""
        ...


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
        self._parts: tuple[Lut, int, int, int] = (lut, cell, rows, columns)
        _check_grid(lut, rows, columns)
        self._rows: RowSums | None = None
        self._wide = np.zeros((0, rows, columns), np.int64)
        self._sums = np.zeros((rows, columns), np.int64)

    def add(self, plane: Plane, out: NDArray[np.int64]) -> None:
        """Add the sums of one plane (at least rows·b x columns·b pixels) to `out` (rows, columns)."""
        totals = self._row_sums(plane).add_rows(plane)
        parts = totals.reshape(*out.shape, -1).transpose(2, 0, 1)
        if self._wide.shape != parts.shape:
            self._wide = np.zeros(parts.shape, np.int64)
        np.copyto(self._wide, parts, casting="unsafe")
        np.add.reduce(self._wide, axis=0, out=self._sums)
        np.add(out, self._sums, out=out)
        self.wipe()

    def wipe(self) -> None:
        """Overwrite what the last plane left behind."""
        if self._rows is not None:
            self._rows.wipe()
        for buffer in (self._wide, self._sums):
            buffer.fill(0)

    def _row_sums(self, plane: Plane) -> RowSums:
        """Buffers for planes of this type, which is that of the camera and does not change."""
        if self._rows is None:
            narrow = plane.dtype == np.uint8 and fits_bytes(self._parts[0])
            self._rows = ByteRows(*self._parts) if narrow else _StripRows(*self._parts)
        return self._rows


class _StripRows:
    """RowSums for any plane, one strip of b rows at a time."""

    def __init__(self, lut: Lut, cell: int, rows: int, columns: int) -> None:
        self._cell = cell
        self._strip: StripMap = _strip_map(lut, cell, columns)
        self._totals = np.zeros((rows, columns * cell), self._strip.buffer.dtype)

    def add_rows(self, plane: Plane) -> Integers:
        """As RowSums.add_rows."""
        rows, width = self._totals.shape
        buffer = self._strip.buffer
        for row in range(rows):
            self._strip.load(plane[row * self._cell : (row + 1) * self._cell, :width], row)
            np.add.reduce(buffer, axis=0, out=self._totals[row])
        return self._totals

    def wipe(self) -> None:
        """As RowSums.wipe."""
        self._strip.wipe()
        self._totals.fill(0)


class _Clip:
    """The linear LUT too, which clips to 0..max_value."""

    def __init__(self, low: int, high: int, cell: int, width: int) -> None:
        self._low, self._high = low, high
        largest = max(np.iinfo(np.uint16).max, (high - low) * cell)
        self.buffer: Integers = np.zeros((cell, width), _holding(largest))

    def load(self, strip: Plane, row: int) -> None:  # noqa: ARG002 - every row has the same LUT
        np.copyto(self.buffer, strip)
        np.minimum(self.buffer, self._high, out=self.buffer)
        np.maximum(self.buffer, self._low, out=self.buffer)
        np.subtract(self.buffer, self._low, out=self.buffer)

    def wipe(self) -> None:
        self.buffer.fill(0)


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
        self.buffer.fill(0)
        self._index.fill(0)


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
        self.buffer.fill(0)


def _strip_map(lut: Lut, cell: int, columns: int) -> StripMap:
    if isinstance(lut, ResidualLut):
        return _Residual(lut, cell, columns * cell)
    if isinstance(lut, LogLut):
        return _Log(lut, cell, columns * cell)
    low, high = (lut.low, lut.high) if isinstance(lut, ClipLut) else (0, lut.max_value)
    return _Clip(low, high, cell, columns * cell)


def _check_grid(lut: Lut, rows: int, columns: int) -> None:
    if isinstance(lut, ResidualLut) and lut.reference.shape != (rows, columns):
        raise ValueError("the residual reference has another grid")


def _holding(largest: int) -> type[np.int32] | type[np.int64]:
    """The narrowest of the two signed types that holds -largest..largest."""
    return np.int32 if largest <= np.iinfo(np.int32).max else np.int64
