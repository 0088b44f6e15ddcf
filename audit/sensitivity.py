"""How far a presence can move sums: closed forms, and exhaustive search that knows nothing of them.

The forms are those of docs/proofs/sensitivity.md: R is a LUT's range, b the side of a cell. Distances are integers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from edge.privacy.cells import CellSums
from edge.privacy.lut import ClipLut, LinearLut, LogLut, Lut

Pixel = tuple[int, int]


def scattered(lut_range: int, cell: int, pixels: int) -> int:
    """Lemma 2: the largest ‖S - S'‖₂² of any `pixels` pixels of one frame, where there are cells enough."""
    whole, rest = divmod(pixels, cell**2)
    return lut_range**2 * (whole * cell**4 + rest**2)


def box(lut_range: int, cell: int, width: int, height: int) -> tuple[int, int, int]:
    """Lemma 3: the largest ‖S - S'‖₁, ‖S - S'‖₂² and ‖S - S'‖∞ of a box of width x height pixels, at any offset."""
    across, down = _squares(width, cell), _squares(height, cell)
    inside = min(width, cell) * min(height, cell)
    return lut_range * width * height, lut_range**2 * across * down, lut_range * inside


def touched(cell: int, side: int) -> int:
    """Lemma 4: the most cells that `side` pixels in a row can touch along one axis."""
    if side == 1:
        return 1
    return (side - 2) // cell + 2 if cell > 1 else side


def rounded(difference: int, divisor: int) -> int:
    """Lemma 5: the largest difference of two sums that lie `difference` apart, after both are divided and floored."""
    return -(-difference // divisor)


def _squares(side: int, cell: int) -> int:
    whole, rest = divmod(side, cell)
    return whole * cell**2 + rest**2


def search(lut: Lut, cell: int, shape: tuple[int, int], changed: list[tuple[Pixel, ...]]) -> tuple[int, int, int]:
    """The largest ‖S - S'‖₁, ‖S - S'‖₂² and ‖S - S'‖∞ over sets of changed pixels, through the product's own sums.

    Args:
        lut: of bytes; each changed pixel goes from 0 to 255 or back, in every combination of directions.
        cell: side of a cell.
        shape: rows and columns of the frame in pixels.
        changed: the sets to try.
    """
    rows, columns = shape[0] // cell, shape[1] // cell
    sums = CellSums(lut, cell, rows, columns)
    most = (0, 0, 0)
    for pixels in changed:
        for bright in product((0, 255), repeat=len(pixels)):
            one, other = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
            for (row, column), value in zip(pixels, bright, strict=True):
                one[row, column], other[row, column] = value, 255 - value
            distance = np.abs(_sum(sums, one, (rows, columns)) - _sum(sums, other, (rows, columns)))
            found = int(distance.sum()), int((distance**2).sum()), int(distance.max())
            most = max(most[0], found[0]), max(most[1], found[1]), max(most[2], found[2])
    return most


def sets_of(shape: tuple[int, int], pixels: int) -> list[tuple[Pixel, ...]]:
    """Every set of so many pixels."""
    return list(combinations(product(range(shape[0]), range(shape[1])), pixels))


def overlaps(cell: int, side: int) -> Iterator[tuple[int, ...]]:
    """How many of `side` pixels in a row lie in each cell, for every offset: by counting pixels one by one."""
    for offset in range(cell):
        counts: dict[int, int] = {}
        for pixel in range(offset, offset + side):
            counts[pixel // cell] = counts.get(pixel // cell, 0) + 1
        yield tuple(counts.values())


def most_after_flooring(difference: int, divisor: int) -> int:
    """The largest difference after division and flooring, over every pair of sums so far apart (one period of them)."""
    return max((low + difference) // divisor - low // divisor for low in range(divisor))


def squared_by_search(cell: int, width: int, height: int) -> tuple[int, int]:
    """The largest Σ of squared overlaps, and the largest overlap, of a box with the cells, over every offset."""
    across, down = list(overlaps(cell, width)), list(overlaps(cell, height))
    squares = max(sum((u * v) ** 2 for u in one for v in two) for one in across for two in down)
    return squares, max(u * v for one in across for two in down for u in one for v in two)


@dataclass(frozen=True, slots=True)
class Agreement:
    """cases: that were computed in both ways. equal: in how many the two numbers were the same."""

    cases: int
    equal: int


def compare(forms: tuple[Lut, ...] = (LinearLut(255), LogLut.of(255), ClipLut(255, 64, 192))) -> Agreement:
    """Theorem 1 and Lemmas 2 to 5 in both ways, in every case that is small enough to be searched in seconds."""
    pairs: list[tuple[object, object]] = []
    for lut in forms:
        for pixels in range(1, 4):
            found = search(lut, 2, (4, 4), sets_of((4, 4), pixels))
            pairs.append((found[:2], (lut.range * pixels, scattered(lut.range, 2, pixels))))
    for cell in range(1, 9):
        for width, height in product(range(1, 20), (1, 2, cell, cell + 1)):
            pairs.append((squared_by_search(cell, width, height), box(1, cell, width, height)[1:]))
    for cell, side in product(range(1, 25), range(1, 100)):
        pairs.append((max(map(len, overlaps(cell, side))), touched(cell, side)))
    for divisor, difference in product(range(1, 40), range(120)):
        pairs.append((most_after_flooring(difference, divisor), rounded(difference, divisor)))
    return Agreement(len(pairs), sum(one == other for one, other in pairs))


def _sum(sums: CellSums, plane: NDArray[np.uint8], grid: tuple[int, int]) -> NDArray[np.int64]:
    out = np.zeros(grid, np.int64)
    sums.add(plane, out)
    return out
