from dataclasses import dataclass
from fractions import Fraction

from edge.privacy.lut import Lut, ResidualLut
from edge.privacy.sampling.law import Gaussian, Laplace
from wire import loss
from wire.schema import Unit

TAIL = 64
"""Scales of noise that are kept free above the largest sum: each cell passes them with probability below 2e^-64."""
SUM_LIMIT = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Mechanism:
    """How one window turns frames into a release: everything about it that is public.

    lut: the integer function of one pixel. cell: side b of a cell in pixels. rows, columns: the grid; what the frame
    has beyond rows · b and columns · b pixels is left out. frames: N, how many frames are added.
    scale: t of the noise: P[z] ∝ exp(-|z|/t) for discrete Laplace, exp(-z²/2t²) for discrete Gaussian noise.
    """

    lut: Lut
    cell: int
    rows: int
    columns: int
    frames: int
    scale: int
    noise: loss.Noise = "discrete-laplace"

    def __post_init__(self) -> None:
        """Raise ValueError where a number is below 1, the grids differ, or a sum could pass 64 bits."""
        if min(self.cell, self.rows, self.columns, self.frames, self.scale) < 1:
            raise ValueError("cell, rows, columns, frames and scale of a mechanism are at least 1")
        if isinstance(self.lut, ResidualLut) and self.lut.reference.shape != (self.rows, self.columns):
            raise ValueError("the residual reference has another grid")
        if self.largest_sum + TAIL * self.scale > SUM_LIMIT:
            raise ValueError("the sums of this window could pass 64 bits")

    @property
    def slope(self) -> Fraction:
        """λ = R / t: how far, in scales of the noise, one (pixel, frame) pair can move the sums."""
        return Fraction(self.lut.range, self.scale)

    @property
    def law(self) -> Laplace | Gaussian:
        """The law of the noise of each cell."""
        scale = Fraction(self.scale)
        return Laplace(scale) if self.noise == "discrete-laplace" else Gaussian(scale**2)

    def cost(self, unit: Unit) -> Fraction:
        """What each frame of the window costs, by `wire.loss.cost`."""
        return loss.cost(self.noise, self.slope, unit, self.cell, self.frames)

    @property
    def largest_sum(self) -> int:
        """R · b² · N: the largest sum of one cell before noise."""
        return self.lut.range * self.cell**2 * self.frames
