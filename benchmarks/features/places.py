"""Places, seen several times: what every table is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.levels import Counts, Level, Sums, absolute, residual
from benchmarks.features.pair import Pair
from edge.features.map import Map

CELLS = (8, 16, 32, 64)
Plane = NDArray[np.uint8]
Homography = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One look at a place, before noise.

    sums: by the size of a cell. homography: (3, 3), takes pixels of the place's first view to pixels of this one; the
    centre of the top-left pixel is (0, 0). chain: of a clip, what a residual window and the one before it need.
    """

    sums: Mapping[int, Sums]
    homography: Homography = field(default_factory=lambda: np.eye(3))
    chain: Mapping[int, tuple[Sums, Counts]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place by its name, and its views. "first" is in the gallery, and all pairs begin with it.

    stranger: whether it is there to be another place only.
    """

    name: str
    views: Mapping[str, View]
    stranger: bool = False

    def map(self, view: str, level: Level, seed: int) -> Map:
        """The map of a view with noise of its own: the same for the same seed, whatever else was drawn before."""
        names = (self.name, view, level.name)
        random = np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])
        seen = self.views[view]
        if level.tau and level.cell in seen.chain:
            return residual(*seen.chain[level.cell], level, random)
        if level.tau:  # one frame has no window before it: as much noise
            level = Level(level.cell, level.noise)
        return absolute(seen.sums[level.cell], level, random)

    def truth(self, view: str, cell: int) -> Homography:
        """Takes cells of the first view to cells of this one."""
        return in_cells(self.views[view].homography, cell)

    def pair(self, view: str, level: Level, seed: int) -> Pair:
        """The first view and another, as methods are tuned on them."""
        a, b = self.map("first", level, seed), self.map(view, level, seed)
        return Pair(a.image, b.image, a.noise, b.noise, self.truth(view, level.cell), self.name)


def in_cells(homography: Homography, cell: int) -> Homography:
    """A homography of pixels as one of cells: the centre of cell j is at pixel (j + 1/2) · cell - 1/2."""
    to_pixels = np.array([[cell, 0, (cell - 1) / 2], [0, cell, (cell - 1) / 2], [0, 0, 1]])
    lifted = np.linalg.inv(to_pixels) @ homography @ to_pixels
    out: Homography = lifted / lifted[2, 2]
    return out


def project(homography: Homography, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 2) under a homography; infinite where they go behind the camera."""
    lifted = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ homography.T
    depth = np.where(lifted[:, 2:] > 0, lifted[:, 2:], np.nan)
    out: NDArray[np.float64] = np.nan_to_num(lifted[:, :2] / depth, nan=np.inf)
    return out


def sums_of(frames: NDArray[np.uint8], cell: int) -> Sums:
    """Exact sums of the pixels of each cell over frames (n, height, width); what is beyond whole cells is left out."""
    count, height, width = frames.shape
    rows, columns = height // cell, width // cell
    total = np.zeros((rows, columns), np.int64)
    for frame in frames:
        blocks = frame[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
        total += blocks.sum(axis=(1, 3), dtype=np.int64)
    return Sums(total, count)


def view_of(plane: Plane, homography: Homography | None = None) -> View:
    """One frame (height, width) as a view, with sums for all sizes of cell."""
    sums = {cell: sums_of(plane[None], cell) for cell in CELLS}
    return View(sums, np.eye(3) if homography is None else homography)


def warped(plane: Plane, random: np.random.Generator, *, wide: bool) -> View:
    """The clean frame seen from elsewhere; rounded to 8 bits, borders reflected. No noise is ever warped."""
    height, width = plane.shape
    homography = random_homography(width, height, random, wide=wide)
    # A slight blur where the view shrinks would be a camera's; within 1/1.35 of the size, cells of 8 and more hide it.
    seen = cv2.warpPerspective(
        plane, homography, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return view_of(np.asarray(seen, np.uint8), homography)


def random_homography(width: int, height: int, random: np.random.Generator, *, wide: bool) -> Homography:
    """Perspective jitter of the four corners, then rotation, scale and shift about the centre.

    Moderate: corners ± 6 % of each side, ± 20°, scale 1/1.2 to 1.2, shift ± 8 %. Wide: ± 10 %, ± 25°, 1/1.35 to 1.35,
    ± 15 %. All uniform, scale in its logarithm.
    """
    jitter, turn, zoom, shift = (0.10, 25.0, 1.35, 0.15) if wide else (0.06, 20.0, 1.2, 0.08)
    side = np.array([width, height], np.float64)
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (side - 1)
    moved = corners + random.uniform(-jitter, jitter, (4, 2)) * side
    perspective = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    angle = np.deg2rad(random.uniform(-turn, turn))
    scale = np.exp(random.uniform(-np.log(zoom), np.log(zoom)))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    middle = (side - 1) / 2
    offset = middle + random.uniform(-shift, shift, 2) * side - np.array([[cos, -sin], [sin, cos]]) @ middle
    similarity = np.array([[cos, -sin, offset[0]], [sin, cos, offset[1]], [0, 0, 1]])
    both = similarity @ np.asarray(perspective, np.float64)
    out: Homography = both / both[2, 2]
    return out
