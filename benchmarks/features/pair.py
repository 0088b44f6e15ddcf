"""Two noised views of one scene with the truth between them: what methods are tuned on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two maps of one scene.

    a, b: (rows, columns) float32 grey, each with its own noise. noise_a, noise_b: standard deviation of one cell's
    noise, in grey. homography: (3, 3) float64, takes [x, y, 1] in cells of a to cells of b; the centre of the top-left
    cell is (0, 0). name: of the scene, for tables.
    """

    a: NDArray[np.float32]
    b: NDArray[np.float32]
    noise_a: float
    noise_b: float
    homography: NDArray[np.float64]
    name: str

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where points (n, 2) of a lie in b, in cells."""
        lifted = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ self.homography.T
        projected: NDArray[np.float64] = lifted[:, :2] / lifted[:, 2:]
        return projected
