import math

import numpy as np
from numpy.typing import NDArray

LENGTH = 128
"""Bits of the likeliest sequence that is looked for (SP 800-90B, 6.3.3, step 3)."""


def markov(bits: NDArray[np.uint8]) -> float:
    """Markov estimate (SP 800-90B, 6.3.3), in bits per bit; alphabet {0, 1}. The standard asks for no bound here.

    A first-order chain is fitted to the bits; of its sequences of 128 bits the likeliest is one of six: all equal,
    all equal but the first, or alternating, each begun with 0 or 1. With p_max its probability,
    H = min(-log2 p_max / 128, 1).

    Args:
        bits: (L,) of 0 and 1, L ≥ 2.
    """
    ones = int(np.count_nonzero(bits))
    pairs = np.bincount(2 * bits[:-1] + bits[1:], minlength=4).reshape(2, 2)
    start = [_surprisal(bits.size - ones, bits.size), _surprisal(ones, bits.size)]
    step = [[_surprisal(int(pairs[a, b]), int(pairs[a].sum())) for b in (0, 1)] for a in (0, 1)]
    half = LENGTH // 2
    costs = [float(LENGTH)]
    for a, b in ((0, 1), (1, 0)):
        costs.append(start[a] + (LENGTH - 1) * step[a][a])
        costs.append(start[a] + step[a][b] + (LENGTH - 2) * step[b][b])
        costs.append(start[a] + half * step[a][b] + (half - 1) * step[b][a])
    return min(costs) / LENGTH


def _surprisal(count: int, total: int) -> float:
    return abs(math.log2(count / total)) if count else math.inf
