"""How strong noise alone makes a block: the threshold that gives a stated number of false keypoints.

The table is measured, as a maximum over cells and scales has no textbook law:
`python -m benchmarks.features.lattice_tail` makes it again. Each row holds the natural logarithm of the share of blocks
that exceed 0, STEP, 2 · STEP ...; beyond its end it goes on as it last fell.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STEP = 0.25
COUNT = 64
RIM = 3
"""Blocks nearer than this to a border, of which the map is mirrored, are stronger by chance."""
LAPLACE_EXCESS = 3.0
# fmt: off
LAPLACE_INSIDE: tuple[float, ...] = (
    0.000, 0.000, 0.000, -0.013, -0.104, -0.343, -0.723, -1.199, -1.724, -2.275, -2.843, -3.427, -4.033,
    -4.657, -5.296, -5.951, -6.588, -7.246, -7.873, -8.541, -9.199, -9.836, -10.484, -11.022, -11.970,
    -12.839,
)
LAPLACE_RIM: tuple[float, ...] = (
    0.000, 0.000, -0.001, -0.018, -0.111, -0.331, -0.678, -1.124, -1.636, -2.194, -2.778, -3.380, -3.994,
    -4.624, -5.249, -5.892, -6.536, -7.157, -7.831, -8.470, -9.101, -9.673, -10.231, -10.800, -11.392,
    -11.878,
)
GAUSS_INSIDE: tuple[float, ...] = (
    0.000, 0.000, 0.000, -0.009, -0.089, -0.316, -0.700, -1.198, -1.761, -2.369, -3.022, -3.732, -4.499,
    -5.335, -6.239, -7.225, -8.277, -9.371, -10.568, -11.766, -13.006,
)
GAUSS_RIM: tuple[float, ...] = (
    0.000, 0.000, 0.000, -0.013, -0.090, -0.297, -0.647, -1.117, -1.679, -2.315, -3.007, -3.754, -4.571,
    -5.464, -6.411, -7.384, -8.416, -9.538, -10.779, -11.760,
)
# fmt: on


@lru_cache(maxsize=64)
def threshold(rows: int, columns: int, expected_false: float, excess: float) -> float:
    """The strength that noise alone exceeds in `expected_false` blocks of a map, on average.

    Args:
        rows: of blocks, at least 1.
        columns: likewise.
        expected_false: above 0; 0 is the answer where it is no less than the number of blocks.
        excess: excess kurtosis of one cell's noise, 0..3: logarithms are interpolated between those of Gaussian and
            Laplace noise, and Laplace noise's hold for more.
    """
    if min(rows, columns) < 1 or expected_false <= 0 or excess < 0:
        raise ValueError("the expected number of false keypoints is above 0, and the excess kurtosis at least 0")
    rim = int(np.count_nonzero(rim_of(rows, columns)))
    inside = rows * columns - rim
    share = min(1.0, excess / LAPLACE_EXCESS)
    last = math.inf
    for step in range(COUNT * 4):
        log_inside = (1 - share) * at(GAUSS_INSIDE, step) + share * at(LAPLACE_INSIDE, step)
        log_rim = (1 - share) * at(GAUSS_RIM, step) + share * at(LAPLACE_RIM, step)
        now = math.log(inside * math.exp(log_inside) + rim * math.exp(log_rim))
        wanted = math.log(expected_false)
        if now <= wanted:
            return STEP * step if step == 0 else STEP * (step - (wanted - now) / (last - now))
        last = now
    return STEP * COUNT * 4


def at(row: tuple[float, ...], step: int) -> float:
    """A row's value at a step, also beyond its end."""
    beyond = step - len(row) + 1
    return row[step] if beyond <= 0 else row[-1] + beyond * (row[-1] - row[-2])


def rim_of(rows: int, columns: int) -> NDArray[np.bool_]:
    """(rows, columns) whether a block is nearer than RIM to a border."""
    rim = np.ones((rows, columns), bool)
    rim[RIM:-RIM, RIM:-RIM] = False
    return rim
