"""The two pictures that only the demo shows: what the camera was shown, and the private map.

The input is read from the clip or the synthetic place itself, by a second camera of the demo's own; capture has no way
to give a frame away. The map is computed from the releases that the device keeps, which are safe for the world.
"""

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.errors import CameraError
from edge.config import CameraSettings
from edge.devices import make_camera
from edge.features.denoise import denoise
from edge.features.map import MapKeeper
from edge.privacy.window import Release


class InputView:
    """The frame that the camera was shown most recently, as a PNG."""

    def __init__(self, settings: CameraSettings) -> None:
        self._camera = make_camera(settings)
        identity = self._camera.open()
        self._plane: NDArray[np.uint8] = np.zeros((identity.height, identity.width), np.uint8)
        self._count = 0
        self._lock = threading.Lock()

    def png(self, frames: int) -> bytes:
        """The picture after `frames` frames; frames between calls are passed over."""
        with self._lock:
            try:
                while self._count < frames:
                    self._camera.read(self._plane, 5.0)
                    self._count += 1
            except CameraError:
                self._count = frames
            return encode_png(self._plane)


class MapView:
    """The newest private map of the finest level, as a PNG."""

    def __init__(self, releases: Path, fuse: int) -> None:
        self._releases = releases
        self._fuse = fuse

    def png(self) -> bytes:
        """The picture; plain grey while there is no release yet."""
        levels = [level for level in self._releases.glob("*") if any(level.glob("*.cbor"))]
        finest = min(levels, key=lambda level: _kept(level, 1)[-1].mechanism.cell, default=None)
        image = newest_map(finest, self._fuse) if finest else np.zeros((30, 40), np.float32)
        low, high = np.percentile(image, (0.5, 99.5))
        grey = np.clip((image - low) * (255 / max(high - low, 1.0)), 0, 255).astype(np.uint8)
        return encode_png(cv2.resize(grey, None, fx=16, fy=16, interpolation=cv2.INTER_NEAREST))


def newest_map(level: Path, fuse: int) -> NDArray[np.float32]:
    """The denoised map after the releases that a level has kept: (rows, columns) grey."""
    keeper = MapKeeper(fuse=fuse)
    maps = [keeper.add(release) for release in _kept(level, fuse)]
    return denoise(maps[-1])


def encode_png(grey: NDArray[np.uint8]) -> bytes:
    """A grey picture as PNG."""
    done, data = cv2.imencode(".png", grey)
    if not done:
        raise ValueError("the picture could not be encoded")
    return data.tobytes()


def _kept(level: Path, count: int) -> list[Release]:
    return [Release.from_bytes(path.read_bytes()) for path in sorted(level.glob("*.cbor"))[-count:]]
