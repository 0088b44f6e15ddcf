"""The constellation of a map, what it stands on, a legend, and the words below."""

import textwrap
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge.show.shapes import Box, Drawing, Ellipse, Raster, Shape, Text
from edge.show.words import Rows
from wire.features import STEPS, positions, sizes, spreads, strengths
from wire.schema import Features

WIDTH = 800.0
MARGIN = 24.0
TOP = 76.0
TALLEST = 720.0
"""Of the frame. One that is taller than wide is drawn narrower."""
SURE = 2
"""Standard deviations of the position that are shown: 19 in 20 along each axis if the errors are Gaussian."""
FAINTEST = (0.35, 0.6)
"""Opacity of a keypoint without any strength, on paper and on a map; the strongest of the picture has 1."""
NAMES = 96.0
"""Width of the column of names."""
LINE = 19.0
LETTERS = 98
"""Of a line of words, after the names. Measured on the widest of the fonts asked for, at 13 units."""
HALO = 0.25
"""Opacity of the disc that says how sure a position is."""
GREYS = (90, 240)
"""That the map is drawn with: paler than it is, so that the keypoints are read first."""
PERCENTILES = (0.5, 99.5)
"""Of the map's grey, that become the two of GREYS."""


def draw(
    features: Features, cell: int, *, title: str, note: str, rows: Rows, image: NDArray[np.floating] | None = None
) -> Drawing:
    """The picture.

    Args:
        features: what is drawn.
        cell: side of a cell in frame pixels.
        title: the first line.
        note: the second line; of a private map that it is private.
        rows: names and texts below.
        image: (rows, columns) of a private map to draw under the constellation.
    """
    width = WIDTH - 2 * MARGIN
    scale = min(width / features.width, TALLEST / features.height)
    wide, tall = features.width * scale, features.height * scale
    left = (WIDTH - wide) / 2
    below = TOP + tall
    words = list(_words(rows, below + (82 if len(features.keypoints) else 34)))
    shapes = (
        Box(left, TOP, wide, tall, "field"),
        *([_raster(image, left, wide, tall)] if image is not None else []),
        *_stars(features, cell, scale, left, over_map=image is not None),
        Box(left, TOP, wide, tall, "line", filled=False),
        *_legend(features, cell, scale, below + 34, over_map=image is not None),
        *words,
    )
    height = words[-1].y + MARGIN
    heading = (
        Box(0, 0, WIDTH, height, "paper"),
        Text(MARGIN, 34, title, size=18, bold=True),
        Text(MARGIN, 58, note, size=14, tone="warn" if image is not None else "soft", bold=image is not None),
    )
    said = f"{title}. {note}."
    return Drawing(WIDTH, height, said, (left, TOP, wide, tall), (*heading, *shapes))


def _stars(features: Features, cell: int, scale: float, left: float, *, over_map: bool) -> Iterator[Shape]:
    """Weakest first, so that the strong ones lie on top."""
    pixels = positions(features)
    x, y = left + (pixels[:, 0] + 0.5) * scale, TOP + (pixels[:, 1] + 0.5) * scale
    radius = sizes(features) * cell * scale / 2
    opacity = _opacity(features, over_map=over_map)
    halo = _halo(features, cell) * scale
    if not len(pixels):
        middle = TOP + features.height * scale / 2
        yield Text(WIDTH / 2, middle, "no keypoints: the map is too plain, or its cells too coarse", 14, centred=True)
    told = features.keypoints[:, 4] > 0
    for i in np.flatnonzero(told).tolist():
        yield Ellipse(x[i], y[i], halo[i, 0], halo[i, 1], "sure", HALO)
    for i in reversed(range(len(pixels))):
        if over_map:
            yield Ellipse(x[i], y[i], radius[i], radius[i], "paper", 0.8, stroke=3.5)
        yield Ellipse(x[i], y[i], radius[i], radius[i], "star", opacity[i], stroke=1.5)
        yield Ellipse(x[i], y[i], 1.5, 1.5, "ink", max(0.5, opacity[i]))


def _opacity(features: Features, *, over_map: bool) -> NDArray[np.float64]:
    strength = strengths(features)
    parts: NDArray[np.float64] = strength / max(float(strength.max(initial=0)), 1e-9)
    return FAINTEST[over_map] + (1 - FAINTEST[over_map]) * parts


def _halo(features: Features, cell: int) -> NDArray[np.float64]:
    """(n, 2) half axes in frame pixels: the spread, and the rounding of the wire, whose law is uniform."""
    steps = np.array([features.width, features.height]) / STEPS
    spread = spreads(features)[:, None] * cell
    axes: NDArray[np.float64] = SURE * np.sqrt(spread**2 + steps**2 / 12)
    return axes


def _raster(image: NDArray[np.floating], left: float, wide: float, tall: float) -> Raster:
    low, high = np.percentile(image, PERCENTILES)
    part = np.clip((image - low) / max(high - low, 1.0), 0, 1)
    return Raster(left, TOP, wide, tall, (GREYS[0] + part * (GREYS[1] - GREYS[0])).astype(np.uint8))


def _legend(features: Features, cell: int, scale: float, y: float, *, over_map: bool) -> Iterator[Shape]:
    if not len(features.keypoints):
        return
    middle = y - 4.5
    ring = min(16.0, max(5.0, float(np.median(sizes(features))) * cell * scale / 2))
    yield Ellipse(MARGIN + 16, middle, ring, ring, "star", 1, stroke=1.5, inside=False)
    yield Text(MARGIN + 40, y, f"size: this is {2 * ring / scale / cell:.1f} cells")
    strength = strengths(features)
    low, high = float(strength.min()), float(strength.max())
    weakest = float(_opacity(features, over_map=over_map).min())
    for place, opacity in ((232.0, weakest), (256.0, 1.0)):
        yield Ellipse(place, middle, 8, 8, "star", opacity, stroke=1.5, inside=False)
    saturated = " or more" if features.keypoints[:, 3].max() == 255 else ""
    yield Text(272, y, f"strength: {low:.3g} to {high:.3g}{saturated}, in noise sd")
    if features.keypoints[:, 4].any():
        yield Ellipse(580, middle, 9, 9, "sure", 2 * HALO, inside=False)
        yield Text(596, y, f"position: {SURE} sd round its dot")
    else:
        yield Text(576, y, "how sure: not told", tone="soft")


def _words(rows: Rows, y: float) -> Iterator[Text]:
    for name, text in rows:
        yield Text(MARGIN, y, name, tone="warn" if name == "Caution" else "soft")
        for line in textwrap.wrap(text, LETTERS) or [""]:
            yield Text(MARGIN + NAMES, y, line)
            y += LINE
