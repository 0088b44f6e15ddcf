from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class CameraIdentity:
    """What a camera is, known once it is open.

    width, height: pixels of the plane that `read` fills. max_value: the largest value a pixel can have (255 for
    8-bit luma, 4092 for sums of four 10-bit raw pixels). pixel_source: `raw` where the pixels are sums of raw
    sensor values made by us, `luma` where an image processor stands between sensor and pixel.
    simulated: not a live camera (a file, a folder, a synthetic place).
    """

    driver: str
    model: str
    width: int
    height: int
    max_value: int
    pixel_source: Literal["raw", "luma"]
    simulated: bool

    @property
    def dtype(self) -> np.dtype[np.uint8] | np.dtype[np.uint16]:
        """The dtype of the plane: uint8 where values fit, else uint16."""
        return np.dtype(np.uint8) if self.max_value < 256 else np.dtype(np.uint16)


class Camera(Protocol):
    """A source of luma planes. One thread uses it. Errors are CameraError and say nothing of pixels.

    Exposure, gain and white balance do not change between `open` and `close`; where a driver cannot fix them its
    documentation says so.
    """

    def open(self) -> CameraIdentity:
        """Acquire the device. Raises CameraError(NOT_INSTALLED, NOT_FOUND, DENIED, BUSY, BAD_SOURCE)."""
        ...

    def read(self, plane: NDArray[np.uint8] | NDArray[np.uint16], deadline: float) -> None:
        """Fill `plane` (height, width) with the next frame, within `deadline` seconds.

        The driver keeps no copy. Raises CameraError(TIMEOUT) when no frame came, after which `read` may be called
        again; CameraError(ENDED) when there will be no more; any other reason means: close and open again.
        """
        ...

    def close(self) -> None:
        """Release the device. Safe to call twice, and after any error."""
        ...
