"""Mutual nearest neighbours, and how sure each is."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Matches

SAME_POINT = 1.0
"""Cells. A match whose both ends are nearer than this to those of a surer match is that match over again: within a cell
a match counts as right. Else a corner that a pyramid finds on five levels would count five times."""

BITS = np.array([value.bit_count() for value in range(256)], np.uint8)


def euclidean(a: NDArray[np.generic], b: NDArray[np.generic]) -> NDArray[np.float64]:
    """Distances between the rows of a (n, d) and b (k, d): (n, k)."""
    one, two = a.astype(np.float64), b.astype(np.float64)
    squared = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1)[None] - 2 * one @ two.T
    distance: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    return distance


def hamming(a: NDArray[np.generic], b: NDArray[np.generic]) -> NDArray[np.float64]:
    """Bits that differ between the rows of a (n, d) uint8 and b (k, d) uint8: (n, k)."""
    out = np.empty((len(a), len(b)))
    for i, row in enumerate(a):
        out[i] = BITS[np.bitwise_xor(row, b)].sum(axis=1)
    return out


def match(a: Described, b: Described, *, packed_bits: bool, apart: float, margin: float) -> Matches:
    """Mutual nearest neighbours and their margin over the second nearest.

    The score is 1 - d1/d2 for floats (Lowe, IJCV 2004, 7.1: 0.2 is his ratio of 0.8), and d2 - d1 in bits for packed
    bits. With apart > 0 the second nearest must lie so many cells from the nearest (Mishkin, Matas and Perdoch, MODS,
    CVIU 2015, call it the first geometrically inconsistent one): points that a detector found twice are no rivals.
    """
    if len(a.points) < 1 or len(b.points) < 2:
        return Matches(np.empty((0, 2), np.intp), np.empty(0))
    distance = (hamming if packed_bits else euclidean)(a.descriptors, b.descriptors)
    nearest = distance.argmin(axis=1)
    rows = np.flatnonzero(distance.argmin(axis=0)[nearest] == np.arange(len(distance)))
    columns = nearest[rows]
    first = distance[rows, columns]
    second = rivals(distance[rows], columns, b.points, apart)
    score = second - first if packed_bits else 1 - first / np.maximum(second, 1e-12)
    order = np.argsort(-score, kind="stable")
    order = order[score[order] >= margin]
    pairs = np.stack([rows, columns], axis=1)[order].astype(np.intp)
    kept = distinct(a.points[pairs[:, 0]], b.points[pairs[:, 1]])
    return Matches(pairs[kept], score[order][kept])


def rivals(
    distance: NDArray[np.float64], nearest: NDArray[np.intp], points: NDArray[np.float64], apart: float
) -> NDArray[np.float64]:
    """The distance of the second nearest of each row; of the farthest where all lie too near to the nearest."""
    far = np.linalg.norm(points[nearest][:, None] - points[None], axis=2) >= apart
    far[np.arange(len(nearest)), nearest] = False
    second: NDArray[np.float64] = np.where(far, distance, np.inf).min(axis=1)
    return np.where(np.isfinite(second), second, distance.max(axis=1))


def distinct(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the matches, surest first, are not a surer one over again: (m,) for (m, 2) points each."""
    both = np.maximum(
        np.linalg.norm(first[:, None] - first[None], axis=2), np.linalg.norm(second[:, None] - second[None], axis=2)
    )
    kept = np.ones(len(first), np.bool_)
    for i in range(1, len(first)):
        kept[i] = not bool((kept[:i] & (both[i, :i] < SAME_POINT)).any())
    return kept
