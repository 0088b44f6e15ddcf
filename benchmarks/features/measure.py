"""What one method does at one level: pairs of one place, pairs of two, and vectors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.features import metrics, verify
from benchmarks.features.levels import Level
from benchmarks.features.method import Described, Method
from benchmarks.features.places import Homography, Place
from benchmarks.features.vectors import Vector, codebook, floats, vlad

Make = Callable[[int, float], Method]
"""A method for maps of this size of cell, in pixels, and this noise, in grey."""
DISTANCE = 1.0
"""Cells within which a match is right."""
TOP = 64
"""Strongest points that repeatability is counted on, so that no method gains by having more."""
FIXED = frozenset({"still", "light"})
"""Views by a camera that has not moved."""
BOUNDS = (0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Of one pair of maps.

    place: of the first. seed: of the noise. other: whether the second shows another place; every match is wrong then.
    again: the repeatability within 0.5 and 1 cell. score, right, verified, apart: (m,) of each match, the last whether
    it is verified and no surer verified one over again. here: share of matches
    within a cell of where the camera's grid says; between two places that is the lattice's doing. corner: error in
    cells.
    """

    place: str
    view: str
    seed: int
    other: bool
    points: float
    again: tuple[float, float]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    verified: NDArray[np.bool_]
    apart: NDArray[np.bool_]
    here: float
    corner: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """All views of some places at one level and seed, as a method describes them."""

    level: Level
    seed: int
    described: Mapping[tuple[str, str], Described]
    shapes: Mapping[str, tuple[int, int]]


def look(method: Method, places: Sequence[Place], level: Level, seed: int, views: Sequence[str]) -> Seen:
    """Describe the first and these views of each place."""
    described = {}
    shapes = {}
    for place in places:
        for view in ("first", *views):
            source = place.map(view, level, seed)
            described[place.name, view] = method.describe(source.image, source.noise)
            rows, columns = source.image.shape
            shapes[place.name] = (rows, columns)
    return Seen(level, seed, described, shapes)


def outcomes(
    method: Method, places: Sequence[Place], seen: Seen, views: Sequence[str], others: int = 1
) -> Iterator[Outcome]:
    """Each place with itself in every view, and with `others` more of the same grid as if they were the same.

    Which ones goes by the seed.
    """
    for index, place in enumerate(places):
        if place.stranger:
            continue
        a, shape = seen.described[place.name, "first"], seen.shapes[place.name]
        turn = [*places[index + 1 :], *places[:index]]
        alike = [one for one in turn if seen.shapes[one.name] == shape]
        for view in views:
            names = (place.name, view, seen.seed)
            yield outcome(
                method, Both(a, seen.described[place.name, view], place.truth(view, seen.level.cell), shape), names
            )
            for step in range(min(others, len(alike))):
                stranger = alike[(seen.seed + step) % len(alike)]
                both = Both(a, seen.described[stranger.name, view], np.eye(3), shape)
                yield outcome(method, both, names, other=True)


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """Two described maps of (rows, columns) cells, and what takes cells of a to cells of b."""

    a: Described
    b: Described
    truth: Homography
    shape: tuple[int, int]


def outcome(method: Method, both: Both, names: tuple[str, str, int], *, other: bool = False) -> Outcome:
    """Match two maps and hold the matches against the truth. names: place, view and seed."""
    a, b, truth = both.a, both.b, both.truth
    found = method.match(a, b)
    first = a.points[found.pairs[:, 0]] if found.first is None else found.first
    second = b.points[found.pairs[:, 1]] if found.second is None else found.second
    good = metrics.right(first, second, truth, DISTANCE)
    checked = (verify.drift if names[1] in FIXED else verify.homography)(first, second)
    alone = checked.kept.copy()
    alone[checked.kept] = metrics.apart(first[alone], second[alone], found.score[alone], DISTANCE)
    again = [metrics.repeatability(a.points[:TOP], b.points[:TOP], truth, both.shape, within) for within in (0.5, 1.0)]
    return Outcome(
        place=names[0],
        view=names[1],
        seed=names[2],
        other=other,
        points=(len(a.points) + len(b.points)) / 2,
        again=(again[0], again[1]),
        score=found.score.astype(np.float64),
        right=good & (not other),
        verified=checked.kept,
        apart=alone,
        here=float(good.mean()) if len(good) else 0.0,
        corner=metrics.corner_error(checked.homography, truth, both.shape),
    )


def book(method: Method, seen: Seen, seed: int) -> NDArray[np.float32] | None:
    """The codebook of a method's descriptors on tuning places with the same noise."""
    every = [
        floats(one.descriptors, packed_bits=method.packed_bits)
        for (_, view), one in seen.described.items()
        if view == "first" and one.descriptors.size
    ]
    return codebook(np.concatenate(every), np.random.default_rng(seed)) if every else None


def vectors(
    method: Method, seen: Seen, centres: NDArray[np.float32] | None
) -> dict[str, dict[tuple[str, str], Vector]]:
    """Under the method's name its own vectors, where it has them; and VLAD of its descriptors, where it has those."""
    out: dict[str, dict[tuple[str, str], Vector]] = {}
    if centres is not None:
        out[f"{method.name}, VLAD"] = {
            key: vlad(floats(one.descriptors, packed_bits=method.packed_bits), centres)
            for key, one in seen.described.items()
        }
    if any(len(one.vector) for one in seen.described.values()):
        out[method.name] = {key: one.vector for key, one in seen.described.items()}
    return out
