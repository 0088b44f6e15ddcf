import numpy as np

from edge.features.corners import find


def quadrant(rows: int, columns: int, x: float, y: float, contrast: float) -> np.ndarray:
    """Cell means of a bright quadrant whose corner is at (x, y), in cells."""
    right = np.clip(np.arange(columns) + 0.5 - x, 0, 1)
    below = np.clip(np.arange(rows) + 0.5 - y, 0, 1)
    return 80 + contrast * below[:, None] * right[None, :]


def test_a_corner_gives_keypoints_and_flat_ground_none() -> None:
    assert len(find(quadrant(30, 40, 20.3, 14.8, 60), 0.0, expected_false=1).points) >= 1
    assert len(find(np.full((30, 40), 80.0), 0.0, expected_false=1).points) == 0
