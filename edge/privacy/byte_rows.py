"""The rows of each cell of a plane of bytes, mapped by a LUT and added up, in few passes over narrow integers.

A plane of 640 x 480 bytes fits the processor's cache, and sixteen bytes fit one of its instructions: so the LUT is
applied to all of it in place of one strip after another, in 8 bits while the values fit and in 16 to add them up.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.privacy.lut import ClipLut, LogLut, Lut, ResidualLut

Words = NDArray[np.unsignedinteger]
_BYTE = 255
_WORD = 65535
_LARGEST = 8
"""Bytes of the widest integer."""


def fits_bytes(lut: Lut) -> bool:
    """Whether this LUT of bytes has values of at most 16 bits on the way, so that ByteRows can have it."""
    return not isinstance(lut, ResidualLut) or (lut.range <= _BYTE and lut.max_value <= _BYTE)


class ByteRows:
    """RowSums for planes of uint8."""

    def __init__(self, lut: Lut, cell: int, rows: int, columns: int) -> None:
        """As CellSums. Raises ValueError where `fits_bytes` does not hold."""
        if not fits_bytes(lut):
            raise ValueError("the values of this LUT do not fit into bytes")
        height, width = rows * cell, columns * cell
        self._lut = lut
        self._values = np.zeros((height, width), np.uint16)
        self._bytes = np.zeros((height, width), np.uint8)
        self._table = _table(lut)
        self._limit = np.full((height, width), min(lut.max_value, _BYTE), np.uint8)
        self._base, self._cap, self._lift = _bounds(lut, cell)
        narrow = cell * lut.range <= _WORD
        self._totals = np.zeros((rows, width), np.uint16 if narrow else np.uint32)
        self._wide = self._values if narrow else np.zeros((height, width), np.uint32)
        self._strips = self._wide.reshape(rows, cell, width)
        self._folds = _folds(self._totals, cell)

    def add_rows(self, plane: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.unsignedinteger]:
        """As RowSums.add_rows."""
        height, width = self._values.shape
        self._map(plane[:height, :width])
        if self._wide is not self._values:
            np.copyto(self._wide, self._values)
        np.add.reduce(self._strips, axis=1, out=self._totals)
        sums: NDArray[np.unsignedinteger] = self._totals
        for pairs, halves, folded in self._folds:
            mask = pairs.dtype.type((1 << 4 * pairs.itemsize) - 1)
            np.bitwise_and(pairs, mask, out=folded)
            np.right_shift(pairs, pairs.dtype.type(4 * pairs.itemsize), out=halves)
            np.add(folded, halves, out=folded)
            sums = folded
        return sums

    def wipe(self) -> None:
        """As RowSums.wipe."""
        for buffer in (self._values, self._bytes, self._totals):
            buffer.fill(0)
        if self._wide is not self._values:
            self._wide.fill(0)
        for _, halves, folded in self._folds:
            halves.fill(0)
            folded.fill(0)

    def _map(self, plane: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        """Fill `_values` with the LUT's values of `plane`."""
        if isinstance(self._lut, LogLut | ClipLut):
            if not plane.flags.c_contiguous:  # OpenCV would make a copy that nobody wipes
                np.copyto(self._bytes, plane)
                plane = self._bytes
            cv2.LUT(plane, self._table, dst=self._values)
            return
        np.minimum(plane, self._limit, out=self._bytes)
        if isinstance(self._lut, ResidualLut):
            # max(x - base, 0) without leaving 0..255, then the same with what lies below 0 put back on
            np.maximum(self._bytes, self._base, out=self._bytes)
            np.subtract(self._bytes, self._base, out=self._bytes)
            np.minimum(self._bytes, self._cap, out=self._bytes)
            np.add(self._bytes, self._lift, out=self._bytes)
        np.copyto(self._values, self._bytes)


def _folds(totals: NDArray[np.unsignedinteger], cell: int) -> list[tuple[Words, Words, Words]]:
    """How neighbouring columns of a cell are added: read as one wider integer, two of them are its halves.

    Each fold is (totals read so, a buffer for the upper halves, a buffer for the sums), of twice the width, so nothing
    overflows. Two columns are folded while the cell has an even number left and the integers have less than 64 bits.
    """
    folds = []
    while not cell % 2 and totals.itemsize < _LARGEST:
        wider = totals.view(np.dtype(f"u{2 * totals.itemsize}"))
        folds.append((wider, np.zeros_like(wider), np.zeros_like(wider)))
        totals, cell = folds[-1][2], cell // 2
    return folds


def _table(lut: Lut) -> NDArray[np.uint16]:
    """All 256 values of a LUT that is looked up; values of a byte above max_value count as max_value."""
    values = np.minimum(np.arange(_BYTE + 1), lut.max_value)
    if isinstance(lut, ClipLut):
        return (np.clip(values, lut.low, lut.high) - lut.low).astype(np.uint16)
    return lut.table[values] if isinstance(lut, LogLut) else np.zeros(_BYTE + 1, np.uint16)


def _bounds(lut: Lut, cell: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """For each pixel base+, cap and lift of clamp(x - base, 0, 2·tau) = min(max(x - base+, 0), cap) + lift.

    base = reference - tau; base+ = max(base, 0), lift = max(-base, 0) ≤ tau and cap = 2·tau - lift. Where base ≥ 0 the
    lift is 0 and this is the definition. Where base < 0 it is min(x, 2·tau - lift) + lift = min(x - base, 2·tau).
    """
    if not isinstance(lut, ResidualLut):
        nothing = np.zeros((0, 0), np.uint8)
        return nothing, nothing, nothing
    base = np.repeat(np.repeat(lut.reference - lut.tau, cell, axis=0), cell, axis=1)
    lift = np.maximum(-base, 0)
    return np.maximum(base, 0).astype(np.uint8), (lut.range - lift).astype(np.uint8), lift.astype(np.uint8)
