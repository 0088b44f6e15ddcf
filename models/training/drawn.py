"""Drawn places: an endless supply of images without a licence, with large features on many scales.

Three kinds: leaves (occluding shapes with a power law of sizes, whose spectrum and edges are like those of natural
scenes: Lee, Mumford and Huang, IJCV 2001), rooms (a box in perspective with things on its walls and floor) and streets
(facades with windows under a sky). Baradad et al. (NeurIPS 2021) found such processes to train features nearly as well
as photographs.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Plane = NDArray[np.float32]

HEIGHT, WIDTH = 240, 320


def draw(rng: np.random.Generator) -> Image:
    """One place: (240, 320) uint8."""
    kind = rng.choice(3, p=(0.4, 0.35, 0.25))
    plane = (_leaves, _room, _street)[kind](rng)
    if rng.random() < 0.5:
        plane += float(rng.uniform(2, 18)) * _cloud(rng, HEIGHT, WIDTH, float(rng.uniform(0.7, 1.8)))
    if rng.random() < 0.6:
        plane *= _light(rng)
    plane = cv2.GaussianBlur(plane, (0, 0), float(rng.uniform(0.4, 1.2))).astype(np.float32)
    low, high = np.percentile(plane, (1, 99))
    dark = float(rng.uniform(0, 90))
    bright = float(rng.uniform(dark + 40, 255))
    stretched = dark + (plane - low) * ((bright - dark) / max(float(high - low), 1e-3))
    return np.clip(np.rint(stretched), 0, 255).astype(np.uint8)


def _leaves(rng: np.random.Generator) -> Plane:
    plane = np.full((HEIGHT, WIDTH), rng.uniform(0, 255), np.float32)
    smallest, largest = float(rng.uniform(2, 6)), float(rng.uniform(40, 120))
    # From the back to the front, radii with density r^-3 between the two ends.
    tails = rng.random(int(rng.integers(150, 1200)))
    radii = smallest / np.sqrt(1 - tails * (1 - (smallest / largest) ** 2))
    shapes = rng.choice(3, p=rng.dirichlet((1, 1, 1)))
    for radius in radii:
        centre = rng.uniform((0, 0), (WIDTH, HEIGHT))
        kind = shapes if rng.random() < 0.7 else rng.integers(3)
        _fill(plane, _outline(rng, centre, float(radius), int(kind)), rng, float(radius))
    return plane


def _outline(rng: np.random.Generator, centre: NDArray[np.float64], radius: float, kind: int) -> NDArray[np.float64]:
    if kind == 0:
        corners = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        around = np.stack((np.cos(corners), rng.uniform(0.4, 1) * np.sin(corners)), 1)
    elif kind == 1:
        around = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (1, rng.uniform(0.2, 1))
    else:
        corners = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
        around = np.stack((np.cos(corners), np.sin(corners)), 1) * rng.uniform(0.5, 1, (len(corners), 1))
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else rng.normal(0, 0.1)
    rotation = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    outline: NDArray[np.float64] = centre + radius * around @ rotation.T
    return outline


def _fill(plane: Plane, outline: NDArray[np.float64], rng: np.random.Generator, size: float) -> None:
    """Paint an outline: flat, shaded, striped or chequered."""
    fixed = np.rint(outline * 16).astype(np.int32)
    grey = float(rng.uniform(0, 255))
    style = rng.random()
    if style < 0.6 or size < 6:
        cv2.fillPoly(plane, [fixed], grey, cv2.LINE_AA, 4)
        return
    mask = np.zeros(plane.shape, np.uint8)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
    left, top = np.maximum(np.floor(outline.min(0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(outline.max(0)).astype(int) + 1, (WIDTH, HEIGHT))
    if left >= right or top >= bottom:
        return
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
    angle, contrast = rng.uniform(0, np.pi), rng.uniform(10, 120)
    along = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
    if style < 0.75:
        texture = contrast * along / size
    else:
        wave = along * (2 * np.pi / rng.uniform(4, max(5, size)))
        texture = contrast * np.sign(np.sin(wave)) / 2
        if style > 0.9:
            across = -(x - left) * np.sin(angle) + (y - top) * np.cos(angle)
            texture = texture * np.sign(np.sin(across * (2 * np.pi / rng.uniform(4, max(5, size)))))
    part = plane[top:bottom, left:right]
    share = mask[top:bottom, left:right].astype(np.float32) / 255
    part += share * (grey + texture.astype(np.float32) - part)


def _room(rng: np.random.Generator) -> Plane:
    """A back wall, two side walls, floor and ceiling, and things on and before them."""
    plane = np.zeros((HEIGHT, WIDTH), np.float32)
    left, right = sorted(rng.uniform((-0.2, 0.5), (0.5, 1.2)) * WIDTH)
    top, bottom = sorted(rng.uniform((-0.3, 0.4), (0.4, 0.95)) * HEIGHT)
    inner = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    far = np.array([(-WIDTH, -HEIGHT), (2 * WIDTH, -HEIGHT), (2 * WIDTH, 2 * HEIGHT), (-WIDTH, 2 * HEIGHT)], float)
    outer = inner + (far - inner) * rng.uniform(0.6, 1)
    wall = float(rng.uniform(90, 230))
    for k in range(4):
        quad = np.array([inner[k], inner[(k + 1) % 4], outer[(k + 1) % 4], outer[k]])
        shade = wall + rng.normal(0, 25) if k != 2 else rng.uniform(30, 200)
        _surface(plane, quad, float(shade), rng, things=int(rng.integers(0, 6)), tiles=k == 2 and rng.random() < 0.6)
    _surface(plane, inner, wall, rng, things=int(rng.integers(1, 10)), tiles=False)
    for _ in range(int(rng.integers(1, 14))):
        size = float(rng.uniform(6, 60))
        centre = rng.uniform((0, HEIGHT * 0.35), (WIDTH, HEIGHT))
        _box(plane, centre, size, rng)
    return plane


def _surface(
    plane: Plane, quad: NDArray[np.float64], shade: float, rng: np.random.Generator, *, things: int, tiles: bool
) -> None:
    """A plane of the room from a texture of 128 x 128 in perspective."""
    texture = np.full((128, 128), shade, np.float32)
    if tiles:
        step, thick = int(rng.integers(6, 32)), int(rng.integers(1, 3))
        texture[:, np.arange(128) % step < thick] = shade + rng.normal(0, 40)
        texture[np.arange(128) % int(rng.integers(6, 64)) < thick] = shade + rng.normal(0, 40)
    for _ in range(things):
        x, y = rng.integers(0, 110, 2)
        w, h = rng.integers(6, 60, 2)
        grey = float(rng.uniform(0, 255))
        cv2.rectangle(texture, (int(x), int(y)), (int(x + w), int(y + h)), grey, -1)
        if rng.random() < 0.5:
            cv2.rectangle(texture, (int(x), int(y)), (int(x + w), int(y + h)), float(rng.uniform(0, 255)), 2)
        for _ in range(int(rng.integers(0, 5))):
            at = int(rng.integers(y, y + h))
            cv2.line(texture, (int(x), at), (int(x + w), at), float(rng.uniform(0, 255)), int(rng.integers(1, 4)))
    _hang(plane, texture, quad)


def _hang(plane: Plane, texture: Plane, quad: NDArray[np.float64]) -> None:
    """A texture of 128 x 128 in perspective, its corners where `quad` (4, 2) says."""
    source = np.array([(0, 0), (127, 0), (127, 127), (0, 127)], np.float32)
    warp = cv2.getPerspectiveTransform(source, quad.astype(np.float32))
    drawn = cv2.warpPerspective(texture, warp, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    mask = np.zeros(plane.shape, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(quad * 16).astype(np.int32), 255, cv2.LINE_8, 4)
    np.copyto(plane, drawn, where=mask > 0)


def _box(plane: Plane, centre: NDArray[np.float64], size: float, rng: np.random.Generator) -> None:
    """Furniture: a front, a top and a side."""
    w, h = size * rng.uniform(0.4, 1.6), size * rng.uniform(0.4, 1.6)
    deep = np.array([rng.uniform(-0.5, 0.5) * w, -rng.uniform(0.1, 0.5) * h])
    front = centre + np.array([(-w, -h), (w, -h), (w, h), (-w, h)]) / 2
    side = (1, 2) if deep[0] > 0 else (0, 3)
    grey = float(rng.uniform(0, 230))
    for corners, change in (((0, 1), 25.0), (side, -25.0)):
        quad = np.array([front[corners[0]], front[corners[1]], front[corners[1]] + deep, front[corners[0]] + deep])
        cv2.fillConvexPoly(plane, np.rint(quad * 16).astype(np.int32), grey + change, cv2.LINE_AA, 4)
    _fill(plane, front, rng, size)


def _street(rng: np.random.Generator) -> Plane:
    sky, ground = rng.uniform(120, 255), rng.uniform(20, 160)
    horizon = int(rng.uniform(0.3, 0.8) * HEIGHT)
    plane = np.full((HEIGHT, WIDTH), ground, np.float32)
    plane[:horizon] = np.linspace(sky, sky - rng.uniform(0, 60), horizon, dtype=np.float32)[:, None]
    x = float(rng.uniform(-40, 10))
    while x < WIDTH:
        width, tall = float(rng.uniform(25, 120)), float(rng.uniform(0.2, 1.1) * horizon)
        skew = rng.uniform(-0.15, 0.15) * tall
        quad = np.array([(x, horizon - tall), (x + width, horizon - tall + skew), (x + width, horizon), (x, horizon)])
        _facade(plane, quad, rng)
        x += width * rng.uniform(0.8, 1.4)
    for _ in range(int(rng.integers(0, 10))):
        at = rng.uniform((0, horizon - 20), (WIDTH, HEIGHT))
        if rng.random() < 0.5:
            _box(plane, at, float(rng.uniform(8, 50)), rng)
        else:
            _tree(plane, at, float(rng.uniform(8, 45)), rng)
    return plane


def _facade(plane: Plane, quad: NDArray[np.float64], rng: np.random.Generator) -> None:
    texture = np.full((128, 128), rng.uniform(20, 230), np.float32)
    rows, columns = rng.integers(2, 9, 2)
    pane = float(rng.uniform(0, 255))
    share = rng.uniform(0.3, 0.8)
    for i in range(int(rows)):
        for j in range(int(columns)):
            top, left = int((i + (1 - share) / 2) * 128 / rows), int((j + (1 - share) / 2) * 128 / columns)
            down, across = max(2, int(share * 128 / rows)), max(2, int(share * 128 / columns))
            texture[top : top + down, left : left + across] = pane + rng.normal(0, 15)
    _hang(plane, texture, quad)


def _tree(plane: Plane, at: NDArray[np.float64], size: float, rng: np.random.Generator) -> None:
    grey = float(rng.uniform(10, 120))
    for _ in range(int(rng.integers(8, 40))):
        spot = at + rng.normal(0, size / 2, 2)
        radius = max(1, int(rng.uniform(0.05, 0.35) * size))
        cv2.circle(plane, (int(spot[0]), int(spot[1])), radius, grey + float(rng.normal(0, 25)), -1, cv2.LINE_AA)


def _cloud(rng: np.random.Generator, height: int, width: int, exponent: float) -> Plane:
    """A random field of unit variance with amplitudes f^-exponent."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width)[None] * width)
    frequency[0, 0] = 1
    spectrum = (rng.standard_normal(frequency.shape) + 1j * rng.standard_normal(frequency.shape)) * frequency**-exponent
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(height, width))
    return (field / max(float(field.std()), 1e-9)).astype(np.float32)


def _light(rng: np.random.Generator) -> Plane:
    """A lamp or a window: a smooth factor, sometimes with the edge of a shadow."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    at, reach = rng.uniform((0, 0), (WIDTH, HEIGHT)), rng.uniform(80, 300)
    light = 0.4 + 0.8 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * reach**2))
    if rng.random() < 0.4:
        angle = rng.uniform(0, 2 * np.pi)
        beyond = (x - at[0]) * np.cos(angle) + (y - at[1]) * np.sin(angle) > 0
        light = np.where(beyond, light * rng.uniform(0.5, 0.9), light)
    return light.astype(np.float32)
