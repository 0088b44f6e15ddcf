"""A drawn place and its days: light that drifts, people who pass, one who stands, and what happens to the camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 480, 640
SENSOR = 3.0
"""Grey: standard deviation of one pixel of one frame."""
LOOKS = 12
"""Different frames of one window. The real one has thousands; they are what the noise is scaled for, not drawn."""

Scene = NDArray[np.float32]
Frames = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Day:
    """What one window sees. gain: of the light. people: how many in each frame. standing: frames one stands through."""

    gain: float = 1.0
    people: int = 3
    standing: int = 5


def draw(rng: np.random.Generator, contrast: float = 1.0) -> Scene:
    """Dead leaves (Lee, Mumford and Huang, IJCV 2001) with grain: (480, 640) grey. contrast 0.3: a plain room."""
    image = np.full((HEIGHT, WIDTH), 128, np.float32)
    radii = np.sort(8 / np.sqrt(rng.uniform((8 / 160) ** 2, 1, 1500)))[::-1]
    # Small leaves last would hide all the large ones: the order is random.
    for radius in rng.permutation(radii):
        centre = (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)))
        cv2.circle(image, centre, int(radius), float(rng.uniform(20, 235)), -1)
    grain = cv2.GaussianBlur(rng.normal(0, 1, image.shape).astype(np.float32), (0, 0), 1.5)
    image = cv2.GaussianBlur(image, (0, 0), 1.0) + 6 * grain / grain.std()
    drawn: Scene = np.clip(128 + contrast * (image - 128), 4, 250).astype(np.float32)
    return drawn


def look(scene: Scene, day: Day, rng: np.random.Generator) -> Frames:
    """(LOOKS, 480, 640) uint8: the frames of one window."""
    still = _person(rng)
    frames = np.empty((LOOKS, HEIGHT, WIDTH), np.uint8)
    for index in range(LOOKS):
        frame = scene * np.float32(day.gain)
        people = [_person(rng) for _ in range(day.people)] + ([still] if index < day.standing else [])
        for x, y, grey in people:
            frame[y : y + 96, x : x + 36] = grey * day.gain
        frame += SENSOR * rng.standard_normal(frame.shape, np.float32)
        frames[index] = np.clip(np.rint(frame), 0, 255)
    return frames


def turned(scene: Scene, pixels: int) -> Scene:
    """The scene as a camera sees it that has turned by so many pixels; what comes in at the edge is mirrored."""
    wider: Scene = cv2.copyMakeBorder(scene[:, pixels:], 0, 0, 0, pixels, cv2.BORDER_REFLECT).astype(np.float32)
    return wider


def _person(rng: np.random.Generator) -> tuple[int, int, float]:
    return int(rng.integers(WIDTH - 36)), int(rng.integers(HEIGHT - 96)), float(rng.uniform(10, 240))
