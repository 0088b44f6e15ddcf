"""Standard measures of points and matches, in cells; each a number for one pair of maps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.places import Homography, project

Points = NDArray[np.float64]


def inside(points: Points, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which points (n, 2) lie on a map of (rows, columns), whose cells reach half a cell beyond their centres."""
    rows, columns = shape
    x, y = points[:, 0], points[:, 1]
    within: NDArray[np.bool_] = (x >= -0.5) & (y >= -0.5) & (x <= columns - 0.5) & (y <= rows - 0.5)
    return within


def repeatability(a: Points, b: Points, homography: Homography, shape: tuple[int, int], distance: float) -> float:
    """Share of points that were found again, in the form of SuperPoint (DeTone et al., CVPRW 2018, appendix).

    (#{i: min_j |H a_i - b_j| ≤ distance} + #{j: min_i |H a_i - b_j| ≤ distance}) / (N_a + N_b), N being the points
    that the other map shows too. It grows with the number of points, so methods are compared at an equal count.
    0 where neither map has a point that the other shows.
    """
    forth = project(homography, a)
    shown_a = forth[inside(forth, shape)]
    shown_b = b[inside(project(np.asarray(np.linalg.inv(homography), np.float64), b), shape)]
    total = len(shown_a) + len(shown_b)
    if not len(shown_a) or not len(shown_b):
        return 0.0
    apart = np.linalg.norm(shown_a[:, None] - shown_b[None], axis=2)
    return float(((apart.min(axis=1) <= distance).sum() + (apart.min(axis=0) <= distance).sum()) / total)


def right(a: Points, b: Points, homography: Homography, distance: float) -> NDArray[np.bool_]:
    """Which matches (m, 2) and (m, 2) are correct: |H a - b| ≤ distance."""
    near: NDArray[np.bool_] = np.linalg.norm(project(homography, a) - b, axis=1) <= distance
    return near


def apart(a: Points, b: Points, score: NDArray[np.float64], distance: float) -> NDArray[np.bool_]:
    """Which matches (m, 2) and (m, 2) are no surer one over again, both of whose ends are nearer than `distance`.

    Detectors that find one thing at several scales count it several times (Rey-Otero, Delbracio and Morel,
    arXiv 1409.2465). Surest first; among equals, in the order given.
    """
    kept = np.zeros(len(a), np.bool_)
    for one in np.argsort(-score, kind="stable"):
        near = (np.linalg.norm(a[kept] - a[one], axis=1) < distance) & (
            np.linalg.norm(b[kept] - b[one], axis=1) < distance
        )
        kept[one] = not near.any()
    return kept


def corner_error(estimate: Homography | None, truth: Homography, shape: tuple[int, int]) -> float:
    """Mean distance in cells between the map's four corners under both homographies; infinite without an estimate."""
    if estimate is None:
        return float("inf")
    rows, columns = shape
    corners = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float64) - 0.5
    with np.errstate(invalid="ignore"):
        error = np.linalg.norm(project(estimate, corners) - project(truth, corners), axis=1).mean()
    return float(error) if np.isfinite(error) else float("inf")


def area(error: float, bound: float) -> float:
    """What one pair adds to the AUC up to `bound`: max(0, 1 - error/bound).

    The area under the share of pairs whose error is at most e, for e in 0..bound, over bound, is the mean of this.
    """
    return max(0.0, 1 - error / bound)


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least score of a match, or the fewest verified matches of a pair, that is believed. Infinite: nothing is."""

    least: float


def threshold_at(
    value: NDArray[np.float64], good: NDArray[np.float64], all_: NDArray[np.float64], precision: float
) -> Threshold:
    """The bound on `value` that keeps most good ones while good/all of what is kept is at least `precision`.

    One entry for each thing that is kept or dropped as a whole: `value`, how many `good` ones it brings, and how many.
    """
    order = np.argsort(-value, kind="stable")
    kept_good, kept = np.cumsum(good[order]), np.cumsum(all_[order])
    sorted_ = value[order]
    last = np.append(sorted_[1:] != sorted_[:-1], True)  # equal values are kept or dropped together
    allowed = last & (kept_good >= precision * kept) & (kept > 0)
    if not allowed.any():
        return Threshold(float("inf"))
    best = np.flatnonzero(allowed)[np.argmax(kept_good[allowed])]
    return Threshold(float(sorted_[best]))
