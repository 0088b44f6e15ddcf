"""Public integer functions of one pixel: what a window sums.

Each maps every value that a plane can hold into 0..range, so that one pixel of one frame moves one cell's sum by at
most `range`. Values above `max_value` count as `max_value`. Integers only. `cells.py` applies them to planes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wire import schema

LOG_RANGE = 1023
"""Range of the log table: 4 steps per grey level of 8-bit luma, so that rounding stays below the sensor's own."""
MAX_VALUE = 65535
"""The largest value of a uint16 plane."""


@dataclass(frozen=True, slots=True)
class LinearLut:
    """min(x, max_value): range max_value. Adds light itself."""

    max_value: int

    def __post_init__(self) -> None:
        """Raise ValueError where max_value is not in 1..65535."""
        _check_max_value(self.max_value)

    @property
    def range(self) -> int:
        """R, the most that one pixel can change a sum by."""
        return self.max_value

    @property
    def spec(self) -> schema.Lut:
        """What the privacy statement says of this LUT."""
        return schema.Lut(name="linear", range=self.range, parameter=0)


@dataclass(frozen=True, slots=True)
class ClipLut:
    """min(max(x, low), high) - low: range high - low. Adds light itself, of a part of the range that is public.

    What is darker than `low` or brighter than `high` counts as them; the smaller range takes less noise.
    """

    max_value: int
    low: int
    high: int

    def __post_init__(self) -> None:
        """Raise ValueError where 0 ≤ low < high ≤ max_value ≤ 65535 does not hold."""
        _check_max_value(self.max_value)
        if not 0 <= self.low < self.high <= self.max_value:
            raise ValueError(
                f"the bounds of a clipped table are {self.low} and {self.high}, not in 0..{self.max_value}"
            )

    @property
    def range(self) -> int:
        """R, the most that one pixel can change a sum by."""
        return self.high - self.low

    @property
    def spec(self) -> schema.Lut:
        """What the privacy statement says of this LUT."""
        return schema.Lut(name="clip", range=self.range, parameter=self.low)


@dataclass(frozen=True, slots=True)
class LogLut:
    """The nearest integer to 1023 · ln(1 + x/offset) / ln(1 + max_value/offset): range 1023.

    Noise on its sums is multiplicative noise on the geometric mean of (x + offset): speckle. `offset` is public; half
    of max_value has 2 to 6 % less error than a quarter (docs/benchmarks/gains.md, "logarithm").
    """

    max_value: int
    offset: int

    def __post_init__(self) -> None:
        """Raise ValueError where max_value is not in 1..65535 or offset not in 1..max_value."""
        _check_max_value(self.max_value)
        if not 1 <= self.offset <= self.max_value:
            raise ValueError(f"the offset of a log table is {self.offset}, not in 1..{self.max_value}")

    @classmethod
    def of(cls, max_value: int) -> "LogLut":
        """The table with offset max_value / 2, rounded up: 128 for 8-bit luma."""
        return cls(max_value, (max_value + 1) // 2)

    @property
    def range(self) -> int:
        """R, the most that one pixel can change a sum by."""
        return LOG_RANGE

    @property
    def table(self) -> NDArray[np.uint16]:
        """T(0)..T(max_value): (max_value + 1,) uint16 in 0..1023, read-only."""
        return log_table(self.max_value, self.offset)

    @property
    def spec(self) -> schema.Lut:
        """What the privacy statement says of this LUT."""
        return schema.Lut(name="log", range=self.range, parameter=self.offset)


@dataclass(frozen=True, slots=True, eq=False)
class ResidualLut:
    """clamp(x - reference[cell], -tau, tau) + tau: range 2·tau. What is far from the reference counts as tau.

    reference: (rows, columns) int64 in 0..max_value, one value per cell, made read-only. It must come from earlier
    releases or from nowhere near the camera: the theorem covers LUTs that are chosen from what is published already.
    """

    reference: NDArray[np.int64]
    tau: int
    max_value: int

    def __post_init__(self) -> None:
        """Raise ValueError where the reference has another shape, dtype or range, or tau is not in 1..max_value."""
        _check_max_value(self.max_value)
        given = self.reference
        if not 1 <= self.tau <= self.max_value:
            raise ValueError(f"tau is {self.tau}, not in 1..{self.max_value}")
        if given.ndim != 2 or given.dtype != np.int64 or not given.size:
            raise ValueError("the reference is not a grid of int64")
        if given.min() < 0 or given.max() > self.max_value:
            raise ValueError(f"the reference is not in 0..{self.max_value}")
        own = given.copy()
        own.flags.writeable = False
        object.__setattr__(self, "reference", own)

    @property
    def range(self) -> int:
        """R, the most that one pixel can change a sum by."""
        return 2 * self.tau

    @property
    def spec(self) -> schema.Lut:
        """What the privacy statement says of this LUT."""
        return schema.Lut(name="residual", range=self.range, parameter=self.tau)


AbsoluteLut = LinearLut | ClipLut | LogLut
Lut = AbsoluteLut | ResidualLut


@lru_cache(maxsize=8)
def log_table(max_value: int, offset: int) -> NDArray[np.uint16]:
    """The table of LogLut, by integers alone, so that it is the same on every machine.

    With V = max_value, a = offset, R = 1023: R · ln((x+a)/a) / ln((V+a)/a) ≥ k - 1/2 exactly where
    (x+a)^(2R) ≥ (V+a)^(2k-1) · a^(2R-2k+1), so T(x) is the largest k for which that holds, or 0.
    """
    top = max_value + offset
    table = np.zeros(max_value + 1, np.uint16)
    bound = top * offset ** (2 * LOG_RANGE - 1)
    before = first = 0
    for k in range(1, LOG_RANGE + 1):
        # The smallest x for k lies about as far from the last one as that lay from the one before.
        before, first = first, min(2 * first - before, max_value)
        while first > before and (first - 1 + offset) ** (2 * LOG_RANGE) >= bound:
            first -= 1
        while (first + offset) ** (2 * LOG_RANGE) < bound:
            first += 1
        table[first:] = k
        if k < LOG_RANGE:
            bound = bound * top**2 // offset**2
    table.flags.writeable = False
    return table


def _check_max_value(max_value: int) -> None:
    if not 1 <= max_value <= MAX_VALUE:
        raise ValueError(f"the largest pixel value is {max_value}, not in 1..{MAX_VALUE}")
