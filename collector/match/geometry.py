"""How one map lies on another: the simplest transform that explains the candidate matches.

Every candidate is a mixture: with its probability π the point moved by the transform and scattered normally with its
own spread, otherwise it lies where wrong ones do. Hypotheses come from pairs of the likeliest candidates, so nothing
is drawn at random; they are refined by expectation-maximisation from wide spreads to the known ones (graduated
non-convexity, Yang et al., RA-L 2020). Models are compared by their evidence, which charges each parameter for what it
fits by chance (MacKay, Information Theory, Inference, and Learning Algorithms, 2003, chapter 28).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collector.match.view import Floats

Kind = Literal["still", "similar", "projective", "none"]

DRIFT = 2.0
"""Cells that a fixed camera may have drifted by."""
LARGEST_ZOOM = 2.0
"""Similarities that zoom further, in or out, count as chance."""
LIKELIEST = 48
"""Candidates that hypotheses are made of: 1128 pairs."""
HEARD = 96
"""Likeliest candidates that choose among hypotheses; all of them refine the best."""
WIDTHS = (4.0, 2.0, 1.0, 1.0, 1.0)
"""Factors on the known spread, one for each step of the refinement."""
FEWEST = 4.0
"""Supporting matches that a projective transform needs, beyond the four that it fits exactly."""


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The candidate matches that a transform has to explain.

    first, second: (m, 2) points in cells. variance: (m,) of the residual along each axis. right: (m,) probability π
    that a candidate is right, by its descriptors. chance: (m,) density, per squared cell, of wrong candidates where
    this one lies. area: of the map, in squared cells.
    """

    first: Floats
    second: Floats
    variance: Floats
    right: Floats
    chance: Floats
    area: float


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """The best transform.

    kind: "still" is the identity with a drift of at most DRIFT cells. matrix: (3, 3), takes [x, y, 1] of the first
    view to the second. evidence: nats by which it explains the candidates better than chance does; 0 for "none".
    """

    kind: Kind
    matrix: Floats
    evidence: float


NOWHERE = Geometry("none", np.eye(3), 0.0)


def estimate(field: Field, *, still_only: bool = False) -> Geometry:
    """The transform with the most evidence. Deterministic.

    Args:
        field: the candidates, in any number.
        still_only: whether both views come from one camera that has not been moved: then nothing else is tried.
    """
    if not len(field.first):
        return NOWHERE
    found = [NOWHERE, _still(field)]
    if not still_only and len(field.first) > 2:
        similar = _similar(field)
        found += [similar, _projective(field, similar)]
    return max(found, key=lambda geometry: geometry.evidence)


def project(matrix: Floats, points: Floats) -> Floats:
    """(n, 2) points under a (3, 3) transform; infinite where they leave for the horizon."""
    lifted = points @ matrix[:, :2].T + matrix[:, 2]
    depth = np.where(lifted[:, 2:] > 1e-6, lifted[:, 2:], np.nan)
    return np.nan_to_num(lifted[:, :2] / depth, nan=np.inf)


def squared_residual(field: Field, matrix: Floats) -> Floats:
    """(m,) squared distances from where the transform puts the points, in squared cells."""
    squares: Floats = ((field.second - project(matrix, field.first)) ** 2).sum(axis=1)
    return squares


def gain(field: Field, squares: Floats, width: float = 1.0) -> Floats:
    """(..., m) how much likelier a point is where it lies under the transform than by chance."""
    variance = field.variance * width**2
    ratio: Floats = np.exp(-squares / (2 * variance)) / (2 * math.pi * variance * field.chance)
    return ratio


def posterior(field: Field, squares: Floats, width: float = 1.0) -> Floats:
    """(..., m) probability that a candidate is right, if the transform is."""
    inside = field.right * gain(field, squares, width)
    share: Floats = inside / (inside + 1 - field.right)
    return share


def _fit(field: Field, squares: Floats, width: float = 1.0) -> Floats:
    """(...) log likelihood of the candidates against chance."""
    total: Floats = np.log(1 - field.right + field.right * gain(field, squares, width)).sum(axis=-1)
    return total


def _some(field: Field, which: NDArray[np.intp]) -> Field:
    values = (field.first, field.second, field.variance, field.right, field.chance)
    first, second, variance, right, chance = (each[which] for each in values)
    return Field(first, second, variance, right, chance, field.area)


def _refined(field: Field, matrix: Floats, solve: Callable[[Floats], Floats | None]) -> Floats:
    """Expectation-maximisation; stops where the fit has no solution."""
    for width in WIDTHS:
        weight = posterior(field, squared_residual(field, matrix), width) / field.variance
        solved = solve(weight)
        if solved is None:
            break
        matrix = solved
    return matrix


def _judged(kind: Kind, field: Field, matrix: Floats, ranges: tuple[float, ...]) -> Geometry:
    """With its evidence: the fit, less ½ ln(range² / 2πσ²) per parameter, σ being what the support leaves of it."""
    squares = squared_residual(field, matrix)
    support = posterior(field, squares)
    information = float((support / field.variance).sum())
    if information <= 0:
        return NOWHERE
    charge = sum(max(0.0, 0.5 * math.log(width**2 * information / (2 * math.pi))) for width in ranges)
    return Geometry(kind, matrix, float(_fit(field, squares)) - charge)


def _still(field: Field) -> Geometry:
    """The identity, or a drift that most of the candidates share."""
    moved = field.second - field.first
    near = np.concatenate([np.zeros((1, 2)), moved[(moved**2).sum(axis=1) <= DRIFT**2]])
    squares = ((moved[None] - near[:, None]) ** 2).sum(axis=2)
    best = near[_fit(field, squares, WIDTHS[0]).argmax()]

    def solve(weight: Floats) -> Floats | None:
        total = weight.sum()
        drift = (weight[:, None] * moved).sum(axis=0) / total if total > 0 else np.zeros(2)
        return _translation(drift * min(1.0, DRIFT / max(float(np.hypot(*drift)), 1e-9)))

    matrix = _refined(field, _translation(best), solve)
    side = math.sqrt(math.pi) * DRIFT
    return _judged("still", field, matrix, (side, side))


def _similar(field: Field) -> Geometry:
    """Turned, zoomed and moved. Points are complex numbers here: w = α z + β."""
    z, w = (points[:, 0] + 1j * points[:, 1] for points in (field.first, field.second))
    likeliest = np.argsort(-field.right, kind="stable")[:LIKELIEST]
    i, j = (likeliest[side] for side in np.triu_indices(len(likeliest), 1))
    apart = np.abs(z[j] - z[i]) >= 1
    i, j = i[apart], j[apart]
    alpha = (w[j] - w[i]) / (z[j] - z[i])
    plausible = (np.abs(alpha) <= LARGEST_ZOOM) & (np.abs(alpha) >= 1 / LARGEST_ZOOM)
    alpha, beta = alpha[plausible], (w[i] - alpha * z[i])[plausible]
    if not len(alpha):
        return NOWHERE
    some = np.argsort(-field.right, kind="stable")[:HEARD]
    squares = np.abs(w[None, some] - alpha[:, None] * z[None, some] - beta[:, None]) ** 2
    best = int(_fit(_some(field, some), squares, WIDTHS[0]).argmax())

    def solve(weight: Floats) -> Floats | None:
        total = weight.sum()
        if total <= 0:
            return None
        middle, target = (weight @ z) / total, (weight @ w) / total
        size = float(weight @ np.abs(z - middle) ** 2)
        if size < 1e-6 * total:
            return None
        turn = complex((weight * np.conj(z - middle)) @ (w - target)) / size
        return _similarity(turn, complex(target - turn * middle))

    matrix = _refined(field, _similarity(complex(alpha[best]), complex(beta[best])), solve)
    zoom = math.hypot(matrix[0, 0], matrix[1, 0])
    side = math.sqrt(field.area)
    return _judged("similar", field, matrix, (side,) * 4) if 1 / LARGEST_ZOOM <= zoom <= LARGEST_ZOOM else NOWHERE


def _projective(field: Field, start: Geometry) -> Geometry:
    """A homography near the similarity, where enough candidates support it."""
    if start.kind == "none":
        return NOWHERE
    squares = squared_residual(field, start.matrix)
    if posterior(field, squares, WIDTHS[0]).sum() < 4 + FEWEST:
        return NOWHERE
    matrix = _refined(field, start.matrix, lambda weight: _homography(field, weight))
    if not _keeps_its_corners(field, matrix):
        return NOWHERE
    side = math.sqrt(field.area)
    return _judged("projective", field, matrix, (side,) * 4 + (side / 4,) * 4)


def _homography(field: Field, weight: Floats) -> Floats | None:
    """Weighted direct linear transformation (Hartley and Zisserman, Multiple View Geometry, 2004, 4.1 and 4.4)."""
    if weight.sum() <= 0:
        return None
    before, after = _normalising(field.first, weight), _normalising(field.second, weight)
    x, y = project(before, field.first).T
    u, v = project(after, field.second).T
    one, none = np.ones_like(x), np.zeros_like(x)
    upper = np.stack([x, y, one, none, none, none, -u * x, -u * y, -u], axis=1)
    lower = np.stack([none, none, none, x, y, one, -v * x, -v * y, -v], axis=1)
    root = np.sqrt(weight / weight.sum())[:, None]
    _, values, rows = np.linalg.svd(np.concatenate([upper * root, lower * root]), full_matrices=len(x) < 5)
    if len(values) < 8 or values[7] < 1e-3 * values[0]:  # more than one homography fits: points on a line
        return None
    matrix = np.linalg.inv(after) @ rows[8].reshape(3, 3) @ before
    scale = float(matrix[2, 2])
    solved: Floats | None = matrix / scale if abs(scale) > 1e-9 else None
    return solved


def _normalising(points: Floats, weight: Floats) -> Floats:
    middle = (weight[:, None] * points).sum(axis=0) / weight.sum()
    size = math.sqrt(float((weight * ((points - middle) ** 2).sum(axis=1)).sum() / weight.sum()))
    factor = math.sqrt(2) / max(size, 1e-6)
    return np.array([[factor, 0, -factor * middle[0]], [0, factor, -factor * middle[1]], [0, 0, 1]])


def _keeps_its_corners(field: Field, matrix: Floats) -> bool:
    """Whether the box around the points is neither folded nor zoomed beyond LARGEST_ZOOM anywhere, twice for shear."""
    (left, top), (right, bottom) = field.first.min(axis=0), field.first.max(axis=0)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    step = 1e-3
    moved = [project(matrix, corners + shift) for shift in ((0, 0), (step, 0), (0, step))]
    if not np.isfinite(moved).all():
        return False
    right_way, down = (moved[1] - moved[0]) / step, (moved[2] - moved[0]) / step
    zoom = right_way[:, 0] * down[:, 1] - right_way[:, 1] * down[:, 0]
    most = LARGEST_ZOOM**2 * 2
    return bool(((zoom > 1 / most) & (zoom < most)).all())


def _translation(drift: Floats) -> Floats:
    return np.array([[1, 0, drift[0]], [0, 1, drift[1]], [0, 0, 1.0]])


def _similarity(alpha: complex, beta: complex) -> Floats:
    return np.array([[alpha.real, -alpha.imag, beta.real], [alpha.imag, alpha.real, beta.imag], [0, 0, 1.0]])
