"""One map's features as numbers of the field: points in cells, spreads, descriptors, a unit vector."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wire.features import cells, signed_bytes, spreads, strengths, unit_vector, unpack_bits
from wire.schema import Features

BITS = 8
"""Bytes of a descriptor that is 64 bits."""
SIGNED = 32
"""Bytes of a descriptor that is signed numbers."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What is compared with another map's.

    Lengths are in units of one cell of the coarser of the two maps; x right, y down, the centre of the frame's
    top-left cell of that size at (0, 0).

    points: (n, 2) [x, y]. spread: (n,) standard deviation of the position along each axis. strength: (n,) signal
    above noise, in standard deviations of the noise. descriptors: (n, d). vector: (k,) of unit length; empty or all
    zero where the map says nothing. noise: of one cell, in grey. extent: width and height of the map.
    """

    points: Floats
    spread: Floats
    strength: Floats
    descriptors: Floats
    vector: Floats
    noise: float
    extent: tuple[float, float]

    @property
    def area(self) -> float:
        """Of the map, in squared units."""
        return self.extent[0] * self.extent[1]

    def order(self) -> tuple[bytes, ...]:
        """Whatever two views are compared, one of them comes first: what makes a comparison symmetric."""
        arrays = (self.points, self.descriptors, self.vector, self.strength, self.spread)
        return (*(array.tobytes() for array in arrays), repr((self.noise, self.extent)).encode())


def view(features: Features, *, cell: int, unit: int | None = None) -> View:
    """The features of one map.

    Args:
        features: as they travel.
        cell: side of a cell in frame pixels, from the statement.
        unit: frame pixels that are 1 in the view: the cell of the coarser of the two maps; `cell` where not given.
    """
    unit = unit or cell
    return View(
        points=cells(features, unit),
        spread=spreads(features) * (cell / unit),
        strength=strengths(features),
        descriptors=_numbers(features.descriptors),
        vector=unit_vector(features),
        noise=features.noise,
        extent=(features.width / unit, features.height / unit),
    )


def _numbers(descriptors: NDArray[np.uint8]) -> Floats:
    """(n, d): bits as -1 and 1, signed bytes by their sign, others as they are."""
    if descriptors.shape[1] == BITS:
        return np.where(unpack_bits(descriptors), 1.0, -1.0)
    return (signed_bytes(descriptors) if descriptors.shape[1] == SIGNED else descriptors).astype(np.float64)


def cosine(a: View, b: View) -> float | None:
    """Of the vectors, in -1..1; None where one is all zero or empty, or they have different lengths."""
    if len(a.vector) != len(b.vector) or not a.vector.any() or not b.vector.any():
        return None
    return float(np.clip(a.vector @ b.vector, -1, 1))
