"""Integer mechanisms: a public function of each pixel, public weights, and noise of one scale per sum.

All of them are Theorem 1 (docs/proofs/window.md) with other numbers. Let T_p map every value of pixel p into
lo..lo + R_p, and let w_c(p) >= 0 be integers. One (pixel, frame) pair moves the sum S_c = sum of w_c(p) T_p(x_p) by at
most w_c(p) R_p, so with noise of scale t_c on S_c the loss is at most

    slope = max over p of sum over c of w_c(p) R_p / t_c

times the exposure, by the triangle inequality in each cell. `slope` is what `Mechanism.scales` is made from, and what
tests/audit/test_gain_kernels.py compares with the largest loss over all tiny videos.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Grey = NDArray[np.float64]
VALUES = 256


class Released(NamedTuple):
    """An estimate of each cell's grey, and the standard deviation of the noise of each, both (rows, columns).

    finish: what turns the denoised estimate into grey, where it is something else.
    """

    grey: Grey
    noise: Grey
    finish: Callable[[Grey], Grey] = np.asarray

    @property
    def spread(self) -> float:
        """One number for the noise: its root mean square."""
        return float(np.sqrt(np.mean(self.noise**2)))


@dataclass(frozen=True)
class Axis:
    """Integer weights of one axis: (cells, pixels), each column adding to `width`.

    Pixel i is counted `width` times, once for each of the positions i - width // 2 .. i + width // 2, in the cell that
    the position lies in. width 1 makes disjoint cells; width near `cell` makes hats; between, trapezoids.
    """

    pixels: int
    cell: int
    width: int = 1

    @cached_property
    def weights(self) -> Integers:
        cells = self.pixels // self.cell
        weights = np.zeros((cells, self.pixels), np.int64)
        reach = self.width // 2
        for pixel in range(cells * self.cell):
            for position in range(pixel - reach, pixel - reach + self.width):
                weights[min(max(position, 0), cells * self.cell - 1) // self.cell, pixel] += 1
        return weights


class Function(Protocol):
    """A public integer function of one pixel."""

    def map(self, frames: NDArray[np.uint8]) -> NDArray[np.integer]:
        """The function's values: (n, height, width) in 0..range of the cell."""
        ...

    def ranges(self, rows: int, columns: int) -> Integers:
        """R of each cell: (rows, columns), or that shape's broadcast."""
        ...

    def undo(self, mean: Grey) -> tuple[Grey, Grey]:
        """Grey from the weighted mean of the function's values, and the slope there."""
        ...

    def finish(self, denoised: Grey) -> Grey:
        """Grey from the denoised estimate that `undo` gave."""
        ...


@dataclass(frozen=True, eq=False)
class Table:
    """One table for all pixels; it must not fall. `linear`, `clip`, `log` and equalised tables are such.

    late: whether the table is undone after denoising, where the noise of all cells is one number.
    """

    table: Integers
    late: bool = False

    def map(self, frames: NDArray[np.uint8]) -> NDArray[np.integer]:
        small: NDArray[np.integer] = (self.table - self.table[0]).astype(np.int16)[frames]
        return small

    def ranges(self, rows: int, columns: int) -> Integers:
        return np.full((rows, columns), int(self.table[-1] - self.table[0]), np.int64)

    def undo(self, mean: Grey) -> tuple[Grey, Grey]:
        if self.late:
            step = (VALUES - 1) / int(self.table[-1] - self.table[0])
            return mean * step, np.full_like(mean, step)
        return self._grey(mean)

    def finish(self, denoised: Grey) -> Grey:
        step = (VALUES - 1) / int(self.table[-1] - self.table[0])
        return self._grey(denoised / step)[0] if self.late else denoised

    def _grey(self, mean: Grey) -> tuple[Grey, Grey]:
        known, first, count = np.unique(self.table - self.table[0], return_index=True, return_counts=True)
        greys = first + (count - 1) / 2
        # What is clipped lies at the bounds, so that inside them a clipped table undoes itself.
        greys[0], greys[-1] = count[0] - 1, first[-1]
        return np.interp(mean, known, greys), np.interp(mean, known, np.gradient(greys, known.astype(np.float64)))


@dataclass(frozen=True, eq=False)
class Residual:
    """psi(x - reference) + tau: the reference and tau are public. (height, width) each, tau constant in each cell.

    vanish: 0 for Huber's clamp; else psi falls back to 0 from tau on and is 0 from tau + vanish on (Hampel 1974).
    Either way psi takes values in -tau..tau, so R = 2 tau.
    """

    reference: Integers
    tau: Integers
    cell: int
    vanish: int = 0

    def map(self, frames: NDArray[np.uint8]) -> NDArray[np.integer]:
        tau = self.tau.astype(np.int16)
        away = frames - self.reference.astype(np.int16)
        if not self.vanish:
            return np.clip(away, -tau, tau) + tau
        distance = np.abs(away)
        back = np.maximum(tau * (tau + np.int16(self.vanish) - distance) // np.int16(self.vanish), 0)
        psi: NDArray[np.integer] = np.sign(away) * np.minimum(distance, np.where(distance > tau, back, tau)) + tau
        return psi

    def ranges(self, rows: int, columns: int) -> Integers:
        return 2 * self._cells(self.tau)[:rows, :columns]

    def undo(self, mean: Grey) -> tuple[Grey, Grey]:
        height, width = (n * self.cell for n in mean.shape)
        shape = (mean.shape[0], self.cell, mean.shape[1], self.cell)
        reference = self.reference[:height, :width].reshape(shape).mean(axis=(1, 3))
        return reference + mean - self._cells(self.tau), np.ones_like(mean)

    def finish(self, denoised: Grey) -> Grey:
        return denoised

    def _cells(self, plane: Integers) -> Integers:
        return plane[self.cell // 2 :: self.cell, self.cell // 2 :: self.cell]


@dataclass(frozen=True, eq=False)
class Mechanism:
    """One window: frames of height x width pixels, `exposure` E0 of the unit, epsilon for it."""

    function: Function
    rows: Axis
    columns: Axis
    exposure: int
    epsilon: Fraction

    @property
    def weight(self) -> int:
        """W, the weights of one pixel added over all cells."""
        return self.rows.width * self.columns.width

    @cached_property
    def scales(self) -> Integers:
        """t_c: the smallest integers with W R_c E0 / t_c <= epsilon. Kernels that overlap need one R for all cells."""
        ranges = self.function.ranges(*self._shape)
        if self.weight > 1 and (ranges != ranges.flat[0]).any():
            raise ValueError("overlapping kernels with a range of their own for each cell are not covered here")
        top, bottom = self.weight * self.exposure * self.epsilon.denominator, self.epsilon.numerator
        scales: Integers = -(-ranges * top // bottom)
        return scales

    @property
    def slope(self) -> Fraction:
        """The most that one pair costs."""
        ranges = self.function.ranges(*self._shape).ravel().tolist()
        return max(self.weight * Fraction(r, t) for r, t in zip(ranges, self.scales.ravel().tolist(), strict=True))

    def sums(self, frames: NDArray[np.uint8]) -> Integers:
        """S: exact, for all intermediate values stay below 2^53."""
        total = self.function.map(frames).sum(axis=0, dtype=np.int64).astype(np.float64)
        sums: Integers = np.rint(self.rows.weights @ total @ self.columns.weights.T).astype(np.int64)
        return sums

    def release(self, sums: Integers, frames: int, rng: np.random.Generator | None) -> Released:
        """The estimate from sums and noise; from the sums alone without `rng`."""
        noisy = sums if rng is None else sums + discrete_laplace(self.scales, rng)
        counted = frames * np.outer(self.rows.weights.sum(axis=1), self.columns.weights.sum(axis=1))
        ranges = self.function.ranges(*self._shape)
        grey, slope = self.function.undo(np.clip(noisy / counted, 0, ranges) if self._bounded else noisy / counted)
        noise = math.sqrt(2) * self.scales / counted * slope
        return Released(np.clip(grey, 0, VALUES - 1), noise, self.function.finish)

    @property
    def _bounded(self) -> bool:
        return isinstance(self.function, Table)

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.rows.weights), len(self.columns.weights)


def discrete_laplace(scales: Integers, rng: np.random.Generator) -> Integers:
    """P[z] proportional to exp(-|z|/t): the product's law, by the difference of two geometric variables."""
    chance = -np.expm1(-1.0 / scales)
    noise: Integers = rng.geometric(chance) - rng.geometric(chance)
    return noise


def linear() -> Table:
    return Table(np.arange(VALUES, dtype=np.int64))


def clipped(low: int, high: int) -> Table:
    return Table(np.clip(np.arange(VALUES, dtype=np.int64), low, high) - low)


def spread_out(grey: Integers, height: int, width: int, cell: int) -> Integers:
    """A grid of cells as a plane that is constant in each cell; the border takes the nearest cell's."""
    plane = np.kron(grey, np.ones((cell, cell), np.int64))
    below, right = height - plane.shape[0], width - plane.shape[1]
    return np.pad(plane, ((0, max(below, 0)), (0, max(right, 0))), mode="edge")[:height, :width]
