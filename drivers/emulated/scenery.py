"""Drawings for the synthetic place: a textured background, and silhouettes of people. Grey values, uint8."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]
_REFERENCE_HEIGHT = 480
_LEAVES = 90


def draw_background(width: int, height: int, random: np.random.Generator) -> Plane:
    """A static place of height x width.

    Occluding discs and rectangles of many sizes (the dead-leaves model of natural images, Lee, Mumford and Huang 2001),
    over them windows, shelves and tables, under one soft light. Shapes are mostly wider than 48 pixels at a height of
    480, three cells of 16 pixels, so that a map of cells has structure.
    """
    canvas = np.full((height, width), 120, np.float64)
    unit = height / _REFERENCE_HEIGHT
    for index in range(_LEAVES):
        # Large shapes first, so that small ones stay visible. The sizes follow a power law.
        size = unit * 40 * (1 - 0.97 * (1 - index / _LEAVES)) ** -0.5 if index else unit * 240
        size = min(size, unit * 240) * random.uniform(0.8, 1.25)
        _leaf(canvas, size, random)
    for draw in (_window, _shelf, _table, _window, _shelf):
        draw(canvas, unit, random)
    canvas *= _light(width, height, random)
    return np.clip(canvas, 8, 247).astype(np.uint8)


def draw_person(width: int, height: int, random: np.random.Generator) -> tuple[Plane, NDArray[np.bool_]]:
    """A standing person of height x width, and the mask of the silhouette: head, body, two legs."""
    y = (np.arange(height) / height)[:, None]
    x = (np.arange(width) / width - 0.5)[None, :]
    head = (x / 0.24) ** 2 + ((y - 0.09) / 0.09) ** 2 <= 1
    body = (np.abs(x) <= 0.3 + 0.18 * np.sin(np.pi * np.clip((y - 0.17) / 0.4, 0, 1))) & (y >= 0.17) & (y < 0.58)
    gap = np.abs(x) >= 0.1 * (y - 0.5)
    legs = (np.abs(x) <= 0.34) & gap & (y >= 0.58)
    mask = head | body | legs
    texture = random.uniform(-30, 30, (height // 8 + 1, width // 8 + 1)).repeat(8, 0).repeat(8, 1)[:height, :width]
    tone = np.where(
        y < 0.17, random.uniform(90, 210), np.where(y < 0.58, random.uniform(20, 235), random.uniform(20, 120))
    )
    return np.clip(tone + texture, 0, 255).astype(np.uint8), mask


def _leaf(canvas: NDArray[np.float64], size: float, random: np.random.Generator) -> None:
    height, width = canvas.shape
    x, y = random.uniform(0, width), random.uniform(0, height)
    tone, period, swing = random.uniform(25, 230), random.uniform(6, 20), random.uniform(0, 14)
    if random.random() < 0.5:
        rows, columns = np.ogrid[:height, :width]
        inside = (columns - x) ** 2 + (rows - y) ** 2 <= (size / 2) ** 2
    else:
        inside = np.zeros(canvas.shape, np.bool_)
        _box(inside, x - size / 2, y - size * random.uniform(0.25, 0.75), (size, size * random.uniform(0.5, 1.5)), 1)
    stripes = tone + swing * np.sign(np.sin(2 * np.pi * np.arange(width + height) / period))
    rows, columns = np.nonzero(inside)
    canvas[rows, columns] = stripes[rows + columns]


def _window(canvas: NDArray[np.float64], unit: float, random: np.random.Generator) -> None:
    width, height = random.uniform(90, 140) * unit, random.uniform(110, 160) * unit
    x, y = _corner(canvas, width, height, (0.0, 0.45), random)
    _box(canvas, x, y, (width, height), random.uniform(30, 70))
    for column in (0, 1):
        for row in (0, 1):
            _box(
                canvas,
                x + (0.07 + 0.47 * column) * width,
                y + (0.06 + 0.47 * row) * height,
                (0.39 * width, 0.41 * height),
                random.uniform(190, 240),
            )


def _shelf(canvas: NDArray[np.float64], unit: float, random: np.random.Generator) -> None:
    width, height = random.uniform(110, 160) * unit, random.uniform(130, 180) * unit
    x, y = _corner(canvas, width, height, (0.2, 1.0), random)
    _box(canvas, x, y, (width, height), random.uniform(140, 220))
    for row in range(3):
        left = 0.05
        while left < 0.85:
            book = random.uniform(0.1, 0.25)
            _box(
                canvas,
                x + left * width,
                y + (0.05 + 0.31 * row) * height,
                (min(book, 0.93 - left) * width, 0.26 * height),
                random.uniform(15, 200),
            )
            left += book + 0.02


def _table(canvas: NDArray[np.float64], unit: float, random: np.random.Generator) -> None:
    width, height = random.uniform(150, 220) * unit, random.uniform(80, 120) * unit
    x, y = _corner(canvas, width, height, (0.5, 1.0), random)
    tone = random.uniform(20, 60)
    _box(canvas, x, y, (width, 0.2 * height), tone + 120)
    for left in (0.06, 0.84):
        _box(canvas, x + left * width, y + 0.2 * height, (0.1 * width, 0.8 * height), tone)


def _corner(
    canvas: NDArray[np.float64], width: float, height: float, band: tuple[float, float], random: np.random.Generator
) -> tuple[float, float]:
    """Where a thing of this size may stand: anywhere across, between two fractions of the height."""
    rows, columns = canvas.shape
    top, bottom = band
    lowest = max(bottom * rows - height, top * rows)
    return random.uniform(0, max(columns - width, 1)), random.uniform(top * rows, lowest)


def _box(canvas: NDArray[Any], x: float, y: float, size: tuple[float, float], tone: float) -> None:
    width, height = size
    canvas[max(int(y), 0) : max(int(y + height), 0), max(int(x), 0) : max(int(x + width), 0)] = tone


def _light(width: int, height: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A smooth gain between about 0.75 and 1.15, brightest on one side."""
    angle, phase = random.uniform(0, 2 * np.pi), random.uniform(0, 2 * np.pi)
    x = np.linspace(-0.5, 0.5, width)[None, :]
    y = np.linspace(-0.5, 0.5, height)[:, None]
    slope = 0.2 * (np.cos(angle) * x + np.sin(angle) * y)
    return np.asarray(0.95 + slope + 0.06 * np.cos(3 * x + 2 * y + phase), np.float64)
