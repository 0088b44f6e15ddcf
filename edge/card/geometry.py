"""How many pixels something can change, by its size and its distance: upper bounds for a pinhole camera.

What is bounded is an upright cylinder no point of which is closer to the camera than a distance along the floor. Camera
coordinates are lengths in metres: X to the right, c along the optical axis, q down in the picture. A point at floor
coordinates (X, Y) and a height v below the camera has c = Y cos θ + v sin θ and q = v cos θ - Y sin θ at a tilt θ, and
is seen at (x, y) = f (X / c, q / c) pixels from the middle. docs/card.md derives the bounds from this.
"""

import math
from dataclasses import dataclass
from typing import Final

from edge.errors import ConfigError, Reason

LENS: Final = (5.0, 120.0)
"""Degrees. A wider lens bends straight lines, and is no pinhole."""
MOUNTED: Final = (0.1, 50.0)
TILT: Final = (0.0, 90.0)
RIM: Final = (0, 1000)
_SLACK: Final = 1 + 1e-9
"""What a few rounded operations on floats can be wrong by, and far more."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Whatever fits in an upright cylinder, in metres: its diameter, its height, and the floor's distance below it."""

    across: float
    tall: float
    above: float = 0.0

    @property
    def size(self) -> str:
        """In words."""
        return f"{self.across:g} m across and {self.tall:g} m tall"


@dataclass(frozen=True, slots=True)
class PinholeCamera:
    """A camera without distortion.

    Args:
        width: of the frame, in pixels.
        height: of the frame, in pixels. Pixels are square.
        lens: degrees between the left and the right edge of the frame.
        mounted: metres above the floor.
        tilt: degrees that the optical axis points down.
        rim: pixels to each side of what an object covers that change with it (docs/privacy.md, "Luma and raw").

    Raises:
        ConfigError: a value outside LENS, MOUNTED, TILT or RIM.
    """

    width: int
    height: int
    lens: float
    mounted: float
    tilt: float
    rim: int

    def __post_init__(self) -> None:
        _check("--lens", self.lens, LENS, "degrees", "give the horizontal angle of view, such as 62")
        _check("--mounted", self.mounted, MOUNTED, "metres", "give the height above the floor, such as 2.5")
        _check("--tilt", self.tilt, TILT, "degrees", "give 0 for a level camera, 90 for one that looks at the floor")
        _check("--rim", self.rim, RIM, "pixels", "give the pixels that docs/privacy.md derives for your mode")

    @property
    def focal(self) -> float:
        """f, in pixels."""
        return self.width / 2 / math.tan(math.radians(self.lens) / 2)

    @property
    def vertical_angle(self) -> float:
        """Degrees between the upper and the lower edge of the frame."""
        return math.degrees(2 * math.atan(self.height / 2 / self.focal))


def pixels(camera: PinholeCamera, thing: Thing, distance: float) -> int:
    """An upper bound on the pixels of one frame that a thing changes, no closer than `distance`.

    Args:
        camera: where it hangs and what it sees.
        thing: wherever in view, also partly.
        distance: metres on the floor, from the point below the camera to the nearest point of the thing.

    Returns:
        0..width·height; never more at a larger distance.
    """
    view = _View.of(camera, thing, distance)
    whole = camera.width * camera.height
    if view.depth <= 0:
        return whole
    if view.tall < 0:
        return 0
    across, tall = view.extent_x(thing) * _SLACK, view.extent_y(thing) * _SLACK
    side = 2 * (camera.rim + 1)
    swept = view.area(thing, distance) * _SLACK + side * (across + tall) + side * side
    edge = 1 + 2 * camera.rim
    boxed = min(camera.width, math.ceil(across) + edge) * min(camera.height, math.ceil(tall) + edge)
    return min(whole, boxed, math.floor(swept))


@dataclass(frozen=True, slots=True)
class _View:
    """Bounds on where the visible points of a thing are.

    depth: a lower bound on c, in metres. tx: on |x| / f. low, high: on η = y / f. sine, cosine: of the tilt.
    drop: (smallest, largest) v of the thing, in metres. tall: how much of it the upper edge of the frame leaves, in
    metres; below 0 where that is nothing.
    """

    focal: float
    depth: float
    tx: float
    low: float
    high: float
    sine: float
    cosine: float
    drop: tuple[float, float]
    tall: float

    @classmethod
    def of(cls, camera: PinholeCamera, thing: Thing, distance: float) -> "_View":
        tilt = math.radians(camera.tilt)
        sine, cosine = math.sin(tilt), math.cos(tilt)
        beyond = camera.rim + 1  # what is just outside the frame reaches into it by the rim
        tx = (camera.width / 2 + beyond) / camera.focal
        ty = (camera.height / 2 + beyond) / camera.focal
        drop = (camera.mounted - thing.above - thing.tall, camera.mounted - thing.above)

        def row(fall: float) -> float:
            """η of points with v / c = fall; the optical axis is too steep to tell where cos θ is almost 0."""
            return (fall - sine) / cosine if cosine > 0.05 else math.copysign(math.inf, fall - sine)

        low = max(-ty, row(0.0)) if drop[0] >= 0 and cosine > 0.05 else -ty
        forward = max(abs(cosine - low * sine), abs(cosine - ty * sine))
        depth = distance / math.hypot(tx, forward)
        if drop[0] > 0:
            depth = max(depth, drop[0] / (sine + ty * cosine))
        high = ty
        if depth > 0 and cosine > 0.05:
            high = min(ty, row(max(drop[1], 0.0) / depth))
            low = low if drop[0] >= 0 else max(low, row(drop[0] / depth))
        top = sine - ty * cosine  # v / c at the upper edge; above 0 where all that is seen is below the camera
        highest = max(drop[0], depth * top) if top > 0 else drop[0]
        return cls(camera.focal, depth, tx, low, high, sine, cosine, drop, drop[1] - highest)

    def extent_x(self, thing: Thing) -> float:
        """Pixels between the leftmost and the rightmost visible point: f [ΔX - (x/f) Δc] / c at most."""
        disc = thing.across * math.hypot(1, self.tx * self.cosine)
        return self.focal * (disc + self.tx * self.tall * self.sine) / self.depth

    def extent_y(self, thing: Thing) -> float:
        """Pixels between the highest and the lowest visible point: f [Δq - (y/f) Δc] / c at most."""
        upright = max(abs(self.cosine - eta * self.sine) for eta in (self.low, self.high))
        lying = max(abs(self.sine + eta * self.cosine) for eta in (self.low, self.high))
        return self.focal * (self.tall * upright + thing.across * lying) / self.depth

    def area(self, thing: Thing, distance: float) -> float:
        """Square pixels of the visible part: the integral of f² cos(incidence) / (c² cos A) over what faces the lens.

        A is the angle from the optical axis. Its mantle shows across · tall at most, an end as much as its slant.
        """
        slant = max(0.0, self.drop[0], -self.drop[1])
        ends = math.pi / 4 * thing.across**2 * (slant / math.hypot(slant, distance) if slant else 0.0)
        stretch = math.hypot(1, self.tx, max(abs(self.low), abs(self.high)))
        return (self.focal / self.depth) ** 2 * stretch * (thing.across * self.tall + ends)


def _check(option: str, value: float, limits: tuple[float, float], unit: str, remedy: str) -> None:
    if not limits[0] <= value <= limits[1]:
        detail = f"{option} {value:g} is not within {limits[0]:g} to {limits[1]:g} {unit}"
        raise ConfigError(Reason.CONFIG, detail, remedy)
