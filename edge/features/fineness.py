"""Is a grid fine enough for keypoints? The one place where this is decided."""

COARSEST_CELL = 64
"""Cells of this size and more are too coarse for keypoints: measured, 4 correct matches at best on a whole frame."""
FEWEST_CELLS = 12
"""Cells along the shorter side below which a grid holds no neighbourhood to describe."""


def carries_keypoints(rows: int, columns: int, cell: int) -> bool:
    """Whether maps of rows x columns cells of `cell` frame pixels carry keypoints."""
    return cell < COARSEST_CELL and min(rows, columns) >= FEWEST_CELLS
