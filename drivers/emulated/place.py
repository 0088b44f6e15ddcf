import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.camera.base import CameraIdentity
from drivers.camera.plane import Plane, check_plane
from drivers.emulated.scenery import draw_background, draw_person
from drivers.errors import CameraError, CameraReason

_FIGURES = 24
_MARGIN = 64
_PLACE, _NOISE, _FIGURE, _VISIT, _FRAME = range(5)
"""Which part of the world a stream of random numbers draws, so that no two parts share one."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a person is, in pixels of the frame and clipped to it, from its upper left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Visit:
    """One person, from one frame to another, walking from one column to another."""

    figure: int
    first: int
    frames: int
    start: int
    end: int
    bottom: int


class PlaceCamera:
    """A drawn place with people who walk through it, whose truth is known. Any frame can be computed by its number.

    The people of a place come in blocks of 4 * mean_visit_frames frames; nobody stays from one block into the next, so
    no visit is longer than 2 * mean_visit_frames - 1 frames.
    """

    def __init__(
        self,
        *,
        width: int = 640,
        height: int = 480,
        seed: int = 1,
        people_seed: int = 1,
        mean_people: float = 1.0,
        mean_visit_frames: int = 30,
        frames: int | None = None,
        noise: float = 2.0,
        light_drift: float = 0.0,
        light_period: int = 1000,
    ) -> None:
        """A camera that looks at the place that `seed` draws.

        Args:
            width: pixels.
            height: pixels.
            seed: which place.
            people_seed: who comes, and when.
            mean_people: how many people are there in a frame, on average.
            mean_visit_frames: how many frames a visit has on average; 1 makes every visit one frame.
            frames: how many frames until ENDED; None for no end.
            noise: standard deviation of the sensor's noise, grey.
            light_drift: by which fraction the light swings around its mean.
            light_period: frames of one swing.
        """
        self._seed = seed
        self._people_seed = people_seed
        self._visit_frames = mean_visit_frames
        self._tracks = math.ceil(4 * mean_people)
        # A visit fills a quarter of its block, on average.
        self._presence = 4 * mean_people / self._tracks if self._tracks else 0.0
        self._frames = frames
        self._light_drift = light_drift
        self._light_period = light_period
        self._index = 0
        self._open = False
        self._identity = CameraIdentity("synthetic", f"place {seed}", width, height, 255, "luma", simulated=True)
        self.background: NDArray[np.uint8] = draw_background(width, height, _random(seed, _PLACE))
        self.background.flags.writeable = False
        self._figures = [self._figure(number) for number in range(_FIGURES)]
        grain = _random(seed, _NOISE).normal(0, noise, (height + _MARGIN, width + _MARGIN))
        self._grain = np.rint(grain).astype(np.int16)
        self._scratch: NDArray[np.int16] = np.zeros((height, width), np.int16)
        self._block: tuple[int, list[_Visit]] = (-1, [])

    def open(self) -> CameraIdentity:
        """Begin with frame 0."""
        self._open = True
        self._index = 0
        return self._identity

    def read(self, plane: Plane, deadline: float) -> None:  # noqa: ARG002 -- a drawing is never late
        """Fill the plane with the next frame. Raises CameraError(ENDED, CLOSED)."""
        check_plane(self._identity if self._open else None, plane)
        if self._frames is not None and self._index >= self._frames:
            raise CameraError(CameraReason.ENDED, "the place has no more frames", "Set frames to a higher number.")
        self._draw(self._index, plane)
        self._index += 1

    def close(self) -> None:
        """End; the truth stays available."""
        self._open = False

    def people(self, frame_index: int) -> tuple[Box, ...]:
        """Where people are in this frame; nearer ones later."""
        return tuple(box for visit in self._present(frame_index) if (box := self._box(visit, frame_index)) is not None)

    def mask(self, frame_index: int) -> NDArray[np.bool_]:
        """The pixels (height, width) of this frame that show a person."""
        mask = np.zeros(self.background.shape, np.bool_)
        for visit in self._present(frame_index):
            window, cut = self._window(visit, frame_index)
            mask[window] |= self._figures[visit.figure][1][cut]
        return mask

    def _draw(self, index: int, plane: Plane) -> None:
        np.copyto(plane, self.background)
        for visit in self._present(index):
            window, cut = self._window(visit, index)
            figure, shape = self._figures[visit.figure]
            np.copyto(plane[window], figure[cut], where=shape[cut])
        height, width = plane.shape
        down, right = _random(self._seed, _FRAME, index).integers(0, _MARGIN + 1, 2)
        np.copyto(self._scratch, plane)
        if self._light_drift:
            swing = math.sin(2 * math.pi * index / self._light_period)
            # In hundredths: 255 * 128 still fits into int16, so the light may swing by 28 %.
            self._scratch *= np.int16(round(100 * (1 + self._light_drift * swing)))
            self._scratch //= np.int16(100)
        self._scratch += self._grain[down : down + height, right : right + width]
        np.clip(self._scratch, 0, 255, out=self._scratch)
        np.copyto(plane, self._scratch, casting="unsafe")

    def _figure(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        random = _random(self._people_seed, _FIGURE, number)
        unit = self._identity.height / 480
        tall = random.uniform(60, 160)
        wide = min(max(tall * random.uniform(0.32, 0.4), 20), 60)
        return draw_person(max(round(wide * unit), 4), max(round(tall * unit), 8), random)

    def _present(self, index: int) -> list[_Visit]:
        number = index // (4 * self._visit_frames)
        if self._block[0] != number:
            self._block = (number, self._visits(number))
        return [visit for visit in self._block[1] if visit.first <= index < visit.first + visit.frames]

    def _visits(self, block: int) -> list[_Visit]:
        random = _random(self._people_seed, _VISIT, block)
        span = 4 * self._visit_frames
        height, width = self.background.shape
        visits = []
        for _ in range(self._tracks):
            comes = random.random() < self._presence
            frames = int(random.integers(1, 2 * self._visit_frames))
            first = block * span + int(random.integers(0, span - frames + 1))
            figure = int(random.integers(_FIGURES))
            tall, wide = self._figures[figure][0].shape
            start, end = (int(column) for column in random.integers(-wide // 2, width - wide // 2, 2))
            # Taller figures are nearer, and stand lower in the frame.
            bottom = min(round(height * (0.45 + 0.5 * tall / height + random.uniform(0, 0.3))), height)
            if comes:
                visits.append(_Visit(figure, first, frames, start, end, bottom))
        return sorted(visits, key=lambda visit: visit.bottom)

    def _box(self, visit: _Visit, index: int) -> Box | None:
        rows, columns = self._window(visit, index)[0]
        if columns.stop <= columns.start or rows.stop <= rows.start:
            return None
        return Box(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)

    def _window(self, visit: _Visit, index: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where the figure lies in the frame, and which part of the figure that is."""
        height, width = self.background.shape
        tall, wide = self._figures[visit.figure][0].shape
        left = visit.start + (visit.end - visit.start) * (index - visit.first) // visit.frames
        top = visit.bottom - tall
        columns = slice(max(left, 0), max(min(left + wide, width), 0))
        rows = slice(max(top, 0), max(min(top + tall, height), 0))
        cut = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
        return (rows, columns), cut


def _random(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)
