"""How strong do keypoints of noise alone get? The threshold that lets a stated number of them pass.

The heights of local maxima over cells and scales follow no law of a textbook, so they are measured: the table is made
by `python -m benchmarks.features.corner_tail`, and docs/proofs/corners.md says what is done with it.
"""

import math

LOWEST = 1.5
"""Strength of the first row of the table; no threshold is lower."""
STEP = 0.25
"""Strength from row to row."""
GRAIN = 2**10
"""Thresholds are multiples of 1/GRAIN, so that the last bit of a platform's logarithm does not reach them."""
TABLE: dict[float, tuple[tuple[int, int], ...]] = {
    3.0: (
        (85092, 62754),
        (57753, 47379),
        (38126, 31458),
        (24432, 22225),
        (15683, 13396),
        (10104, 6787),
        (6485, 3123),
        (4085, 1701),
        (2585, 717),
        (1622, 255),
        (1021, 187),
        (642, 87),
        (380, 293),
        (272, 0),
        (164, 2),
        (101, 43),
        (52, 88),
        (26, 101),
        (19, 46),
    ),
    1.5: (
        (88655, 48268),
        (59755, 30668),
        (37846, 22538),
        (23541, 12487),
        (14305, 5782),
        (8491, 2636),
        (4852, 1502),
        (2737, 818),
        (1525, 165),
        (864, 0),
        (454, 70),
        (257, 18),
        (132, 45),
        (77, 0),
        (45, 0),
        (25, 0),
    ),
    0.75: (
        (88913, 62801),
        (58374, 48065),
        (36683, 28822),
        (21978, 16194),
        (12779, 7243),
        (6985, 4397),
        (3866, 537),
        (1978, 231),
        (999, 0),
        (485, 0),
        (224, 32),
        (102, 53),
        (41, 70),
        (24, 6),
        (11, 0),
        (5, 0),
        (2, 0),
    ),
    0.0: (
        (89706, 63223),
        (57456, 51042),
        (34487, 32978),
        (19710, 18124),
        (10634, 8450),
        (5470, 3607),
        (2651, 0),
        (1178, 0),
        (470, 0),
        (187, 0),
        (65, 0),
        (23, 0),
        (9, 0),
    ),
}
"""By excess kurtosis of the noise and strength: keypoints in a million cells, and in a million border cells on top.

A border cell is counted once for each side of the map that it lies on: 2 · (rows + columns) of them.
"""


def threshold(rows: int, columns: int, expected_false: float, excess: float) -> float:
    """The strength that noise alone passes `expected_false` times on a map of this size, on average.

    Where even the first row of the table passes fewer, that row: as many as there can be. Between rows the logarithm
    of the number is taken for linear, and so it is beyond the last.

    Args:
        rows: of the map, at least 1.
        columns: of the map, at least 1.
        expected_false: above 0.
        excess: kurtosis of one cell's noise less 3; the table is for 0 to 3, and the nearest of these is used.
    """
    if min(rows, columns) < 1 or not expected_false > 0:
        raise ValueError("a map has at least one cell, and the expected number of false keypoints is above 0")
    passing = [math.log(number) for number in expected(rows, columns, excess)]
    wanted = math.log(expected_false)
    if wanted >= passing[0]:
        return LOWEST
    row = next((k for k in range(1, len(passing)) if passing[k] <= wanted), len(passing) - 1)
    part = (passing[row - 1] - wanted) / (passing[row - 1] - passing[row])
    return round((LOWEST + STEP * (row - 1 + part)) * GRAIN) / GRAIN


def expected(rows: int, columns: int, excess: float) -> list[float]:
    """How many keypoints of noise alone pass the strengths of the table, on a map of this size."""
    kinds = sorted(TABLE)
    nearest = min(max(excess, kinds[0]), kinds[-1])
    upper = next(k for k in range(1, len(kinds)) if nearest <= kinds[k])
    low, high = (numbers(rows, columns, kinds[k]) for k in (upper - 1, upper))
    part = (nearest - kinds[upper - 1]) / (kinds[upper] - kinds[upper - 1])
    return [a + part * (b - a) for a, b in zip(low, high, strict=False)]


def numbers(rows: int, columns: int, kind: float) -> list[float]:
    """The same for a kind of noise that is in the table."""
    return [(cells * rows * columns + border * 2 * (rows + columns)) / 1e6 for cells, border in TABLE[kind]]
