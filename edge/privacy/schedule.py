"""Around what the next residual window is, and how wide: chosen from releases, so it costs nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.privacy.lut import ResidualLut
from edge.privacy.mechanism import Mechanism


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a residual window compares with.

    values: (rows, columns) int64 in 0..max_value, made of releases only.
    wide: whether the window takes the level's whole τ, or half of it.
    """

    values: NDArray[np.int64]
    wide: bool

    def tau(self, widest: int) -> int:
        """τ of the window, where a level's widest is at least 1."""
        wide, narrow = taus(widest)
        return wide if self.wide else narrow


def taus(widest: int) -> tuple[int, int]:
    """The two that a level's windows may have: the widest, and half of it, rounded up."""
    return widest, (widest + 1) // 2


def next_is_wide(sums: NDArray[np.int64], mechanism: Mechanism) -> bool:
    """Whether the window after this release needs the whole τ (docs/proofs/residual.md, section 6).

    Yes after an absolute window, whose map is noisy; and where more than a quarter of the cells lie further than τ/2
    from the reference: a place that moves so far in one window would soon leave a narrow one behind.
    """
    lut = mechanism.lut
    if not isinstance(lut, ResidualLut):
        return True
    middle = lut.tau * mechanism.frames * mechanism.cell**2
    far = int(np.count_nonzero(np.abs(sums - middle) > middle // 2))
    return 4 * far > sums.size
