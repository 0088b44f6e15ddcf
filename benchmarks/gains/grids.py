"""A candidate beside e: grids that lie elsewhere in each window, joined to a map of finer cells.

Four windows with cells of 16 pixels, either all on one grid or each moved by half a cell right, down, or both. Where a
grid begins is public, so each window is Theorem 1 as before. The finer map, cells of 8, is the linear estimate under
the denoiser's prior from all four.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.gains import measure
from benchmarks.gains.chains import Looks, mechanism
from benchmarks.gains.mechanisms import Function, Grey, Released, Residual, linear, spread_out
from benchmarks.gains.scenes import ASIDE, CELL, Scene
from edge.features.denoise import dct_matrix, frequency, wiener
from edge.features.map import reference_of

HALF = CELL // 2
STEPS = 60
ONE = ((0, 0),) * 4
TWO = ((0, 0), (HALF, HALF)) * 2
FOUR = ((0, 0), (HALF, HALF), (HALF, 0), (0, HALF))
"""Pixels down and right that each window's grid begins at."""

HEAD = (
    "| scenes | windows | map | n | noise of four | error, cells of 8 | change | same view: matches | right | change "
    "| moved view: matches | right | change |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Plan:
    """taus: of the three windows after the first; none for absolute ones.

    cell: side of a cell. finer: whether the prior joins the windows, or the product's mean is taken.
    """

    name: str
    offsets: tuple[tuple[int, int], ...]
    taus: tuple[int, ...]
    cell: int = CELL
    finer: bool = True

    @property
    def step(self) -> int:
        """Side of a cell of the map."""
        return HALF if self.finer else self.cell

    @property
    def windows(self) -> str:
        return f"tau {', '.join(map(str, self.taus))}" if self.taus else "absolute"


PLANS = [
    plan
    for taus in ((), (32, 16, 12))
    for plan in (
        Plan("one grid, mean", ONE, taus, finer=False),
        Plan("one grid of cells of 8, mean", ONE, taus, cell=HALF, finer=False),
        Plan("one grid, joined", ONE, taus),
        Plan("two grids, joined", TWO, taus),
        Plan("four grids, joined", FOUR, taus),
    )
]


class Placed(NamedTuple):
    """A release, and where its cells lie among the finer ones."""

    released: Released
    down: slice
    right: slice


class Found(NamedTuple):
    noise: float
    error: float
    still: tuple[int, int, float]
    moved: tuple[int, int, float]


def lines(group: str, scenes: Iterable[Scene], epsilon: Fraction) -> list[str]:
    """A row for each plan; the first of each five is the product's map."""
    found: dict[Plan, list[Found]] = {plan: [] for plan in PLANS}
    for number, scene in enumerate(scenes):
        looks, aside = Looks(scene), Looks(scene, aside=ASIDE)
        for plan, kept in found.items():
            kept.append(_measure(looks, aside, plan, epsilon, number))
    rows = []
    for plan, own in found.items():
        first = next(f for p, f in found.items() if p.taus == plan.taus)
        change = measure.change([a.error - b.error for a, b in zip(own, first, strict=True)])
        rows.append(
            f"| {group} | {plan.windows} | {plan.name} | {len(own)} | {np.mean([f.noise for f in own]):.1f} "
            f"| {measure.interval([f.error for f in own])} | {change} "
            f"| {measure.gained([f.still for f in own], [f.still for f in first])} "
            f"| {measure.gained([f.moved for f in own], [f.moved for f in first])} |"
        )
    return rows


def _measure(looks: Looks, aside: Looks, plan: Plan, epsilon: Fraction, seed: int) -> Found:
    one, noise = private_map(looks, 0, plan, epsilon, seed)
    two, _ = private_map(looks, 1, plan, epsilon, seed)
    three, _ = private_map(aside, 1, plan, epsilon, seed)
    truth, fine = looks.truth(HALF), enlarged(one, plan.step)
    down, right = ASIDE
    return Found(
        noise,
        measure.rms(fine - truth[: fine.shape[0], : fine.shape[1]]),
        measure.matches(one, two, cell=plan.step),
        measure.matches(one, three, (-right, -down), cell=plan.step),
    )


def private_map(looks: Looks, run: int, plan: Plan, epsilon: Fraction, seed: int) -> tuple[Grey, float]:
    """The map from four windows, with cells of `plan.step` pixels, and the noise of their mean."""
    rng = np.random.default_rng((13, run, seed))
    placed: list[Placed] = []
    made = np.zeros((0, 0))
    for index, (down, right) in enumerate(plan.offsets):
        frames = looks.shot(run, index).frames[:, down:, right:]
        rows, columns = (side // plan.cell * plan.cell // HALF for side in frames.shape[1:])
        down_to, right_to = (slice(s // HALF, s // HALF + n) for s, n in ((down, rows), (right, columns)))
        function: Function = linear()
        if index and plan.taus:
            reference = cells(made[down_to, right_to]) if plan.finer else made
            function = _residual(reference, frames.shape[1:], plan.taus[index - 1], plan.cell)
        window = mechanism(function, frames, epsilon, cell=plan.cell)
        placed.append(Placed(window.release(window.sums(frames), len(frames), rng), down_to, right_to))
        made = finer(placed) if plan.finer else mean(placed)
    return made, sum(p.released.spread**-2 for p in placed) ** -0.5


def _residual(reference: Grey, size: tuple[int, ...], tau: int, cell: int) -> Residual:
    height, width = size
    plane = spread_out(reference_of(reference, 255), height, width, cell)
    return Residual(plane, np.full_like(plane, tau), cell)


def mean(placed: Sequence[Placed]) -> Grey:
    """As the product does: the inverse-variance mean, denoised."""
    weights = np.array([p.released.spread**-2 for p in placed])
    grey = np.tensordot(weights / weights.sum(), np.stack([p.released.grey for p in placed]), axes=1)
    return wiener(grey, float(weights.sum()) ** -0.5)


def enlarged(made: Grey, step: int) -> Grey:
    """A map with cells of 8, by cubic interpolation as in the product's keypoints."""
    factor = step // HALF
    return cv2.resize(made, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC).astype(np.float64)


def finer(placed: Sequence[Placed]) -> Grey:
    """Minimise the squared misfits over noise² plus the prior's penalty, by conjugate gradients in the DCT domain."""
    rows, columns = (2 * side for side in placed[0].released.grey.shape)
    left, right = dct_matrix(rows), dct_matrix(columns)
    variances = [p.released.spread**2 for p in placed]
    texture = max(float(placed[-1].released.grey.var()) - variances[-1], 1.0)
    penalty = frequency(rows, columns) ** 2
    prior = np.divide(1, penalty, out=np.zeros_like(penalty), where=penalty > 0)
    penalty *= prior.sum() / (texture * penalty.size)

    def back(grids: Sequence[Grey]) -> Grey:
        plane = np.zeros((rows, columns))
        for grey, place, variance in zip(grids, placed, variances, strict=True):
            plane[place.down, place.right] += np.kron(grey, np.full((2, 2), 1 / (4 * variance)))
        spectrum: Grey = left @ plane @ right.T
        return spectrum

    def normal(spectrum: Grey) -> Grey:
        plane = left.T @ spectrum @ right
        return penalty * spectrum + back([cells(plane[p.down, p.right]) for p in placed])

    condition = 1 / (penalty + sum(1 / (4 * v) for v in variances))
    found = np.zeros((rows, columns))
    rest = back([p.released.grey for p in placed])
    step = ahead = condition * rest
    size = float((rest * ahead).sum())
    for _ in range(STEPS):
        image = normal(step)
        length = size / float((step * image).sum())
        found += length * step
        rest = rest - length * image
        ahead = condition * rest
        before, size = size, float((rest * ahead).sum())
        step = ahead + size / before * step
    fine: Grey = left.T @ found @ right
    return fine


def cells(plane: Grey) -> Grey:
    """The means of 2 x 2 finer cells."""
    rows, columns = (side // 2 for side in plane.shape)
    means: Grey = plane.reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    return means
