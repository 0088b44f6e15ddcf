"""From numbers to the bytes of a Features and back: the one place that knows their units, for both ends of the wire.

Cells: x right, y down, the centre of the top-left cell at (0, 0). Pixels of the frame: likewise, so that the centre of
cell j is at (j + 1/2) · cell - 1/2 pixels.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wire.schema import LARGEST, Features

STEPS = 256
"""Of a position, along the width and along the height. The error is at most half a step."""
PER_CELL = 4
"""Steps of a diameter per cell: 1/4 to 63 3/4 cells."""
PER_NOISE = 4
"""Steps of a strength per standard deviation of the noise: up to 63 3/4."""
PER_SPREAD = 32
"""Steps of a position's standard deviation per cell: 1/32 to 7.97 cells; 0 says that it is not known."""


def quantise(
    points: ArrayLike,
    diameters: ArrayLike,
    strengths: ArrayLike,
    spreads: ArrayLike,
    *,
    cell: int,
    width: int,
    height: int,
) -> NDArray[np.uint8]:
    """Keypoints as they travel: (n, 5) uint8, in the order given. Values beyond their range are held at its end.

    Args:
        points: (n, 2), x and y in cells.
        diameters: (n,) in cells.
        strengths: (n,) in standard deviations of the noise that they were measured against; may be infinite.
        spreads: (n,) standard deviation of the position in cells, per axis; 0 where it is not known.
        cell: side of a cell in frame pixels.
        width: of the map in frame pixels.
        height: likewise.

    Raises:
        ValueError: a value is not a number.
    """
    xy = np.asarray(points, np.float64).reshape(-1, 2)
    spread = np.asarray(spreads, np.float64)
    steps = np.column_stack(
        [
            np.floor((xy + 0.5) * cell * STEPS / np.array([width, height])),
            np.maximum(np.rint(np.asarray(diameters, np.float64) * PER_CELL), 1),
            np.rint(np.asarray(strengths, np.float64) * PER_NOISE),
            np.where(spread > 0, np.maximum(np.rint(spread * PER_SPREAD), 1), spread),
        ]
    )
    if np.isnan(steps).any():
        raise ValueError("a keypoint is not a number")
    whole: NDArray[np.uint8] = np.clip(steps, 0, 255).astype(np.uint8)
    return whole


def positions(features: Features) -> NDArray[np.float64]:
    """Where the keypoints are: (n, 2) x, y in frame pixels, the middle of their step."""
    frame = np.array([features.width, features.height], np.float64)
    middle: NDArray[np.float64] = (features.keypoints[:, :2] + 0.5) * frame / STEPS - 0.5
    return middle


def cells(features: Features, cell: int) -> NDArray[np.float64]:
    """Where the keypoints are: (n, 2) x, y in cells. cell: side of a cell in frame pixels, from the statement."""
    return (positions(features) + 0.5) / cell - 0.5


def sizes(features: Features) -> NDArray[np.float64]:
    """Diameters: (n,) in cells."""
    return features.keypoints[:, 2] / PER_CELL


def strengths(features: Features) -> NDArray[np.float64]:
    """(n,) in standard deviations of the noise; 63.75 stands for that and more."""
    return features.keypoints[:, 3] / PER_NOISE


def spreads(features: Features) -> NDArray[np.float64]:
    """Standard deviations of the positions per axis: (n,) in cells, without that of `quantise`; 0 where not known."""
    return features.keypoints[:, 4] / PER_SPREAD


def signed_bytes(descriptors: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Descriptors of 32 bytes as the signed numbers that they stand for, in two's complement."""
    return descriptors.view(np.int8)


def unsigned_bytes(descriptors: NDArray[np.int8]) -> NDArray[np.uint8]:
    """The inverse of `signed_bytes`."""
    return descriptors.view(np.uint8)


def pack_bits(bits: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Descriptors of 64 bits, (n, 64) bool, as (n, 8) bytes, the first bit the highest of the first byte."""
    return np.packbits(bits, axis=1)


def unpack_bits(descriptors: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The inverse of `pack_bits`: (n, 64) bool of (n, 8) bytes."""
    return np.unpackbits(descriptors, axis=1).astype(np.bool_)


def quantise_vector(vector: ArrayLike) -> NDArray[np.int8]:
    """A vector as it travels: (k,) int8, its largest magnitude 127; all zero where it is. Its length is lost.

    Raises:
        ValueError: a component is not finite.
    """
    values = np.asarray(vector, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a component of the vector is not finite")
    largest = np.abs(values).max(initial=0.0)
    scaled = values / largest * LARGEST if largest > 0 else values
    return np.rint(scaled).astype(np.int8)


def unit_vector(features: Features) -> NDArray[np.float64]:
    """The vector of the map with unit length, or all zero: (k,)."""
    values = features.vector.astype(np.float64)
    length = np.linalg.norm(values)
    return values / length if length > 0 else values
