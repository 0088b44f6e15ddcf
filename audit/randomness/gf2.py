"""Linear equations over two elements, by the tens of thousands, with 64 columns eliminated at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
_WORD = 64
_ROWS = 256
"""Rows worked on together, so that they stay in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """bits: (columns,) uint8, one solution, with free unknowns 0. contradictions: equations that it cannot meet."""

    bits: NDArray[np.uint8]
    rank: int
    contradictions: int


def solve(equations: Bits, columns: int, progress: Callable[[float], None] = lambda _: None) -> Solution:
    """Solve packed equations by elimination (the method of the Four Russians).

    Args:
        equations: (n, words + 1) uint64, overwritten; bit j of word i is the coefficient of unknown 64·i + j, and
            bit 0 of the last word is the right-hand side.
        columns: how many unknowns, at most 64 · words.
        progress: is told the share of the work that is done.
    """
    words = equations.shape[1] - 1
    pivots: list[tuple[int, Bits]] = []
    rest = equations
    for word in range(words):
        chosen, sums = _pivots(rest[:, word].copy())
        _add(rest, rest[[row for row, _ in chosen]].copy(), sums, word)
        pivots += [(_WORD * word + bit, rest[row].copy()) for row, bit in chosen]
        keep = np.ones(len(rest), np.bool_)
        keep[[row for row, _ in chosen]] = False
        rest = rest[keep]
        progress((word + 1) / words)
    return Solution(_back(pivots, columns, words), len(pivots), int((rest[:, -1] & np.uint64(1)).sum()))


def _pivots(column: Bits) -> tuple[list[tuple[int, int]], Bits]:
    """Eliminate one word of all equations: (row, bit) of each pivot, and for each row which pivots are added to it."""
    sums = np.zeros(len(column), np.uint64)
    free = np.ones(len(column), np.bool_)
    chosen: list[tuple[int, int]] = []
    for bit in range(_WORD):
        has = np.flatnonzero(free & (column >> np.uint64(bit) & np.uint64(1)).astype(np.bool_))
        if not has.size:
            continue
        row, others = has[0], has[1:]
        column[others] ^= column[row]
        sums[others] ^= sums[row] | np.uint64(1) << np.uint64(len(chosen))
        free[row] = False
        chosen.append((int(row), bit))
    return chosen, sums


def _add(rows: Bits, pivots: Bits, sums: Bits, word: int) -> None:
    """Add to each of `rows` the pivots that its sum names, from `word` on: eight pivots are one look into a table."""
    tables = [_combinations(pivots[first : first + 8, word:]) for first in range(0, len(pivots), 8)]
    for start in range(0, len(rows), _ROWS):
        part, which = rows[start : start + _ROWS, word:], sums[start : start + _ROWS]
        for place, table in enumerate(tables):
            part ^= table[(which >> np.uint64(8 * place) & np.uint64(255)).astype(np.intp)]


def _combinations(rows: Bits) -> Bits:
    """All sums of up to eight rows: (2^n, words), in the order of the bits that name them."""
    table = np.zeros((1 << len(rows), rows.shape[1]), np.uint64)
    for place, row in enumerate(rows):
        table[1 << place : 2 << place] = table[: 1 << place] ^ row
    return table


def _back(pivots: list[tuple[int, Bits]], columns: int, words: int) -> NDArray[np.uint8]:
    """Put the solution in from the last pivot to the first. Pivots are in the order of their columns."""
    known = np.zeros(words, np.uint64)
    for column, row in reversed(pivots):
        parity = int(np.bitwise_xor.reduce(row[:-1] & known)).bit_count() + int(row[-1])
        known[column // _WORD] |= np.uint64(parity & 1) << np.uint64(column % _WORD)
    return np.unpackbits(known.view(np.uint8), bitorder="little")[:columns]
