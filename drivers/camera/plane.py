import numpy as np
from numpy.typing import NDArray

from drivers.camera.base import CameraIdentity
from drivers.errors import CameraError, CameraReason

Plane = NDArray[np.uint8] | NDArray[np.uint16]


def check_plane(identity: CameraIdentity | None, plane: Plane) -> CameraIdentity:
    """What every `read` asks first: is the camera open, and does its frame fit into the caller's plane?

    Returns the identity. Raises CameraError(CLOSED) when there is none, ValueError when the plane has another shape
    or dtype: that is a defect of the caller, which no reopening repairs.
    """
    if identity is None:
        raise CameraError(CameraReason.CLOSED, "the camera is not open", "Open the camera before reading from it.")
    if plane.shape != (identity.height, identity.width) or plane.dtype != identity.dtype:
        raise ValueError(
            f"the plane must be {identity.height} x {identity.width} of {identity.dtype}, "
            f"not {' x '.join(map(str, plane.shape))} of {plane.dtype}"
        )
    return identity
