"""Points where a response is largest, over several scales."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Response = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """points: (n, 2) float64, x and y in pixels of the response. scale: (n,) in pixels. strength: (n,), largest first.

    level: (n,) intp, which of the scales each was found at.
    """

    points: NDArray[np.float64]
    scale: NDArray[np.float64]
    strength: NDArray[np.float64]
    level: NDArray[np.intp]

    def chosen(self, kept: NDArray[np.intp]) -> "Found":
        return Found(self.points[kept], self.scale[kept], self.strength[kept], self.level[kept])


def maxima(responses: Sequence[Response], scales: Sequence[float]) -> Found:
    """Local maxima above 0 of each response (rows, columns) in a window of 2r + 1 pixels, r = max(2, scale).

    A parabola through three samples along each axis places a maximum between the pixels.
    """
    parts = []
    for level, (response, scale) in enumerate(zip(responses, scales, strict=True)):
        radius = max(2, round(scale))
        highest = cv2.dilate(response, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))
        rows, columns = np.nonzero((response == highest) & (response > 0))
        parts.append((_between(response, rows, columns), response[rows, columns], np.full(len(rows), level)))
    points = np.concatenate([part[0] for part in parts])
    strength = np.concatenate([part[1] for part in parts]).astype(np.float64)
    levels = np.concatenate([part[2] for part in parts]).astype(np.intp)
    found = Found(points, np.asarray(scales, np.float64)[levels], strength, levels)
    return found.chosen(np.argsort(-strength, kind="stable"))


def shared_out(found: Found, most: int) -> NDArray[np.intp]:
    """Indices of at most `most`, strongest first: to each scale a part in proportion to 1/scale²."""
    weights = {int(level): 1 / float(found.scale[found.level == level][0]) ** 2 for level in np.unique(found.level)}
    total = sum(weights.values())
    kept = [np.flatnonzero(found.level == level)[: round(most * weight / total)] for level, weight in weights.items()]
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, np.intp)


def _between(response: Response, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    framed = np.pad(response.astype(np.float64), 1, mode="edge")
    r, c = rows + 1, columns + 1
    middle = framed[r, c]

    def off(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
        bend = before - 2 * middle + after
        shift: NDArray[np.float64] = np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1), 0)
        return np.clip(shift, -0.5, 0.5)

    return np.stack(
        [columns + off(framed[r, c - 1], framed[r, c + 1]), rows + off(framed[r - 1, c], framed[r + 1, c])], 1
    )
