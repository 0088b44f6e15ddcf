"""Is what two private maps agree about the room, or the people in it?

The demo may look at its own input, so it can make the map of the empty room: the temporal median of every pixel, which
a passer-by does not reach. A keypoint that two windows agree about and that is also on this map is the room's.
"""

import numpy as np
from numpy.typing import NDArray

from collector.compare import compare
from drivers.errors import CameraError
from edge.config import CameraSettings
from edge.devices import make_camera
from edge.features.describe import describe
from edge.features.map import Map
from wire.schema import Features

SAMPLES = 96
"""Frames that the median is taken over."""


def empty_room(settings: CameraSettings, frames: int, cell: int) -> Features:
    """Features of the room without people: no noise, no window, nobody in it.

    Args:
        settings: the camera of the demo; opened again and read from its beginning.
        frames: how many frames the demo took.
        cell: side of a cell in pixels.
    """
    camera = make_camera(settings)
    identity = camera.open()
    plane = np.zeros((identity.height, identity.width), np.uint8)
    step = max(1, frames // SAMPLES)
    kept = []
    try:
        for index in range(frames):
            camera.read(plane, 5.0)
            if index % step == 0:
                kept.append(plane.copy())
    except CameraError:
        pass
    camera.close()
    room: NDArray[np.float64] = np.median(np.stack(kept), axis=0)
    rows, columns = identity.height // cell, identity.width // cell
    means = room[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).mean(axis=(1, 3))
    return describe(Map(means.astype(np.float32), 0.0, cell, identity.width, identity.height, (1,)))


def of_the_room(older: Features, newer: Features, room: Features) -> tuple[int, int, int]:
    """How many matches two windows have, how many agree, and how many of those are on the empty room's map too."""
    windows = compare(older, newer)
    agreed = {j for (_, j), agrees in zip(windows.matches, windows.agrees, strict=True) if agrees}
    against = compare(newer, room, fixed_camera=True)
    found = {i for (i, _), agrees in zip(against.matches, against.agrees, strict=True) if agrees}
    return len(windows.matches), len(agreed), len(agreed & found)
