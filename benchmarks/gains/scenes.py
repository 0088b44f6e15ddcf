"""What the candidates look at: drawn places and photographs with drawn people in them, and windows of a real clip.

A scene has two runs of windows with other people and other sensor noise, so that two private maps of one place can be
compared. A window has a few frames only: the noise is scaled for the part of a window that a visit may take, not for
a number of frames, so a window of 24 frames stands for a day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.emulated.scenery import draw_background, draw_person

CELL = 16
MARGIN = CELL
"""Pixels that a scene is larger than a view, so that a second camera can look a little to the side."""
ASIDE = (7, 5)
"""Pixels down and right that a second camera looks to the side: not whole cells."""
FRAMES = 24
SENSOR = 3.0
"""Grey: standard deviation of one pixel of one frame."""
STANDING = 3
"""People of each window who stand still, for 20 % to 60 % of it."""
WALKING = 3
"""People in each frame who are elsewhere in the next."""

Frames = NDArray[np.uint8]
Grey = NDArray[np.float64]
Kind = TypeVar("Kind", bound=np.generic)


class Shot(NamedTuple):
    """frames: (n, height, width). stood: the share of the frames in which somebody covers each pixel."""

    frames: Frames
    stood: Grey


class Scene(Protocol):
    """A place. empty: (height + MARGIN, width + MARGIN) uint8, without people and noise."""

    name: str
    empty: Frames

    def shot(self, run: int, index: int, gain: float = 1.0) -> Shot:
        """Window `index` of a run, as large as `empty`, with light of this gain."""
        ...


@dataclass
class Staged:
    """A still background with drawn people and a sensor's noise."""

    name: str
    empty: Frames
    seed: int

    def shot(self, run: int, index: int, gain: float = 1.0) -> Shot:
        rng = np.random.default_rng((self.seed, run, index))
        frames = np.repeat(self.empty[None], FRAMES, axis=0)
        stood = np.zeros(frames.shape, np.bool_)
        for _ in range(STANDING):
            length = int(rng.integers(FRAMES // 5, FRAMES * 3 // 5 + 1))
            first = int(rng.integers(FRAMES - length + 1))
            self._paste(frames, stood, slice(first, first + length), rng)
        for _ in range(WALKING * FRAMES):
            first = int(rng.integers(FRAMES))
            self._paste(frames, stood, slice(first, first + 1), rng)
        return Shot(_exposed(frames, gain, rng), stood.mean(axis=0))

    def _paste(self, frames: Frames, stood: NDArray[np.bool_], when: slice, rng: np.random.Generator) -> None:
        height, width = self.empty.shape
        tall = int(rng.integers(height // 6, height // 3))
        wide = tall * 3 // 8
        figure, shape = draw_person(wide, tall, rng)
        top, left = int(rng.integers(height // 4, height - tall)), int(rng.integers(width - wide))
        there = (when, slice(top, top + tall), slice(left, left + wide))
        np.copyto(frames[there], figure, where=shape)
        stood[there] |= shape


@dataclass
class Clip:
    """A clip from a fixed camera, cut into two runs of windows. Its median stands for the place without people."""

    name: str
    empty: Frames
    frames: Frames

    def shot(self, run: int, index: int, gain: float = 1.0) -> Shot:
        half = len(self.frames) // 2
        length = half // 4
        first = run * half + index % 4 * length
        window = self.frames[first : first + length]
        away = np.abs(window.astype(np.int16) - self.empty.astype(np.int16)) > 24
        shown = window if gain == 1 else np.clip(np.rint(window * np.float32(gain)), 0, 255).astype(np.uint8)
        return Shot(shown, away.mean(axis=0))


def drawn(count: int) -> Iterator[Scene]:
    """Places of 624 x 464 pixels and the margin, each by its seed."""
    for seed in range(count):
        yield Staged(f"drawn {seed}", draw_background(640, 480, np.random.default_rng((7, seed))), seed)


def photographs(folder: Path, count: int) -> Iterator[Scene]:
    """Every k-th photograph of a folder, as the background."""
    paths = sorted(p for p in folder.iterdir() if p.suffix in {".jpg", ".png"})
    for number, path in enumerate(paths[:: max(1, len(paths) // max(1, count))][:count]):
        yield Staged(f"photograph {path.stem}", _whole_cells(_read(path)), 1000 + number)


def clip(path: Path) -> Scene:
    """A clip, and every so many frames of it, so that a window has about FRAMES of them."""
    video = cv2.VideoCapture(str(path))
    frames = []
    while (got := video.read())[0]:
        frames.append(_whole_cells(cv2.cvtColor(got[1], cv2.COLOR_BGR2GRAY).astype(np.uint8)))
    if len(frames) < 8 * FRAMES:
        raise SystemExit(f"{path}: fewer than {8 * FRAMES} frames")
    kept = np.stack(frames[:: len(frames) // (8 * FRAMES)])
    return Clip(f"clip {path.stem}", np.median(kept, axis=0).astype(np.uint8), kept)


def view(plane: NDArray[Kind], down: int = 0, right: int = 0) -> NDArray[Kind]:
    """What a camera sees that looks so many pixels further down and right: the last two axes lose MARGIN."""
    height, width = plane.shape[-2] - MARGIN, plane.shape[-1] - MARGIN
    return plane[..., down : down + height, right : right + width]


def _exposed(frames: Frames, gain: float, rng: np.random.Generator) -> Frames:
    shown = frames.astype(np.float32)
    shown *= np.float32(gain)
    shown += SENSOR * rng.standard_normal(shown.shape, np.float32)
    return np.clip(np.rint(shown, out=shown), 0, 255, out=shown).astype(np.uint8)


def _whole_cells(image: Frames) -> Frames:
    height, width = (side // CELL * CELL for side in image.shape)
    return image[:height, :width]


def _read(path: Path) -> Frames:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise SystemExit(f"{path}: not an image")
    return image.astype(np.uint8)
