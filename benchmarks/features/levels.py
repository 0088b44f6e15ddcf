"""Levels of noise that maps are measured at, and a map at one of them, by the daemon's own mechanism."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features.denoise import denoise
from edge.features.map import FULL, Map, reference_of, undo
from edge.privacy.lut import LinearLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism

MAX_VALUE = 255
UNIT_PIXELS = 1024
UNIT_SHARE = 1 / 144
"""Of a window: ten minutes of a day."""
COARSEST_LOCAL = 32
"""Cells larger than this leave a whole-map vector only: 640 x 480 pixels are 10 x 7 cells of 64."""


@dataclass(frozen=True, slots=True)
class Level:
    """cell: b, pixels. sd: of one cell's noise after an absolute window, in grey; 0: no noise.

    tau: of the residual window that follows, in grey; 0: the absolute window is what is described.
    """

    cell: int
    sd: float
    tau: int = 0

    @property
    def name(self) -> str:
        return f"b {self.cell} sd {self.sd:g}" + (f" τ {self.tau}" if self.tau else "")

    @property
    def noise(self) -> float:
        """Standard deviation of one cell of the map, in grey: a residual table has a range of 2τ, not of 255."""
        return self.sd * 2 * self.tau / MAX_VALUE if self.tau else self.sd

    @property
    def local(self) -> bool:
        """Whether points are looked for at all."""
        return self.cell <= COARSEST_LOCAL

    @property
    def epsilon(self) -> float:
        """ε for a visit of ten minutes with at most 1024 pixels, were the window a day long; infinite without noise.

        λ = R/t and t = sd · N · b² / √2, so ε = √2 · 255 · 1024 / (144 · sd · b²): 1.0 at b 16, sd 10.
        """
        if not self.sd:
            return math.inf
        return math.sqrt(2) * MAX_VALUE * UNIT_PIXELS * UNIT_SHARE / (self.sd * self.cell**2)


PROFILES = {
    Level(16, 20): "place",
    Level(64, 10): "place, state",
    Level(16, 10): "map-day",
    Level(8, 6): "map-week",
    Level(32, 10): "map-near",
    Level(64, 15): "state-hour",
    Level(64, 22.5): "snapshot",
}
"""Of DESIGN.md section 6. The ε that a profile states differs from `Level.epsilon` where its window or unit does."""
FURTHER = (Level(16, 2.5), Level(16, 5), Level(16, 40), Level(8, 10), Level(8, 20), Level(8, 40))
CLEAN = tuple(Level(cell, 0) for cell in (8, 16, 32, 64))
LEVELS = tuple(sorted((*PROFILES, *FURTHER, *CLEAN), key=lambda level: (level.cell, level.sd)))
RESIDUAL = (Level(16, 10, 32), Level(16, 20, 32), Level(8, 10, 32))
CLIP_LEVELS = (*(level for level in LEVELS if level.cell < 32 or level in {Level(64, 0), Level(64, 22.5)}), *RESIDUAL)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Exact integer sums of one window: total (rows, columns) int64 of `frames` frames under the linear table."""

    total: NDArray[np.int64]
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """How often each value was seen in each cell: (rows, columns, 256) int64, of `frames` frames.

    A sum under any table of one pixel is exact from it: the table's values times the counts.
    """

    seen: NDArray[np.int64]
    frames: int

    def sums(self, lut: ResidualLut) -> NDArray[np.int64]:
        """Σ clamp(x - reference, -τ, τ) + τ over the pixels of each cell."""
        values = np.arange(MAX_VALUE + 1)
        table = np.clip(values - lut.reference[..., None], -lut.tau, lut.tau) + lut.tau
        total: NDArray[np.int64] = (self.seen * table).sum(axis=-1)
        return total


def mechanism(lut: Lut, level: Level, shape: tuple[int, int], frames: int) -> Mechanism:
    """The mechanism whose noise comes nearest to the level's, with its integer scale: t = sd · N · b² · R/255 / √2."""
    scale = max(1, round(level.sd * frames * level.cell**2 * lut.range / (MAX_VALUE * math.sqrt(2))))
    return Mechanism(lut=lut, cell=level.cell, rows=shape[0], columns=shape[1], frames=frames, scale=scale)


def laplace(scale: int, shape: tuple[int, int], random: np.random.Generator) -> NDArray[np.int64]:
    """P[z] ∝ exp(-|z|/scale): the difference of two geometric variables with success 1 - exp(-1/scale).

    The law of edge/privacy/sampling, whose exact sampler needs a pool of entropy and is slower; the tests compare both.
    """
    chance = -math.expm1(-1 / scale)
    drawn: NDArray[np.int64] = random.geometric(chance, shape) - random.geometric(chance, shape)
    return drawn


def absolute(sums: Sums, level: Level, random: np.random.Generator) -> Map:
    """The map of one absolute window, as `MapKeeper` makes it of its release."""
    rows, columns = sums.total.shape
    if not level.sd:
        return _map(sums.total / (sums.frames * level.cell**2), 0.0, level.cell)
    used = mechanism(LinearLut(MAX_VALUE), level, (rows, columns), sums.frames)
    estimate = undo(1, sums.total + laplace(used.scale, (rows, columns), random), used)
    return _map(estimate.grey, estimate.noise, level.cell)


def residual(first: Sums, second: Counts, level: Level, random: np.random.Generator) -> Map:
    """The map of the second window of a chain: around the denoised map of the first, clamped at τ."""
    before = absolute(first, level, random)
    lut = ResidualLut(reference_of(denoise(before), MAX_VALUE), level.tau, MAX_VALUE)
    rows, columns = lut.reference.shape
    used = mechanism(lut, level, (rows, columns), second.frames)
    noise = laplace(used.scale, (rows, columns), random) if level.sd else np.zeros((rows, columns), np.int64)
    estimate = undo(2, second.sums(lut) + noise, used, before.noise)
    return _map(estimate.grey, estimate.noise, level.cell)


def _map(grey: NDArray[np.float64], noise: float, cell: int) -> Map:
    rows, columns = grey.shape
    image = np.clip(grey, 0, FULL).astype(np.float32)
    return Map(image=image, noise=noise, cell=cell, width=columns * cell, height=rows * cell, fused=(1,))
