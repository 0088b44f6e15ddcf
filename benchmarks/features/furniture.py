"""What a drawn room is made of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HALF, HIGH, BACK, FRONT = 3.0, 2.8, 0.0, 7.0
"""Metres: half the width of a room, its height, and where it begins and ends. x right, y up, z away from the camera."""
NEAR = 1e-4
"""Of a ray: what is met before is where the ray begins."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A rectangle: corner and two edges (3,) in metres, and reflectance (rows, columns) in 0..1, first row below."""

    corner: Array
    right: Array
    up: Array
    texture: Array

    @property
    def normal(self) -> Array:
        """Of unit length, towards one of its two sides."""
        across = np.cross(self.right, self.up)
        unit: Array = across / np.linalg.norm(across)
        return unit

    def hit(self, origin: Array, rays: Array, before: Array) -> tuple[NDArray[np.intp], Array, Array]:
        """Which rays (n, 3) from one or n origins meet it, and before which distance (n,), in lengths of each ray.

        Returns:
            indices (m,) of those rays; how far away it is met (m,); and where on it (m, 2), 0..1 along each edge.
        """
        normal = self.normal
        with np.errstate(divide="ignore", invalid="ignore"):
            far = ((self.corner - origin) @ normal) / (rays @ normal)
            ahead = np.flatnonzero((far > NEAR) & (far < before))
        edges = np.stack([self.right / (self.right @ self.right), self.up / (self.up @ self.up)], axis=1)
        start = origin if origin.ndim == 1 else origin[ahead]
        on = (start - self.corner) @ edges + far[ahead, None] * (rays[ahead] @ edges)
        met = ((on >= 0) & (on <= 1)).all(axis=1)
        return ahead[met], far[ahead[met]], on[met]

    def sample(self, on: Array) -> Array:
        """Reflectance at points (m, 2) on it, 0..1 along each edge."""
        rows, columns = self.texture.shape
        i = np.minimum((on[:, 1] * rows).astype(int), rows - 1)
        j = np.minimum((on[:, 0] * columns).astype(int), columns - 1)
        found: Array = self.texture[i, j]
        return found


def furnish(random: np.random.Generator) -> list[Panel]:
    """Walls, floor and ceiling, two to four boxes, a shelf or two, pictures and a door."""
    panels = list(_shell(random))
    for _ in range(random.integers(2, 5)):
        panels += _box(random)
    for _ in range(random.integers(1, 3)):
        panels += _shelf(random)
    for _ in range(random.integers(2, 6)):
        panels.append(_on_wall(random, random.uniform(0.4, 1.3), random.uniform(0.3, 1.0), _picture(random)))
    door = np.clip(random.uniform(0.2, 0.8) + _grain(random, (40, 20)), 0, 1)
    panels.append(_on_wall(random, 0.9, 2.0, door, low=0.0))
    return panels


def _panel(corner: tuple[float, ...], right: tuple[float, ...], up: tuple[float, ...], texture: Array) -> Panel:
    return Panel(np.array(corner, np.float64), np.array(right, np.float64), np.array(up, np.float64), texture)


def _shell(random: np.random.Generator) -> Iterator[Panel]:
    deep = FRONT - BACK
    wall = random.uniform(0.45, 0.85)
    boards = _stripes(random, (1, int(random.integers(12, 40)))).repeat(4, 0).repeat(4, 1)
    tiles = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((4, 4))) * random.uniform(0.05, 0.35) + 0.35
    floor = boards if random.random() < 0.5 else tiles
    yield _panel((-HALF, 0, BACK), (2 * HALF, 0, 0), (0, 0, deep), floor)
    yield _panel((-HALF, HIGH, BACK), (2 * HALF, 0, 0), (0, 0, deep), np.full((1, 1), 0.85))
    for corner, right in (
        ((-HALF, 0, FRONT), (2 * HALF, 0, 0)),
        ((-HALF, 0, BACK), (0, 0, deep)),
        ((HALF, 0, BACK), (0, 0, deep)),
        ((-HALF, 0, BACK), (2 * HALF, 0, 0)),
    ):
        tone = np.clip(wall + random.uniform(-0.08, 0.08) + _grain(random, (30, 60)), 0, 1)
        yield _panel(corner, right, (0, HIGH, 0), tone)


def _box(random: np.random.Generator) -> list[Panel]:
    """A cupboard, a table or a crate on the floor."""
    wide, high, deep = random.uniform(0.4, 1.6), random.uniform(0.35, 1.7), random.uniform(0.4, 1.0)
    x, z = random.uniform(-HALF, HALF - wide), random.uniform(2.5, FRONT - deep)
    return _block(random, (x, 0.0, z), (wide, high, deep), [_face(random) for _ in range(2)])


def _block(
    random: np.random.Generator,
    corner: tuple[float, float, float],
    size: tuple[float, float, float],
    faces: list[Array],
) -> list[Panel]:
    (x, y, z), (wide, high, deep) = corner, size
    top = np.full((1, 1), random.uniform(0.15, 0.9))
    return [
        _panel((x, y, z), (wide, 0, 0), (0, high, 0), faces[0]),
        _panel((x, y, z), (0, 0, deep), (0, high, 0), faces[1]),
        _panel((x + wide, y, z), (0, 0, deep), (0, high, 0), faces[1]),
        _panel((x, y + high, z), (wide, 0, 0), (0, 0, deep), top),
    ]


def _shelf(random: np.random.Generator) -> list[Panel]:
    """Boards with books between them, against the far wall."""
    wide, high = random.uniform(0.8, 1.8), random.uniform(1.0, 2.2)
    x = random.uniform(-HALF, HALF - wide)
    books = []
    for _ in range(int(random.integers(3, 6))):
        row = _stripes(random, (1, int(random.integers(8, 30))))[0].repeat(4)
        books += [np.full(len(row), 0.1)] * 2 + [row] * 12
    longest = max(len(row) for row in books)
    face = np.array([np.resize(row, longest) for row in books])
    return _block(random, (x, 0.0, FRONT - 0.35), (wide, high, 0.34), [face, np.full((1, 1), random.uniform(0.2, 0.7))])


def _on_wall(random: np.random.Generator, wide: float, high: float, texture: Array, low: float | None = None) -> Panel:
    y = random.uniform(0.9, HIGH - high) if low is None else low
    place = random.integers(3)
    if place == 0:
        return _panel((random.uniform(-HALF, HALF - wide), y, FRONT - 0.01), (wide, 0, 0), (0, high, 0), texture)
    x = (-1 if place == 1 else 1) * (HALF - 0.01)
    return _panel((x, y, random.uniform(2.0, FRONT - wide)), (0, 0, wide), (0, high, 0), texture)


def _picture(random: np.random.Generator) -> Array:
    """Rectangles over each other in a dark or a bright frame."""
    canvas = np.full((48, 64), random.uniform(0.1, 0.95))
    canvas[4:-4, 4:-4] = random.uniform(0.1, 0.9)
    for _ in range(int(random.integers(3, 12))):
        top, left = random.integers(4, 40), random.integers(4, 56)
        canvas[top : min(44, top + random.integers(4, 24)), left : min(60, left + random.integers(4, 30))] = (
            random.uniform(0.05, 0.95)
        )
    return canvas


def _face(random: np.random.Generator) -> Array:
    """Drawers, doors or plain wood."""
    rows, columns = random.integers(1, 5, 2)
    cell = np.full((12, 12), random.uniform(0.15, 0.85))
    cell[:1] = cell[:, :1] = random.uniform(0.05, 0.4)
    cell[5:7, 4:8] = random.uniform(0.05, 0.95)
    return np.clip(np.tile(cell, (rows, columns)) + random.uniform(-0.02, 0.02), 0, 1)


def _stripes(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.clip(random.uniform(0.2, 0.8) + random.uniform(-0.25, 0.25, shape), 0.05, 0.95)


def _grain(random: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A stain here and there: coarse noise of 2 %."""
    coarse = random.normal(0, 0.02, (shape[0] // 10 + 1, shape[1] // 10 + 1))
    return coarse.repeat(10, 0).repeat(10, 1)[: shape[0], : shape[1]]
