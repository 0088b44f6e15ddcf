"""Is what two private maps agree about the room, or the people in it?

The demo may look at its own input, so it can make the map of the empty room: the temporal median of every cell, which
passers-by do not reach. A keypoint is the room's where the private map around it looks like the empty room.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.errors import CameraError
from edge.config import CameraSettings
from edge.devices import make_camera

Grey = NDArray[np.float64]

SAMPLES = 128
"""Frames that the median is taken over."""
ALIKE = 0.7
"""Correlation of the private map with the empty room around a keypoint, at least.

On the clip that docs/features.md measures, nine in ten agreeing keypoints reach 0.8; keypoints on people, in single
frames, have a median of 0.5.
"""


def empty_room(settings: CameraSettings, frames: int, cell: int) -> Grey:
    """The median grey of each cell of the room: (rows, columns).

    Args:
        settings: the camera of the demo; opened again and read from its beginning.
        frames: how many frames the demo took.
        cell: side of a cell in pixels.
    """
    camera = make_camera(settings)
    identity = camera.open()
    plane = np.zeros((identity.height, identity.width), np.uint8)
    rows, columns = identity.height // cell, identity.width // cell
    step = max(1, frames // SAMPLES)
    kept = []
    try:
        for index in range(frames):
            camera.read(plane, 5.0)
            if index % step == 0:
                part = plane[: rows * cell, : columns * cell]
                kept.append(part.reshape(rows, cell, columns, cell).mean(axis=(1, 3)))
    except CameraError:
        pass
    camera.close()
    room: Grey = np.median(np.stack(kept), axis=0)
    return room


def of_the_room(
    points: NDArray[np.float64], diameters: NDArray[np.float64], private: NDArray[np.floating], room: Grey
) -> list[bool]:
    """For each keypoint, (n, 2) and (n,) in cells, whether the map around it shows the empty room."""
    return [
        _correlation(_patch(private, x, y, d), _patch(room, x, y, d)) >= ALIKE
        for (x, y), d in zip(points.tolist(), diameters.tolist(), strict=True)
    ]


def _patch(image: NDArray[np.floating], x: float, y: float, diameter: float) -> Grey:
    """The square of cells that reaches one diameter from the keypoint, at least 3 cells wide."""
    side = 2 * max(1, round(diameter)) + 1
    return cv2.getRectSubPix(image.astype(np.float32), (side, side), (x, y)).astype(np.float64)


def _correlation(a: Grey, b: Grey) -> float:
    one, two = a - a.mean(), b - b.mean()
    return float((one * two).sum() / max(np.sqrt((one**2).sum() * (two**2).sum()), 1e-9))
