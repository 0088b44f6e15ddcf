"""What users care about: the map's error, keypoints that match, and whether the grid vector tells places apart."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.gains.mechanisms import Grey, Released
from benchmarks.gains.scenes import CELL
from collector.compare import match
from edge.features.denoise import dct_matrix, frequency, texture, wiener
from edge.features.sift import detect
from edge.features.vector import grid_vector


class Score(NamedTuple):
    """One candidate at one scene, mean of the two maps.

    noise: of the release, grey, before denoising. error: root mean square of denoised map less truth. stood: the same
    over the cells that somebody covered for a fifth of the last window (NaN where nobody did).
    matches, right: mutual SIFT matches between the two maps, and those within a cell of where they belong.
    vector: unit length, of each map.
    """

    place: str
    noise: float
    error: float
    stood: float
    matches: float
    right: float
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]]


def truth(empty: NDArray[np.uint8] | Grey, cell: int = CELL) -> Grey:
    """The cell means of a plane."""
    rows, columns = (side // cell for side in empty.shape)
    cells = empty[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    means: Grey = cells.mean(axis=(1, 3))
    return means


def cleaned(released: Released) -> Grey:
    """The product's denoiser: one number for the noise of all cells."""
    return wiener(released.grey, released.spread)


def weighed(released: Released) -> Grey:
    """The same prior, with the noise of each cell."""
    return estimated(released.grey, np.diag(released.noise.ravel() ** 2))


def estimated(grey: Grey, noise: Grey) -> Grey:
    """The linear estimate under the denoiser's prior for noise with this covariance (cells, cells).

    For one variance in all cells it is `wiener`, up to the mean.
    """
    rows, columns = grey.shape
    basis = np.kron(dct_matrix(rows), dct_matrix(columns))
    spread = float(np.sqrt(np.mean(np.diag(noise))))
    prior = 1 / np.maximum(frequency(rows, columns).ravel() ** 2, 1e-12)
    prior[0] = 0
    prior *= texture(grey, spread) * grey.size / prior.sum()
    mean = float(grey.mean())
    covariance = (basis.T * prior) @ basis
    off = covariance @ np.linalg.solve(covariance + noise, grey.ravel() - mean)
    found: Grey = mean + off.reshape(grey.shape)
    return found


def rms(values: Grey) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else math.nan


def matches(one: Grey, two: Grey, moved: tuple[int, int] = (0, 0), cell: int = CELL) -> tuple[int, int, float]:
    """Matches, right ones, and the median distance in pixels of the right ones from where they belong.

    moved: (x, y) that keypoints of `two` lie further than those of `one`.
    """
    first, second = detect(one.astype(np.float32), cell), detect(two.astype(np.float32), cell)
    pairs = match(first[1], second[1])
    apart = second[0][pairs[:, 1], :2] - first[0][pairs[:, 0], :2] - np.array(moved, np.float32)
    distance = np.linalg.norm(apart, axis=1)
    right = distance < CELL
    return len(pairs), int(right.sum()), float(np.median(distance[right])) if right.any() else math.nan


def score(
    place: str, noise: float, clean: tuple[Grey, Grey], truths: tuple[Grey, Grey], stood: tuple[Grey, Grey]
) -> Score:
    """Two denoised private maps of one place; `stood`: share of the last window that somebody covered each cell."""
    found, right, _ = matches(*clean)
    errors = [c - t for c, t in zip(clean, truths, strict=True)]
    there = [e[s > 0.2] for e, s in zip(errors, stood, strict=True)]
    return Score(
        place=place,
        noise=noise,
        error=float(np.mean([rms(e) for e in errors])),
        stood=rms(np.concatenate(there)),
        matches=found,
        right=right,
        vectors=(grid_vector(clean[0]), grid_vector(clean[1])),
    )


def vector_ratio(scores: Sequence[Score]) -> list[float]:
    """For each scene: distance of its two vectors over the mean distance to vectors of other scenes. 0 is best."""
    ratios = []
    for own in scores:
        others = [s.vectors[1] for s in scores if s.place != own.place and len(s.vectors[1]) == len(own.vectors[0])]
        if others:
            far = np.mean([np.linalg.norm(own.vectors[0] - v) for v in others])
            ratios.append(float(np.linalg.norm(own.vectors[0] - own.vectors[1]) / max(far, 1e-9)))
    return ratios


class Interval(NamedTuple):
    mean: float
    half: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.half:.2f}" if math.isfinite(self.half) else f"{self.mean:.2f}"


def interval(values: Sequence[float]) -> Interval:
    """Mean and half of the 95 % interval by Student's t, scenes being the sample; NaN are left out."""
    known = np.array([v for v in values if math.isfinite(v)])
    if len(known) < 2:
        return Interval(float(known[0]) if len(known) else math.nan, math.nan)
    return Interval(float(known.mean()), student(len(known) - 1) * float(known.std(ddof=1)) / math.sqrt(len(known)))


def change(differences: Sequence[float]) -> str:
    """The mean of paired differences, with its interval; a dash for what is compared with itself."""
    if not any(differences):
        return "-"
    own = interval(differences)
    return f"{own.mean:+.2f} ± {own.half:.2f}" if math.isfinite(own.half) else f"{own.mean:+.2f}"


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t (Fisher and Cornish 1960; within 0.3 % from 4 degrees of freedom on)."""
    z = 1.959964
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))


def gained(own: list[tuple[int, int, float]], first: list[tuple[int, int, float]]) -> str:
    """Matches, right ones, and how many more of them than `first`."""
    more = change([a[1] - b[1] for a, b in zip(own, first, strict=True)])
    return f"{np.mean([f[0] for f in own]):.1f} | {np.mean([f[1] for f in own]):.1f} | {more}"
