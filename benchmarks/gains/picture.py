"""What the two best maps look like, on a drawn place: nothing from a real camera goes into the repository."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from benchmarks.gains import grids
from benchmarks.gains.chains import Looks
from benchmarks.gains.scenes import drawn

SHOWN = ("one grid, mean", "two grids, joined")
GAP = 8


def write(path: Path, epsilon: Fraction) -> None:
    """Side by side: the empty place, and after four windows the map on one grid and the map on two grids."""
    scene = next(iter(drawn(1)))
    looks = Looks(scene)
    panels = [cv2.resize(scene.empty, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)]
    height, width = (side // 16 * 8 - 8 for side in scene.empty.shape)
    panels = [panels[0][:height, :width]]
    for plan in grids.PLANS:
        if plan.taus and plan.name in SHOWN:
            grey, _ = grids.private_map(looks, 0, plan, epsilon, 0)
            shown = np.clip(cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255)
            panels.append(np.rint(shown).astype(np.uint8))
    between = np.full((height, GAP), 255, np.uint8)
    row = np.hstack([panels[0], *(part for panel in panels[1:] for part in (between, panel))])
    if not cv2.imwrite(str(path), row, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise SystemExit(f"{path}: cannot be written")
