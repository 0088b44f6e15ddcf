"""Bits as braille: two dots across and four down in one character."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

BLANK: Final = 0x2800
"""The first character of Unicode's Braille Patterns; each dot of a character is one bit above it."""
DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.int32)
ACROSS, DOWN = 2, 4


def braille(bits: NDArray[np.bool_]) -> list[str]:
    """Lines of characters whose dots are the bits (down, across); what is missing at the ends is blank."""
    rows, columns = (-(-size // step) for size, step in zip(bits.shape, (DOWN, ACROSS), strict=True))
    whole = np.zeros((rows * DOWN, columns * ACROSS), np.int32)
    whole[: bits.shape[0], : bits.shape[1]] = bits
    codes = BLANK + (whole.reshape(rows, DOWN, columns, ACROSS) * DOTS[:, None, :]).sum(axis=(1, 3))
    return ["".join(map(chr, line)) for line in codes.tolist()]


def with_grid(bits: NDArray[np.bool_], block: int, cell: int) -> NDArray[np.bool_]:
    """The bits with dotted lines where cells of `cell` pixels begin, for blocks of `block` pixels."""
    drawn = bits.copy()
    for axis in (0, 1):
        size = bits.shape[axis] * block
        lines = [edge // block for edge in range(cell, size, cell)]
        turned = drawn if axis == 0 else drawn.T
        turned[lines, ::3] = True
    return drawn
