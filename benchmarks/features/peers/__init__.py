"""The methods that people would pick, each at its best: blurred and tuned for every level of noise."""

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.features.method import Method
from benchmarks.features.peers.controls import RandomPoints, Thumbnail
from benchmarks.features.peers.families import FAMILIES
from benchmarks.features.peers.settings import read, tuned

__all__ = ["PEERS", "peer", "peers"]


def peer(name: str, cell: int, noise: float, *, loose: bool = False) -> Method:
    """One family of FAMILIES as tuned for the nearest level of tuned.json.

    Args:
        name: of the family.
        cell: side of a cell in frame pixels.
        noise: standard deviation of one cell, in grey.
        loose: all mutual nearest neighbours count as matches, for who chooses a threshold on the score; else those
            whose score reaches the tuned margin.
    """
    family = FAMILIES[name]
    settings = tuned(name, cell, noise, family.start, read())
    return family.make(settings.loose() if loose else settings)


PEERS: Mapping[str, Callable[[int, float], Method]] = {name: partial(peer, name) for name in FAMILIES}
"""By name: the method for cells of this size in pixels and this noise in grey. Controls are not in it."""


def peers(cell: int, noise: float, *, seed: int = 0, loose: bool = False) -> list[Method]:
    """All peers and controls, as tuned for a level. Arguments as of `peer`; seed: of the random points."""
    return [*(peer(name, cell, noise, loose=loose) for name in FAMILIES), RandomPoints(seed), Thumbnail()]
