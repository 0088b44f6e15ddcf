import numpy as np
from numpy.typing import NDArray

from edge.entropy.estimators import bound


def most_common_value(samples: NDArray[np.uint8]) -> float:
    """Most common value estimate (SP 800-90B, 6.3.1), in bits per sample; any alphabet.

    H = -log2 p_u, where p_u is the upper 99 % bound of p̂ = (count of the commonest value) / L.

    Args:
        samples: (L,) with L ≥ 2.
    """
    return bound.bits(bound.upper(int(np.bincount(samples).max()) / samples.size, samples.size))
