"""Do two observations show the same place?

Features of a network are weighed by likelihood (collector/match, docs/matching.md). For those of the classical method
two witnesses are heard. Keypoints: mutual nearest neighbours among the descriptors, then one similarity transform
that as many of them as possible agree with. The grid vector: the cosine, which asks for the same framing. How those
thresholds were calibrated stands in docs/features.md.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from collector.match import verdict as likely
from collector.match.verdict import Verdict
from wire.features import positions, unit_vector
from wire.schema import Features, Observation

RATIO = 0.9
"""Nearest over second nearest descriptor distance, at most (Lowe, IJCV 2004, 7.1)."""
TOLERANCE = 0.02
"""Distance from where the transform puts a keypoint, as a part of the frame's diagonal, at most."""
LARGEST_ZOOM = 2.0
"""Similarity transforms that zoom further, in or out, count as chance."""
SAME_KEYPOINTS = 8
"""So many agreeing matches mean the same place."""
CHANCE_KEYPOINTS = 6
"""The most agreeing matches that pairs of different places gave in the calibration."""
SAME_COSINE = 0.65
"""A cosine of the grid vectors that means the same place seen from the same position."""
DIFFERENT_COSINE = 0.3
"""Below it, and with no more agreeing matches than by chance, the places differ, or are seen from elsewhere."""
CLEAR_NOISE = 20.0
"""Grey. Above this noise the cosine of one place with itself may fall below 0.3."""
FEWEST_COMPONENTS = 32
"""Grid vectors shorter than this say too little to decide anything."""

LEANING = 3
"""Windows between two that are compared where a level has residual ones: neighbours share most. See `lean`."""
CLASSICAL = "sift"
"""How the names of methods begin that the rule of this file is for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two observations have in common.

    keypoints: how many each has. matches: pairs of keypoint indices (first, second), each the other's nearest.
    agrees: for each match, whether it agrees with the common transform. moved: median and largest displacement of
    the agreeing matches in pixels (0, 0 without any). cosine: of the grid vectors; None where one is all zero or they
    cannot be compared. shared: number of releases that are in both maps. reason: the verdict's, for people.
    probability: calibrated, that both show one place; None where nothing was weighed, as by the classical rule. right:
    for each match the calibrated probability that it is right; empty likewise. geometry: in words, how the agreeing
    matches lie; empty likewise.
    """

    keypoints: tuple[int, int]
    matches: tuple[tuple[int, int], ...]
    agrees: tuple[bool, ...]
    moved: tuple[float, float]
    cosine: float | None
    shared: int
    verdict: Verdict
    reason: str
    probability: float | None = None
    right: tuple[float, ...] = ()
    geometry: str = ""

    @property
    def consistent(self) -> int:
        """How many matches agree with the common transform."""
        return sum(self.agrees)

    @property
    def same_place(self) -> bool:
        """Whether the verdict is "same place"."""
        return self.verdict == "same place"


def compare(
    a: Features,
    b: Features,
    *,
    cells: tuple[int, int] | None = None,
    fixed_camera: bool = False,
    one_ledger: bool = True,
) -> Comparison:
    """Compare the features of two observations.

    Args:
        a: of one observation.
        b: of another, made by the same method, else there is nothing to compare.
        cells: side of a cell of each, in frame pixels. Likelihoods need them, the classical rule does not.
        fixed_camera: whether both come from one camera that has not moved.
        one_ledger: whether both come from one epoch of one device. Only then do equal ledger positions name one
            release, whose noise would agree with itself.

    Raises:
        ValueError: likelihoods need the cells, and they are not given.
    """
    shared = len(set(a.fused) & set(b.fused)) if one_ledger else 0
    if a.method.startswith(CLASSICAL) or _made_by(a) != _made_by(b):
        return _classical(a, b, shared, fixed_camera=fixed_camera)
    if cells is None:
        raise ValueError(f"features of {a.method} are compared in cells, whose size was not given")
    return _weighed(a, b, likely.judge(a, b, cells=cells, fixed_camera=fixed_camera), shared)


def compare_observations(a: Observation, b: Observation) -> Comparison:
    """Compare what two observations describe, knowing which ledger each comes from and how large its cells are."""
    cells = a.statement.cell, b.statement.cell
    return compare(a.features, b.features, cells=cells, one_ledger=_ledger(a) == _ledger(b))


def _classical(a: Features, b: Features, shared: int, *, fixed_camera: bool) -> Comparison:
    alike = _made_by(a) == _made_by(b) and a.method.startswith(CLASSICAL)
    matches = match(a.descriptors, b.descriptors) if alike else np.empty((0, 2), np.intp)
    first, second = positions(a)[matches[:, 0]], positions(b)[matches[:, 1]]
    agrees = agree(first, second, TOLERANCE * float(np.hypot(a.width, a.height)), fixed_camera=fixed_camera)
    cosine = _cosine(unit_vector(a), unit_vector(b)) if alike else None
    verdict, reason = judge(a, b, int(agrees.sum()), cosine, shared)
    return Comparison(
        keypoints=(len(a.keypoints), len(b.keypoints)),
        matches=tuple((int(i), int(j)) for i, j in matches),
        agrees=tuple(bool(x) for x in agrees),
        moved=_moved(first[agrees], second[agrees]),
        cosine=cosine,
        shared=shared,
        verdict=verdict,
        reason=reason,
    )


def _weighed(a: Features, b: Features, judged: likely.Judged, shared: int) -> Comparison:
    weighed, obstacle = judged.weighed, _obstacle(a, b, shared)
    pairs = weighed.pairs if weighed else np.empty((0, 2), np.intp)
    right = weighed.right if weighed else np.empty(0)
    agrees = right >= likely.RIGHT
    kept = pairs[agrees]
    return Comparison(
        keypoints=(len(a.keypoints), len(b.keypoints)),
        matches=tuple((int(i), int(j)) for i, j in pairs),
        agrees=tuple(bool(x) for x in agrees),
        moved=_moved(positions(a)[kept[:, 0]], positions(b)[kept[:, 1]]),
        cosine=weighed.cosine if weighed else None,
        shared=shared,
        verdict="not enough to tell" if obstacle else judged.verdict,
        reason=obstacle or judged.reason,
        probability=weighed.same if weighed and not obstacle else None,
        right=tuple(float(x) for x in right),
        geometry=likely.KINDS[weighed.geometry.kind] if weighed else "",
    )


def _moved(first: NDArray[np.floating], second: NDArray[np.floating]) -> tuple[float, float]:
    """Median and largest displacement; 0 without any."""
    moved = np.linalg.norm(second - first, axis=1)
    return (float(np.median(moved)), float(moved.max())) if len(moved) else (0.0, 0.0)


def lean(a: Observation, b: Observation) -> bool:
    """Whether both come from one chain of residual windows, whose neighbours share part of their noise.

    A residual window keeps what its clamp leaves of its reference's noise: nothing on a bare wall, most in a cell full
    of edges. Correlations over LEANING windows were 0.02 in plain drawn rooms and up to 0.58 on a real clip
    (docs/residual.md), so a match within one chain is worth less than one between independent devices.
    """
    chained = "residual" in {a.statement.lut.name, b.statement.lut.name}
    return chained and _ledger(a) == _ledger(b) and a.level == b.level


def match(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Mutual nearest neighbours that pass the ratio test: (m, 2) indices into a (n, 128) and b (k, 128)."""
    if len(a) < 2 or len(b) < 2:
        return np.empty((0, 2), np.intp)
    one, two = a.astype(np.float32), b.astype(np.float32)
    squared = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1)[None] - 2 * one @ two.T
    distance = np.sqrt(np.maximum(squared, 0))
    nearest = distance.argmin(axis=1)
    rows = np.arange(len(a))
    mutual = distance.argmin(axis=0)[nearest] == rows
    best = np.partition(distance, 1, axis=1)
    kept = rows[mutual & (best[:, 0] < RATIO * best[:, 1])]
    return np.stack([kept, nearest[kept]], axis=1)


def agree(
    first: NDArray[np.floating], second: NDArray[np.floating], tolerance: float, *, fixed_camera: bool
) -> NDArray[np.bool_]:
    """Which matched points agree with one transform: (m,) bool for (m, 2) points in pixels.

    A similarity by RANSAC (deterministic: OpenCV seeds it the same each time), or the identity for a fixed camera.
    """
    if fixed_camera:
        still: NDArray[np.bool_] = np.linalg.norm(second - first, axis=1) <= tolerance
        return still
    none = np.zeros(len(first), np.bool_)
    if len(first) < 3:
        return none
    fitted: tuple[Any, Any] = cv2.estimateAffinePartial2D(
        first, second, method=cv2.RANSAC, ransacReprojThreshold=tolerance, maxIters=5000, confidence=0.999
    )
    transform, inliers = fitted
    if transform is None:
        return none
    zoom = float(np.hypot(transform[0, 0], transform[1, 0]))
    plausible = 1 / LARGEST_ZOOM <= zoom <= LARGEST_ZOOM
    return inliers.ravel().astype(np.bool_) if plausible else none


def judge(a: Features, b: Features, consistent: int, cosine: float | None, shared: int) -> tuple[Verdict, str]:
    """The verdict and its reason, from the agreeing matches, the cosine of the grid vectors and shared releases."""
    if obstacle := _obstacle(a, b, shared):
        return "not enough to tell", obstacle
    if consistent >= SAME_KEYPOINTS:
        return "same place", f"{consistent} keypoints agree; different places gave at most {CHANCE_KEYPOINTS}"
    if cosine is None:
        return "not enough to tell", f"{consistent} keypoints agree, and there are no grid vectors to compare"
    if cosine >= SAME_COSINE:
        return "same place", f"the grid vectors agree (cosine {cosine:.2f}), though only {consistent} keypoints do"
    if cosine < DIFFERENT_COSINE and consistent <= CHANCE_KEYPOINTS and max(a.noise, b.noise) <= CLEAR_NOISE:
        return (
            "different place",
            f"{consistent} keypoints agree, no more than by chance, and the cosine is {cosine:.2f}",
        )
    return "not enough to tell", f"{consistent} keypoints agree and the cosine is {cosine:.2f}: too little either way"


def _made_by(features: Features) -> tuple[str, bytes | None, bytes | None]:
    return features.method, features.model, features.codebook


def _ledger(observation: Observation) -> tuple[str, bytes]:
    return observation.device, observation.receipt.epoch


def _obstacle(a: Features, b: Features, shared: int) -> str:
    """Why agreement of these two would prove nothing; empty where it would."""
    if a.method != b.method:
        return f"the features were made by different methods, {a.method} and {b.method}"
    if _made_by(a) != _made_by(b):
        return f"the features were made by {a.method} with different models"
    return f"the two maps have releases in common ({shared}), so their noise agrees too" if shared else ""


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """None where the lengths differ, a vector is all zero, or both are too short to decide anything."""
    if len(a) != len(b) or len(a) < FEWEST_COMPONENTS or not a.any() or not b.any():
        return None
    return float(np.clip(a @ b, -1, 1))
