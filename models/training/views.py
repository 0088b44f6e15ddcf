"""Pairs of private maps of one place: two views, two lights, two noises, and where each point of one lies in the other.

The noise is the daemon's: independent Laplace noise on the integer sum of each cell (docs/privacy.md). Its scale is
thousands of steps, so a rounded continuous draw has the discrete law to within 10^-3 of its standard deviation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.drawn import Image

Grid = NDArray[np.float32]

ROWS, COLUMNS = 32, 40
"""Cells of a training map. The network has no fixed size."""
OVERSAMPLED = 4
"""Pixels of the rendered view along a cell."""
QUIET, LOUD = 1.0, 60.0
"""Standard deviation of the noise in grey, between which levels are drawn, evenly in the logarithm."""
LEFT_OUT = (26.0, 34.0)
"""Levels that are never trained on: the benchmark measures one of them."""
CLEAN = 0.1
"""Share of maps without noise."""
KINDS = ((0.06, 0.005), (0.06, 0.2), (0.6, 0.15), (1.4, 0.15))
"""How two views differ: strength of the homography, and largest shift in parts of the view.

A camera that stays; and one that looks elsewhere, turned little, moderately or far."""
SHARES = (0.1, 0.15, 0.35, 0.4)
COARSE, REPEATED = 0.2, 4
"""Share of pairs whose maps are of cells so many times as large, each repeated so often along both sides: grids that
are too coarse for keypoints are read like that (edge/features/learned.py)."""
STEPS_PER_GREY = 256
"""Sums of a cell of 16 x 16 pixels and one frame: the coarsest steps of any profile."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two noised maps of one place.

    noised: (2, ROWS, COLUMNS) grey. clean: the same without noise. noise: (2,) standard deviations in grey.
    homography: (3, 3), from cells of the first to cells of the second; the centre of the top-left cell is (0, 0).
    coarse: the cells are larger, and only the vector is to be learned.
    """

    noised: Grid
    clean: Grid
    noise: NDArray[np.float64]
    homography: NDArray[np.float64]
    coarse: bool


class Place:
    """An image and its halvings, so that a view at any scale is sampled without aliasing."""

    def __init__(self, image: Image) -> None:
        self.levels: list[Grid] = [image.astype(np.float32)]
        while min(self.levels[-1].shape) > 2 * ROWS:
            height, width = (side // 2 for side in self.levels[-1].shape)
            smaller = cv2.resize(self.levels[-1], (width, height), interpolation=cv2.INTER_AREA)
            self.levels.append(smaller.astype(np.float32))

    def view(self, from_image: NDArray[np.float64], *, flip: bool) -> Grid:
        """The cells seen through a homography from pixels of the image to unit coordinates of the view."""
        height, width = self.levels[0].shape
        # Pixels of the image per pixel of the view, at its middle, say which halving is sampled.
        middle = np.linalg.inv(from_image) @ np.array([[0.5, 0.5 + 1e-3, 0.5], [0.5, 0.5, 0.5 + 1e-3], [1, 1, 1]])
        middle = middle[:2] / middle[2]
        apart = np.linalg.norm(middle[:, 1:] - middle[:, :1], axis=0) * 1e3 / (OVERSAMPLED * np.array([COLUMNS, ROWS]))
        level = int(np.clip(round(math.log2(max(float(apart.mean()), 1e-6))), 0, len(self.levels) - 1))
        source = self.levels[level]
        shrunk = np.diag([width / source.shape[1], height / source.shape[0], 1.0])
        fine = np.diag([OVERSAMPLED * COLUMNS, OVERSAMPLED * ROWS, 1.0]) @ from_image @ shrunk
        half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
        fine = half @ fine @ np.linalg.inv(half)
        size = (OVERSAMPLED * COLUMNS, OVERSAMPLED * ROWS)
        seen = cv2.warpPerspective(source, fine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        cells = seen.reshape(ROWS, OVERSAMPLED, COLUMNS, OVERSAMPLED).mean((1, 3))
        return cells[:, ::-1] if flip else cells


def pair_of(place: Place, rng: np.random.Generator, *, loudness: float, other: Place | None = None) -> Pair:
    """Two views of one place.

    Args:
        place: what is seen.
        rng: of everything that is drawn.
        loudness: factor on the noise, 0..1: the curriculum.
        other: blended into the place where given, so that few photographs make many places.
    """
    height, width = place.levels[0].shape
    base = _framing(height, width, rng)
    flip = bool(rng.random() < 0.5)
    strength, shift = KINDS[rng.choice(len(KINDS), p=SHARES)]
    moves = [np.eye(3), _move(rng, strength, shift)]
    seen = [place.view(move @ base, flip=flip) for move in moves]
    if other is not None:
        second = _framing(other.levels[0].shape[0], other.levels[0].shape[1], rng)
        share = float(rng.uniform(0.2, 0.5))
        seen = [
            (1 - share) * one + share * other.view(move @ second, flip=flip)
            for one, move in zip(seen, moves, strict=True)
        ]
    inverted = rng.random() < 0.25
    contrast, middle = float(np.exp(rng.uniform(np.log(0.15), np.log(1.2)))), float(rng.uniform(60, 200))
    mean = float(seen[0].mean())
    clean, noised, levels = [], [], []
    shared = _level(rng, loudness)
    coarse = bool(rng.random() < COARSE)
    for one in seen:
        grey = middle + contrast * ((-1 if inverted else 1) * (one - mean))
        grey = _light(np.clip(grey, 0, 255), rng)
        if rng.random() < 0.5:
            grey = _visitors(grey, rng)
        level = shared if rng.random() < 0.7 else _level(rng, loudness)
        clean.append(grey)
        noised.append(_repeated(_noise(_merged(grey), level, rng)) if coarse else _noise(grey, level, rng))
        levels.append(level)
    to_cells = np.array([[COLUMNS, 0, -0.5], [0, ROWS, -0.5], [0, 0, 1.0]])
    turned = np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1.0]]) if flip else np.eye(3)
    homography = to_cells @ turned @ moves[1] @ turned @ np.linalg.inv(to_cells)
    return Pair(
        np.stack(noised).astype(np.float32), np.stack(clean).astype(np.float32), np.array(levels), homography, coarse
    )


def places(images: Sequence[Image]) -> list[Place]:
    """What views are made of, of each image."""
    return [Place(image) for image in images]


def _framing(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A rectangle of the image, as a homography from its pixels to the unit square."""
    share = float(rng.uniform(0.45, 1.0))
    across = share * min(width, height * COLUMNS / ROWS)
    down = across * ROWS / COLUMNS
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    return np.array([[1 / across, 0, -left / across], [0, 1 / down, -top / down], [0, 0, 1]])


def _move(rng: np.random.Generator, strength: float, widest: float) -> NDArray[np.float64]:
    """A homography of the unit square: corners, rotation, scale and shift. At 1 and 0.08, the benchmark's."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    jittered = corners + strength * rng.uniform(-0.06, 0.06, (4, 2))
    perspective = cv2.getPerspectiveTransform(corners.astype(np.float32), jittered.astype(np.float32))
    angle = math.radians(strength * float(rng.uniform(-18, 18)))
    scale = math.exp(strength * float(rng.uniform(-1, 1)) * math.log(1.2))
    shift = rng.uniform(-widest, widest, 2)
    ratio = COLUMNS / ROWS
    turn = np.array(
        [
            [scale * math.cos(angle), -scale * math.sin(angle) / ratio, 0.5 + shift[0]],
            [scale * math.sin(angle) * ratio, scale * math.cos(angle), 0.5 + shift[1]],
            [0, 0, 1],
        ]
    )
    move: NDArray[np.float64] = turn @ np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]]) @ perspective
    return move


def _light(grey: Grid, rng: np.random.Generator) -> Grid:
    """Gain, gamma and a slope over the picture: another time of day."""
    if rng.random() < 0.2:
        return grey
    exponent, gain = float(np.exp(rng.normal(0, 0.15))), float(np.exp(rng.normal(0, 0.15)))
    slope = rng.normal(0, 0.15, 2)
    y, x = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : COLUMNS * 1j]
    lit = 255 * (grey / 255) ** exponent * gain * np.clip(1 + slope[0] * x + slope[1] * y, 0.5, 1.5)
    return np.clip(lit, 0, 255).astype(np.float32)


def _visitors(grey: Grid, rng: np.random.Generator) -> Grid:
    """Faint traces of people and of things that were moved: what is in one window only."""
    left = grey.copy()
    for _ in range(int(rng.integers(1, 5))):
        w, h = int(rng.integers(1, 7)), int(rng.integers(2, 12))
        x, y = int(rng.integers(0, COLUMNS - w)), int(rng.integers(0, ROWS - h))
        share = float(rng.uniform(0.05, 1)) ** 2
        left[y : y + h, x : x + w] += share * (float(rng.uniform(0, 255)) - left[y : y + h, x : x + w])
    return left


def _merged(grey: Grid) -> Grid:
    return grey.reshape(ROWS // REPEATED, REPEATED, COLUMNS // REPEATED, REPEATED).mean((1, 3))


def _repeated(grey: Grid) -> Grid:
    return grey.repeat(REPEATED, 0).repeat(REPEATED, 1)


def _level(rng: np.random.Generator, loudness: float) -> float:
    if rng.random() < CLEAN:
        return 0.0
    while True:
        level = math.exp(rng.uniform(math.log(QUIET), math.log(LOUD)))
        if not LEFT_OUT[0] < level < LEFT_OUT[1]:
            return level * loudness


def _noise(grey: Grid, level: float, rng: np.random.Generator) -> Grid:
    noise = rng.laplace(0, level / math.sqrt(2), grey.shape) if level else 0.0
    return (np.rint((grey + noise) * STEPS_PER_GREY) / STEPS_PER_GREY).astype(np.float32)
