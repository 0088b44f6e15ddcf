"""The keypoints of a map: corners that the noise lets be placed, and a lattice of blocks that show more than noise.

Where the noise is low, corners say where things are; where it is high, their places wander and the lattice alone comes
back (docs/features.md). Each keypoint says how far it may be off.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.features import corners, lattice

MOST = 256
CORNERS = 3 / 8
"""Of the keypoints, at most so many are corners while there are blocks for the others."""

DIAMETER = 2 * math.sqrt(2)
"""Of a blob whose response is strongest at scale 1 (Lindeberg, IJCV 1998)."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """Keypoints, strongest first; of equal strength by row, then column, corners before blocks.

    points: (n, 2) x and y in cells, the centre of the top-left cell being (0, 0). size: (n,) in cells: of a corner the
    diameter of a blob of its scale, of a block its side. strength: (n,) curvature in standard deviations of noise.
    spread: (n,) standard deviation of the position along each axis, in cells: of a corner what the noise makes of it,
    of a block that of a point anywhere in it.
    """

    points: Array
    size: Array
    strength: Array
    spread: Array


def find(
    image: NDArray[np.floating], noise: float, *, expected_false: float, most: int = MOST, excess: float = 3.0
) -> Keypoints:
    """The keypoints of a map that its noise does not explain.

    Args:
        image: (rows, columns) grey, with white noise, before any denoising; at least 2 x 2 where `most` is not 0.
        noise: standard deviation of one cell's noise, in grey.
        expected_false: how many keypoints a map of this size would have if it were noise alone, on average; above 0.
            Half of them are corners.
        most: keypoints at most, 0 or more.
        excess: excess kurtosis of one cell's noise: 3 for Laplace noise, 0 for Gaussian, 3/k for the mean of k maps.
    """
    if most == 0:
        return Keypoints(np.empty((0, 2)), np.empty(0), np.empty(0), np.empty(0))
    blocks = lattice.find(image, noise, expected_false=expected_false / 2, most=most, excess=excess)
    room = max(int(most * CORNERS), most - len(blocks.points))
    peaks = corners.find(image, noise, expected_false=expected_false / 2, most=room, excess=excess)
    left = most - len(peaks.points)
    points = np.concatenate([peaks.points, blocks.points[:left]])
    strength = np.concatenate([peaks.strength, blocks.strength[:left]])
    order = np.lexsort((points[:, 0], points[:, 1], -strength))
    spread = np.full(len(points), lattice.SPREAD)
    spread[: len(peaks.points)] = peaks.spread
    size = np.full(len(points), float(lattice.BLOCK))
    size[: len(peaks.points)] = peaks.sigma * DIAMETER
    return Keypoints(points[order], size[order], strength[order], spread[order])
