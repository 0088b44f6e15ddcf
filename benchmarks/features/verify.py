"""One geometric verification for all methods, so that none wins by its estimator."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.places import Homography

Points = NDArray[np.float64]
TOLERANCE = 1.0
"""Cells."""
ITERATIONS = 2000
CONFIDENCE = 0.999
FEWEST = 5
"""Matches. Four always agree with some homography."""
DRIFT = 2.0
"""Cells that a camera which is called fixed may have moved by."""


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """kept: (m,) which matches agree with the model. homography: of it, in cells; None where there is none."""

    kept: NDArray[np.bool_]
    homography: Homography | None


def homography(a: Points, b: Points) -> Verified:
    """MAGSAC++ (Barath et al., CVPR 2020) as OpenCV has it: deterministic, since its seed is fixed."""
    none = Verified(np.zeros(len(a), np.bool_), None)
    if len(a) < FEWEST:
        return none
    fitted: tuple[Any, Any] = cv2.findHomography(
        a, b, method=cv2.USAC_MAGSAC, ransacReprojThreshold=TOLERANCE, maxIters=ITERATIONS, confidence=CONFIDENCE
    )
    model, mask = fitted
    if model is None or mask is None:
        return none
    kept = mask.ravel().astype(np.bool_)
    return Verified(kept, np.asarray(model, np.float64)) if kept.sum() >= FEWEST else none


def drift(a: Points, b: Points) -> Verified:
    """For a fixed camera: the shift within DRIFT that most matches agree with, then the mean of those.

    Each match proposes its own displacement; there are at most 256.
    """
    moved = b - a
    small = np.linalg.norm(moved, axis=1) <= DRIFT
    if not small.any():
        return Verified(np.zeros(len(a), np.bool_), None)
    apart = np.linalg.norm(moved[small][:, None] - moved[None], axis=2) <= TOLERANCE
    most = apart[apart.sum(axis=1).argmax()]
    shift = moved[most].mean(axis=0)
    kept = np.linalg.norm(moved - shift, axis=1) <= TOLERANCE
    return Verified(kept, np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]]))
