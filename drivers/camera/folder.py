from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.camera.base import CameraIdentity
from drivers.camera.plane import Plane, check_plane
from drivers.errors import CameraError, CameraReason

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".tif", ".tiff"})
_ONE_SIZE = "Put images of one size into the folder; frames are never resized."


class FolderCamera:
    """A folder of images played as a camera, in the order of their names; each is read when its turn comes.

    Colour becomes grey as OpenCV does it (the luma of a JPEG as it is stored), 16-bit images become 8-bit. The
    orientation noted in a file is ignored: frames are the stored pixels.
    """

    def __init__(self, *, path: Path, repeat: bool = False) -> None:
        """A camera over the images in `path`; `repeat` begins again after the last one, else there is an end."""
        self._path = path
        self._repeat = repeat
        self._files: list[Path] = []
        self._next = 0
        self._identity: CameraIdentity | None = None

    def open(self) -> CameraIdentity:
        """List the folder and read the first image for its size.

        Raises CameraError: NOT_FOUND (no such folder), DENIED, BAD_SOURCE (no images, or the first is unreadable).
        """
        try:
            self._files = sorted(file for file in self._path.iterdir() if file.suffix.lower() in SUFFIXES)
        except PermissionError:
            raise CameraError(
                CameraReason.DENIED, f"the folder {self._path} may not be read", "Give this user access to it."
            ) from None
        except OSError:
            raise CameraError(
                CameraReason.NOT_FOUND, f"there is no folder {self._path}", "Name a folder of images."
            ) from None
        if not self._files:
            raise CameraError(
                CameraReason.BAD_SOURCE,
                f"no images in {self._path}",
                f"Put images into it that end in {', '.join(sorted(SUFFIXES))}.",
            )
        image = _grey(self._files[0])
        height, width = image.shape
        image.fill(0)
        self._next = 0
        self._identity = CameraIdentity("folder", "image folder", width, height, 255, "luma", simulated=True)
        return self._identity

    def read(self, plane: Plane, deadline: float) -> None:  # noqa: ARG002 -- a disk has no frame to wait for
        """Fill the plane with the next image.

        Raises CameraError: ENDED, BAD_SOURCE (unreadable, or of another size).
        """
        check_plane(self._identity, plane)
        if self._next == len(self._files):
            if not self._repeat:
                raise CameraError(CameraReason.ENDED, "the last image has been read", "Set repeat to begin again.")
            self._next = 0
        image = _grey(self._files[self._next])
        try:
            if image.shape != plane.shape:
                raise CameraError(
                    CameraReason.BAD_SOURCE, f"{self._files[self._next].name} is of another size", _ONE_SIZE
                )
            np.copyto(plane, image)
        finally:
            image.fill(0)
        self._next += 1

    def close(self) -> None:
        """Forget the folder."""
        self._identity = None
        self._files = []


def _grey(file: Path) -> NDArray[np.uint8]:
    import cv2  # noqa: PLC0415 -- costs 0.1 s of start-up, so only where images are read

    # Decoded from memory: OpenCV would print its own line about a file that it cannot open.
    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    except (OSError, cv2.error):
        image = None
    if image is None:
        raise CameraError(CameraReason.BAD_SOURCE, f"{file.name} is not a readable image", "Remove or replace it.")
    return image.astype(np.uint8, copy=False)
