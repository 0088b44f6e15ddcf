"""Pairs of sightings with the truth beside them: what match and place probabilities are fitted to and held against.

One place: from the camera's own position under other light, from a little aside, from much further aside. Two places:
another photograph by the same camera, the photograph that looks most alike, and the same camera with its view turned
away (the left and the right half of one photograph, which share nothing but the light and the grid). Each half is also
seen twice, and so are plain places: faint smooth shades.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.levels import Level
from benchmarks.features.places import Homography, Place, Plane, View, view_of, warped
from benchmarks.features.sources import HEIGHT, SPLIT, WIDTH, clips, covering
from edge.features.map import Map
from wire.schema import Features

Describe = Callable[[Map], Features]

FINE = (*(Level(16, sd) for sd in (2.5, 5, 10, 20, 40)), *(Level(8, sd) for sd in (6, 10, 20, 40)))
COARSE = (Level(32, 10), Level(64, 10), Level(64, 15), Level(64, 22.5))
LEVELS = FINE + COARSE
THUMBNAIL = (8, 6)
"""Cells of the blurred thumbnail that says which photographs look alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """Two observations. truth: takes cells of a to cells of b; None where they show two places."""

    a: Features
    b: Features
    truth: Homography | None
    kind: str
    level: Level


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Two views, by place and name, and whether they are of one place. turn: which levels are asked, of every few."""

    kind: str
    first: tuple[Place, str]
    second: tuple[Place, str]
    same: bool
    turn: int = 0


def photographs(folder: Path, count: int, *, tuning: bool) -> list[Place]:
    """`count` photographs of one side of the split, with all the views that are asked for."""
    paths = sorted(folder.glob("*.jpg"))
    side = [path for index, path in enumerate(paths) if (index % SPLIT == 0) == tuning]
    chosen = np.linspace(0, len(side) - 1, min(count, len(side))).astype(int)
    return [place(side[i].stem, covering(_grey(side[i])), np.random.default_rng([11, int(tuning), i])) for i in chosen]


def _grey(path: Path) -> Plane:
    plane = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if plane is None:
        raise SystemExit(f"{path}: not a picture that OpenCV reads. Take it out of the folder.")
    return plane.astype(np.uint8)


def place(name: str, plane: Plane, random: np.random.Generator) -> Place:
    """All views of one photograph."""
    half = WIDTH // 2
    left, right = covering(plane[:, :half]), covering(plane[:, half:])
    return Place(
        name,
        {
            "first": view_of(plane),
            "still": view_of(lit(plane, random)),
            "moderate": warped(lit(plane, random), random, wide=False),
            "wide": warped(lit(plane, random), random, wide=True),
            "left": view_of(left),
            "left again": view_of(lit(left, random)),
            "right": view_of(lit(right, random)),
        },
    )


def lit(plane: Plane, random: np.random.Generator) -> Plane:
    """Under other light: gamma and gain within 20 %, offset within 10 grey."""
    gamma, gain = np.exp(random.uniform(-0.2, 0.2, 2))
    shade = 255 * gain * (plane / 255.0) ** gamma + random.uniform(-10, 10)
    seen: Plane = np.clip(np.rint(shade), 0, 255).astype(np.uint8)
    return seen


def plain(count: int, *, tuning: bool) -> list[Place]:
    """Places with nothing on them: a wall from 60 to 200 grey with a shade across it of 0 to 4 grey."""
    places = []
    for index in range(count):
        random = np.random.default_rng([12, int(tuning), index])
        across = np.linspace(-0.5, 0.5, WIDTH)[None] * random.uniform(0, 4)
        down = np.linspace(-0.5, 0.5, HEIGHT)[:, None] * random.uniform(0, 4)
        wall = np.rint(random.uniform(60, 200) + across + down).astype(np.uint8)
        views: dict[str, View] = {"first": view_of(wall), "still": view_of(lit(wall, random))}
        places.append(Place(f"plain {index}", views))
    return places


def asked(places: Sequence[Place], walls: Sequence[Place]) -> Iterator[Asked]:
    """Which pairs: of each photograph three with itself and three with others; walls with themselves and the next."""
    alike = _most_alike(places)
    for index, one in enumerate(places):
        for view in ("still", "moderate", "wide"):
            yield Asked(view, (one, "first"), (one, view), same=True, turn=index)
        yield Asked("half", (one, "left"), (one, "left again"), same=True, turn=index)
        yield Asked("turned away", (one, "left"), (one, "right"), same=False, turn=index)
        if len(places) > 1:
            stranger = places[(index + 1) % len(places)]
            yield Asked("stranger", (one, "first"), (stranger, "still"), same=False, turn=index)
            yield Asked("stranger aside", (one, "first"), (stranger, "moderate"), same=False, turn=index)
            yield Asked("alike", (one, "first"), (places[alike[index]], "still"), same=False, turn=index)
    for index, wall in enumerate(walls):
        yield Asked("plain", (wall, "first"), (wall, "still"), same=True, turn=index)
        yield Asked("other plain", (wall, "first"), (walls[(index + 1) % len(walls)], "still"), same=False, turn=index)


def of_clips(folder: Path) -> list[Asked]:
    """Both halves of every clip, and the halves of each with those of every other."""
    places = list(clips(folder))
    same = [Asked("clip", (one, "first"), (one, "still"), same=True) for one in places]
    other = [Asked("other clip", (a, "first"), (b, "still"), same=False) for a in places for b in places if a is not b]
    return same + other


def sightings(
    questions: Sequence[Asked], levels: Sequence[Level], describe: Describe, seed: int, *, every: int = 1
) -> list[Sighting]:
    """Every question at every level, or at one of `every` few, by its turn. A view is described once per level.

    Pairs of one photograph err together, so many photographs at some levels each are worth more than few at all.
    """
    out = []
    for number, level in enumerate(levels):
        here = [one for one in questions if (one.turn + number) % every == 0]
        sides = {(side[0].name, side[1]): side for one in here for side in (one.first, one.second)}
        seen = {key: describe(where.map(name, level, seed)) for key, (where, name) in sides.items()}
        for one in here:
            truth = one.first[0].truth(one.second[1], level.cell) if one.same else None
            a, b = (seen[where.name, name] for where, name in (one.first, one.second))
            out.append(Sighting(a, b, truth, one.kind, level))
    return out


def of_noise(levels: Sequence[Level], describe: Describe, count: int, seed: int) -> list[Sighting]:
    """`count` pairs at each level of maps of a grey plane: nothing but noise, so nothing can be told."""
    plane = Place("pure noise", {"first": view_of(np.full((HEIGHT, WIDTH), 128, np.uint8))})
    out = []
    for level in levels:
        seen = [describe(plane.map("first", level, 1000 * seed + index)) for index in range(2 * count)]
        out += [Sighting(a, b, None, "pure noise", level) for a, b in zip(seen[:count], seen[count:], strict=True)]
    return out


def most_in_noise(noise: Sequence[Sighting]) -> int:
    """The most keypoints of these maps: all of them are chance."""
    return max(len(side.keypoints) for one in noise for side in (one.a, one.b))


def _most_alike(places: Sequence[Place]) -> NDArray[np.intp]:
    """For each place the other one whose blurred thumbnail correlates most with its own."""
    thumbs = []
    for one in places:
        sums = one.views["first"].sums[16].total.astype(np.float32)
        small = cv2.resize(sums, THUMBNAIL, interpolation=cv2.INTER_AREA).ravel()
        thumbs.append((small - small.mean()) / max(float(small.std()), 1e-6))
    likeness = np.array(thumbs) @ np.array(thumbs).T
    np.fill_diagonal(likeness, -np.inf)
    most: NDArray[np.intp] = likeness.argmax(axis=1)
    return most
