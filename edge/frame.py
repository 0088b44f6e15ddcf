from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edge.errors import Reason, SecretError

SECRET = "<Frame: secret>"  # noqa: S105 - what stands in for a frame, not a password


class PlaneSource(Protocol):
    """What fills planes: the part of a Camera that a frame needs."""

    def read(self, plane: NDArray[np.uint8] | NDArray[np.uint16], deadline: float) -> None:
        """Fill `plane` within `deadline` seconds."""
        ...


class Frame:
    """One secret luma plane in one buffer, made once and filled again and again.

    It cannot be printed, copied, pickled, indexed or turned into an array: each of these raises SecretError, apart
    from str, repr and format, which say that it is secret. Only edge/privacy reads `plane`, and edge/aim, which is
    outside the guarantee.
    """

    __slots__ = ("_filled", "_plane")

    def __init__(self, height: int, width: int, dtype: DTypeLike) -> None:
        """A plane of height x width pixels, uint8 or uint16. Raises ValueError for anything else."""
        kind = np.dtype(dtype)
        if kind not in (np.dtype(np.uint8), np.dtype(np.uint16)) or height < 1 or width < 1:
            raise ValueError("a frame is a plane of uint8 or uint16 pixels")
        self._plane: NDArray[np.uint8] | NDArray[np.uint16] = np.zeros((height, width), kind)
        self._filled = 0

    def fill(self, camera: PlaneSource, deadline: float) -> None:
        """Take the next frame of the camera. Whatever the camera raises passes through, and the frame is empty."""
        filled, self._filled = abs(self._filled), 0
        try:
            camera.read(self._plane, deadline)
        except BaseException:  # whatever stopped the camera, half a frame does not stay
            self.wipe()
            self._filled = -filled
            raise
        self._filled = filled + 1

    @property
    def number(self) -> int:
        """How many frames this buffer has held, while it holds one; 0 or less while it holds none."""
        return self._filled

    @property
    def plane(self) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The pixels (height, width), for edge/privacy and edge/aim. Raises SecretError when the frame is empty."""
        if self._filled < 1:
            raise SecretError(Reason.FRAME, "the frame is empty", "fill it first")
        return self._plane

    def wipe(self) -> None:
        """Overwrite the pixels with zeros; the frame is empty until it is filled again."""
        self._plane[...] = 0
        self._filled = -abs(self._filled)

    def __repr__(self) -> str:
        return SECRET

    def __str__(self) -> str:
        return SECRET

    def __format__(self, specification: str) -> str:
        return SECRET

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise SecretError(
            Reason.FRAME,
            "a frame cannot be shown, copied or stored",
            "work on the release of a window instead",
        )

    __array__ = __buffer__ = __bytes__ = __contains__ = __copy__ = __deepcopy__ = __getitem__ = _refuse
    __getnewargs__ = __getstate__ = __iter__ = __len__ = __reduce__ = __reduce_ex__ = __reversed__ = _refuse
    __setitem__ = __setstate__ = _refuse
