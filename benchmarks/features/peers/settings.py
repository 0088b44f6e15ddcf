"""What can be tuned of a peer, and the tuned values for each level of noise."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

TABLE = Path(__file__).with_name("tuned.json")
Value = float | bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one peer at one level of noise. Not every family reads every field.

    blur: standard deviation of the Gaussian before everything else, in cells; 0: none. wiener: whether the DCT-Wiener
    estimate of edge/features/denoise.py takes the place of the map, before the blur. side: pixels that the shorter
    side of the map is enlarged to, about. contrast: threshold of the detector, in its own unit. upright: whether
    directions are measured from the image's own axes, not from the gradient around a point. edge: SIFT's bound on the
    ratio of principal curvatures. layers: of SIFT to an octave. thin: a point nearer than this to a stronger one is
    dropped, in cells. most: points at most, strongest kept. apart: how far a second nearest neighbour must lie from
    the nearest to count as another, in cells; 0: anywhere. margin: the least score of a match; 0: all mutual nearest
    neighbours.
    Of the families with scales of their own, `blur` is the smallest scale in cells; reach: size of the described
    neighbourhood over that scale, 1 as SIFT has it; offset: added to grey / 255 before the logarithm or the ratio;
    patch: whether a plain patch is the descriptor.
    """

    blur: float = 1.0
    wiener: bool = False
    side: int = 240
    contrast: float = 0.0
    upright: bool = False
    edge: float = 10.0
    layers: int = 3
    thin: float = 0.0
    most: int = 256
    apart: float = 0.0
    margin: float = 0.0
    reach: float = 1.0
    offset: float = 0.08
    patch: bool = False

    def loose(self) -> "Settings":
        """With all mutual nearest neighbours as matches, so that a threshold on the score can be chosen elsewhere."""
        return replace(self, margin=0.0)


def tuned(family: str, cell: int, noise: float, start: Settings, table: Mapping[str, object]) -> Settings:
    """The settings of the tuned level that is nearest: the same size of cell if there is one, then the nearest noise.

    Noise is compared as log(noise + 1), in grey. `start` where the family is not in the table.
    """
    levels = [key for key in table if key.startswith(f"{family} ")]
    if not levels:
        return start

    def distance(key: str) -> tuple[float, float]:
        _, size, deviation = key.split(" ")
        return abs(math.log(cell / float(size))), abs(math.log((noise + 1) / (float(deviation) + 1)))

    return parse(table[min(levels, key=distance)])


def parse(row: object) -> Settings:
    """Settings of a row of the table; a name that Settings does not have is refused."""
    if not isinstance(row, dict) or (unknown := row.keys() - {field.name for field in fields(Settings)}):
        raise ValueError(f"no settings of a peer: {row if not isinstance(row, dict) else sorted(unknown)}")
    return Settings(**row)


def read(path: Path = TABLE) -> dict[str, object]:
    """The table of tuned settings: "family cell noise" to a row. Empty where none was written yet."""
    if not path.exists():
        return {}
    table: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))["settings"]
    return table
