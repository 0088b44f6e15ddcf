"""What a picture is made of, before it is SVG or PNG. Lengths in the picture's own units, y down."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Tone = Literal["paper", "field", "line", "ink", "soft", "star", "sure", "warn"]

TONES: Final[dict[Tone, str]] = {
    "paper": "#ffffff",
    "field": "#f6f7f9",
    "line": "#b9c2ce",
    "ink": "#17202c",
    "soft": "#566274",
    "star": "#0b6e69",
    "sure": "#d9822b",
    "warn": "#a8271b",
}
"""Colours that stay apart on paper and for readers who do not tell red from green. The paper is part of the picture,
so that it can be put on a light page or a dark one."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, filled or as an outline of one unit."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone
    filled: bool = True


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse along the axes: an outline of this `stroke`, or filled where that is 0.

    inside: whether what lies beyond the frame is cut off.
    """

    x: float
    y: float
    rx: float
    ry: float
    tone: Tone
    opacity: float = 1.0
    stroke: float = 0.0
    inside: bool = True


@dataclass(frozen=True, slots=True)
class Text:
    """One line. y is that of its base line; `size` is the height of the letters' box."""

    x: float
    y: float
    text: str
    size: float = 13.0
    tone: Tone = "ink"
    bold: bool = False
    centred: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """A grey image, (rows, columns) uint8, each value a rectangle without smoothing."""

    x: float
    y: float
    width: float
    height: float
    grey: NDArray[np.uint8]


Shape = Box | Ellipse | Text | Raster


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes from back to front. field: left, top, width and height of the frame.

    title: what it shows, for those who cannot see it.
    """

    width: float
    height: float
    title: str
    field: tuple[float, float, float, float]
    shapes: tuple[Shape, ...]
