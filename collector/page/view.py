"""What the templates draw, taken from stored observations."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import NamedTuple, TypeVar

import numpy as np

from collector.compare import LEANING, Comparison, compare_observations, lean
from collector.errors import StoreCorrupt
from collector.reader import Reader, Row
from wire import features as wire_features
from wire.schema import LARGEST, Features, Observation

K = TypeVar("K")
V = TypeVar("V")

HISTORY = 12
"""Observations of a level that the page lists."""
SURE = 2
"""Standard deviations of a position that its halo shows: 19 in 20 per axis if the errors are Gaussian."""
KEPT = 256
"""Decoded observations, and comparisons, that are kept for the next drawing."""


class Panel(NamedTuple):
    """An image that the demo shows beside what was published: a title, a line of text, and where the image is."""

    title: str
    label: str
    image_url: str


@dataclass(frozen=True, slots=True)
class Star:
    """A keypoint as drawn: centre, radius and halo in pixels of the frame; strength in 0..1.

    halo: SURE standard deviations of the position; 0 where the method does not tell.
    """

    x: float
    y: float
    radius: float
    halo: float
    strength: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A component of a grid vector as drawn, in a box that is as wide as the vector is long and 2 high."""

    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows side by side.

    left_bars, right_bars: their grid vectors, drawn where neither has keypoints. lines: between the keypoints that
    agree, as (x1, y1, x2, y2). lit_left, lit_right: the numbers of these keypoints.
    """

    older: Row
    newer: Row
    left: list[Star]
    right: list[Star]
    left_bars: list[Bar]
    right_bars: list[Bar]
    lines: list[tuple[float, float, float, float]]
    lit_left: frozenset[int]
    lit_right: frozenset[int]
    comparison: Comparison
    lean: bool


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a device: its newest observation, how it compares with an earlier one, and the history."""

    name: str
    row: Row
    observation: Observation
    stars: list[Star]
    bars: list[Bar]
    pair: Pair | None
    history: list[Row]


class Viewer:
    """Makes levels, and remembers decoded observations and comparisons: stored ones never change."""

    def __init__(self) -> None:
        self._observations: OrderedDict[int, Observation] = OrderedDict()
        self._comparisons: OrderedDict[tuple[int, int], Comparison] = OrderedDict()

    def levels(self, reader: Reader, device: str) -> list[Level]:
        """Every level of this device, by name."""
        found = [self._level(reader, device, name) for name in reader.levels(device)]
        return [level for level in found if level]

    def _level(self, reader: Reader, device: str, name: str) -> Level | None:
        """A level by its newest observation that can be read; those in another form are listed, not drawn."""
        history = reader.latest(device, name, HISTORY)
        drawn = [row for row in history if self._observation(reader, row)]
        observation = self._observation(reader, drawn[0]) if drawn else None
        if observation is None:
            return None
        pair = self._pair(reader, self._older(reader, drawn, observation), drawn[0]) if len(drawn) > 1 else None
        return Level(name, drawn[0], observation, stars_of(observation), bars_of(observation.features), pair, history)

    def _older(self, reader: Reader, history: list[Row], newest: Observation) -> Row:
        """The newest earlier window whose noise is its own: no release in common, and no residual neighbour.

        Where none is old enough yet, the oldest there is.
        """
        distance = LEANING if newest.statement.lut.name == "residual" else 1
        for row in history[distance:]:
            earlier = self._observation(reader, row)
            if earlier and not set(earlier.features.fused) & set(newest.features.fused):
                return row
        return history[-1]

    def _pair(self, reader: Reader, older: Row, newer: Row) -> Pair | None:
        first, second = self._observation(reader, older), self._observation(reader, newer)
        if first is None or second is None or _size(first.features) != _size(second.features):
            return None
        comparison = self._comparisons.get((older.id, newer.id))
        if comparison is None:
            comparison = compare_observations(first, second)
            _keep(self._comparisons, (older.id, newer.id), comparison)
        left, right = stars_of(first), stars_of(second)
        matches = [pair for pair, agrees in zip(comparison.matches, comparison.agrees, strict=True) if agrees]
        return Pair(
            older=older,
            newer=newer,
            left=left,
            right=right,
            left_bars=bars_of(first.features),
            right_bars=bars_of(second.features),
            lines=[(left[i].x, left[i].y, right[j].x, right[j].y) for i, j in matches],
            lit_left=frozenset(i for i, _ in matches),
            lit_right=frozenset(j for _, j in matches),
            comparison=comparison,
            lean=lean(first, second),
        )

    def _observation(self, reader: Reader, row: Row) -> Observation | None:
        found = self._observations.get(row.id)
        try:
            if found is None and (found := reader.observation(row.id)) is not None:
                _keep(self._observations, row.id, found)
        except StoreCorrupt:
            return None
        return found


def stars_of(observation: Observation) -> list[Star]:
    """Each keypoint as it is drawn; strengths as parts of the largest."""
    features, cell = observation.features, observation.statement.cell
    strength = wire_features.strengths(features)
    columns = (
        wire_features.positions(features),
        wire_features.sizes(features) * cell / 2,
        wire_features.spreads(features) * cell * SURE,
        strength / (float(strength.max(initial=0.0)) or 1.0),
    )
    return [Star(*row) for row in np.column_stack(columns).tolist()]


def bars_of(features: Features) -> list[Bar]:
    """The grid vector as bars around a middle line, the largest filling its half."""
    heights = (features.vector / LARGEST).tolist()
    return [Bar(float(index), 1 - max(height, 0.0), abs(height)) for index, height in enumerate(heights)]


def decimal(value: Fraction, digits: int = 4) -> str:
    """A fraction for reading beside its exact form, rounded to at most `digits` significant digits."""
    return f"{float(value):.{digits}g}"


def factor(epsilon: Fraction) -> str | None:
    """By how much ε changes odds at most, e^ε; None from ε = 10 on, where the number would comfort nobody."""
    return f"{math.exp(epsilon):.3g}" if epsilon < 10 else None


def moment(milliseconds: int) -> str:
    """Unix time in ms as ISO 8601 in UTC, to the second; a clock beyond the year 9999 as its number."""
    try:
        return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"


def _size(features: Features) -> tuple[int, int]:
    return features.width, features.height


def _keep(cache: OrderedDict[K, V], key: K, value: V) -> None:
    cache[key] = value
    if len(cache) > KEPT:
        cache.popitem(last=False)
