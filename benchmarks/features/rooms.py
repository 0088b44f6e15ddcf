"""Drawn rooms in perspective, under several lights: walls, floor, boxes, shelves, pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.features.furniture import BACK, Array, Panel, furnish
from benchmarks.features.places import Place, Plane, View, view_of

SENSOR_NOISE = 3.0
"""Grey, standard deviation of one pixel of one frame."""
OFF = 4e-3
"""Metres off its surface at which a ray to the lamp begins."""


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp at a point in metres and its strength, light from everywhere, and the camera's gain and gamma."""

    lamp: tuple[float, float, float]
    strength: float
    ambient: float
    gain: float
    gamma: float


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What every pixel shows: reflectance (n,), position (n, 3) in metres, and normal (n, 3) towards the camera."""

    reflectance: Array
    position: Array
    normal: Array


def rooms(count: int, *, tuning: bool, width: int = 640, height: int = 480) -> Iterator[Place]:
    """Different rooms. "still" is another frame under the light of "first", "light" one at another time of day."""
    for index in range(count):
        random = np.random.default_rng([11, int(tuning), index])
        panels = furnish(random)
        surface = look(panels, random, width, height)
        morning, evening = (shade(surface, panels, light(random)) for _ in range(2))
        shown = {"first": morning, "still": morning, "light": evening}
        views = {name: exposed(grey.reshape(height, width), random) for name, grey in shown.items()}
        yield Place(f"room {index}{'t' * tuning}", views)


def exposed(grey: Array, random: np.random.Generator) -> View:
    """One frame of it: sensor noise, rounded to 8 bits."""
    frame: Plane = np.clip(np.rint(grey + random.normal(0, SENSOR_NOISE, grey.shape)), 0, 255).astype(np.uint8)
    return view_of(frame)


def light(random: np.random.Generator) -> Light:
    """A lamp anywhere well under the ceiling; gain and gamma ± 25 %."""
    lamp = (random.uniform(-2.4, 2.4), random.uniform(1.6, 2.3), random.uniform(1.0, 6.5))
    gain, gamma = random.uniform(0.8, 1.25, 2)
    return Light(lamp, random.uniform(2, 5), random.uniform(0.35, 0.7), gain, gamma)


def look(panels: Sequence[Panel], random: np.random.Generator, width: int, height: int) -> Surface:
    """Cast a ray through each pixel's centre, from a camera high at one end of the room: 62° wide, as a Pi's lens."""
    eye = np.array([random.uniform(-1.5, 1.5), random.uniform(1.6, 2.5), BACK + 0.2])
    turn, tilt = random.uniform(-0.35, 0.35), random.uniform(0.05, 0.3)
    focal = width / 2 / np.tan(np.deg2rad(31))
    y, x = np.mgrid[:height, :width]
    flat = np.stack([(x - (width - 1) / 2) / focal, ((height - 1) / 2 - y) / focal, np.ones((height, width))], axis=-1)
    down = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    aside = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    rays = flat.reshape(-1, 3) @ (aside @ down).T
    nearest = np.full(len(rays), np.inf)
    reflectance, normal = np.zeros(len(rays)), np.zeros((len(rays), 3))
    for panel in panels:
        closer, far, on = panel.hit(eye, rays, nearest)
        nearest[closer] = far
        reflectance[closer] = panel.sample(on)
        towards = np.sign((eye - panel.corner) @ panel.normal)
        normal[closer] = towards * panel.normal
    return Surface(reflectance, eye + nearest[:, None] * rays, normal)


def shade(surface: Surface, panels: Sequence[Panel], light: Light) -> Array:
    """Grey 0..255 of each pixel: Lambert's law, falling with the distance, hard shadows; then gain and gamma."""
    start = surface.position + OFF * surface.normal
    towards = np.array(light.lamp) - start
    far = np.linalg.norm(towards, axis=1)
    slope = np.clip((surface.normal * towards).sum(axis=1) / far, 0, 1)
    lit = slope > 0
    for panel in panels:
        shaded, _, _ = panel.hit(start, towards, lit.astype(np.float64))
        lit[shaded] = False
    shone = surface.reflectance * (light.ambient + lit * light.strength * slope / (2 + far**2))
    grey: Array = 255 * np.clip(light.gain * shone, 0, 1) ** light.gamma
    return grey
