import math

import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators import bound


def collision(bits: NDArray[np.uint8]) -> float:
    """Collision estimate (SP 800-90B, 6.3.2), in bits per bit; alphabet {0, 1}.

    The string is cut from its beginning into pieces that end at the first repeated value: two bits where they are
    equal, three where not. X̄ is the mean length of v pieces, X̄' = X̄ - Z σ̂ / √v its lower 99 % bound. For bits that
    are 1 with probability p the expected length (step 7) is 2 + 2p(1 - p), so p = 1/2 + √(5/4 - X̄'/2), and H is
    -log2 p, or 1 where X̄' ≥ 5/2 has no solution.

    Args:
        bits: (L,) of 0 and 1, long enough for two pieces.

    Raises:
        ValueError: fewer than two pieces.
    """
    pieces, end = _pieces(bits)
    if pieces < 2:
        raise ValueError("the collision estimate needs two collisions: give it more bits")
    threes = end - 2 * pieces
    mean = end / pieces
    deviation = math.sqrt((4 * (pieces - threes) + 9 * threes - end * mean) / (pieces - 1))
    low = max(2.0, mean - bound.Z * deviation / math.sqrt(pieces))
    return bound.bits(0.5 + math.sqrt(1.25 - low / 2)) if low < 2.5 else 1.0


def _pieces(bits: NDArray[np.uint8]) -> tuple[int, int]:
    """How many pieces there are, and where the last one ends. One step depends on the one before: a plain loop."""
    lengths = bytearray(np.where(bits[:-1] == bits[1:], np.uint8(2), np.uint8(3)))
    pieces = at = 0
    last = bits.size - 3
    while at <= last:
        at += lengths[at]
        pieces += 1
    if at == bits.size - 2 and lengths[at] == 2:
        at, pieces = at + 2, pieces + 1
    lengths[:] = bytes(len(lengths))
    return pieces, at
