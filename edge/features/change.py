"""Which cells of a place have changed between two maps with known noise: means over 3 x 3 cells, at a stated rate.

A block counts where its mean lies beyond what chance gives one of all blocks of a map at the stated rate. A change
that is smaller than that costs less, in mean square, than the noise that fusing saves.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edge.features.tails import threshold

REACH = 1
"""Blocks have 2 · REACH + 1 cells along a side."""
BESIDE = math.log(1e-3)
"""Chance by which a block beside a changed one counts too: the rim of what has changed is weaker than its middle."""
ROUNDS = 3
"""How many blocks further the rim may reach."""


def changed_cells(
    deviations: NDArray[np.float64], known: NDArray[np.bool_], parts: float, chance: float
) -> NDArray[np.bool_]:
    """The cells of all blocks that differ: (rows, columns). With noise alone, none but with `chance` at most.

    Args:
        deviations: (rows, columns) difference of two maps over its standard deviation.
        known: where there is a difference at all. Other cells count in no block.
        parts: how many Laplace noises the noise of each cell is made of, as in `tails`.
        chance: of any cell at all by noise alone.
    """
    counts = _box(known.astype(np.float64))
    cells = np.rint(counts).astype(np.intp)
    means = np.abs(_box(np.where(known, deviations, 0.0))) / np.sqrt(np.maximum(counts, 1))
    blocks = int(np.count_nonzero(cells))
    if not blocks:
        return np.zeros(known.shape, np.bool_)
    one = math.log(chance / (2 * blocks))
    off = means > _limits(cells, parts, one)
    if off.any():
        weak = means > _limits(cells, parts, BESIDE)
        for _ in range(ROUNDS):
            off |= weak & (_box(off.astype(np.float64)) > 0.5)
    found: NDArray[np.bool_] = (_box(off.astype(np.float64)) > 0.5) & known
    return found


def _limits(cells: NDArray[np.intp], parts: float, log_chance: float) -> NDArray[np.float64]:
    table = [math.inf, *(threshold(n, parts, log_chance) for n in range(1, (2 * REACH + 1) ** 2 + 1))]
    return np.array(table)[cells]


def _box(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the block around each cell; beyond the edge there is nothing."""
    rows, columns = values.shape
    padded = np.pad(values, REACH)
    side = 2 * REACH + 1
    along: NDArray[np.float64] = sum((padded[i : i + rows] for i in range(1, side)), padded[:rows].copy())
    total: NDArray[np.float64] = sum((along[:, j : j + columns] for j in range(1, side)), along[:, :columns].copy())
    return total
