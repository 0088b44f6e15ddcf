"""Several maps of one place into one: the inverse-variance mean of those that agree, and of each the cells that do.

With every new map the kept ones are split into older and newer, at the newest, the newest two, four, and so on, and
the means of both parts are compared with what their noise explains. Where the camera has moved, the older ones go;
another light is taken out of them; cells that have changed are given up in them. So what is fused is a function of
releases only. docs/fusion.md has the rates and what was measured.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.features.change import changed_cells
from edge.features.denoise import wiener
from edge.features.drift import Difference, Light, Shift, robust_light_fit

FALSE_ALARMS = 1e-3
"""How often a new map of a place that has not changed is told from those before it, at most."""
CHANGED = 1 / 2
"""Part of the cells that may have changed before the older maps are given up as those of another place."""
TOLERATED = 1 / 2
"""Cells by which a camera may have moved without the older maps being dropped, however sure the move is.

Measured (docs/fusion.md): after a move of 0.3 cells the older maps are worth more than they smear, after 0.6 less.
"""
GAIN = 2.0
"""Another light is taken out up to this gain and down to its inverse; beyond, the older maps are dropped."""
QUIETEST = 1e-9
"""Standard deviation of the noise, in grey, that a map without noise counts as having."""
LIVE, SHELVED, DROPPED = 0, 1, 2
"""What a cell of a layer is: in the mean; what was there before, should it come back; given up."""

Grid = NDArray[np.float64]
Cells = NDArray[np.bool_]
Verdict = Literal["same", "light", "part", "drift", "other"]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One map among those that are fused.

    positions: ledger positions of the releases in it, ascending. grey, variance: (rows, columns) float64, of each
    cell and of its noise, in grey and grey². standing: (rows, columns) int8, LIVE, SHELVED or DROPPED.
    """

    positions: tuple[int, ...]
    grey: Grid
    variance: Grid
    standing: NDArray[np.int8]

    @classmethod
    def of(cls, positions: tuple[int, ...], grey: Grid, variance: Grid) -> "Layer":
        """With all cells live."""
        return cls(positions, grey, variance, np.zeros(grey.shape, np.int8))

    def lit(self, light: Light) -> "Layer":
        """In another light, its noise with it."""
        return replace(self, grey=light.gain * self.grey + light.offset, variance=light.gain**2 * self.variance)

    def turned(self, changed: Cells, back: Cells) -> "Layer":
        """Where the place has changed, what was live is shelved. What was shelved is live if `back`, else given up."""
        live, shelved = self.standing == LIVE, self.standing == SHELVED
        standing = np.where(changed & live, SHELVED, self.standing)
        standing = np.where(changed & shelved, np.where(back, LIVE, DROPPED), standing)
        return replace(self, standing=standing.astype(np.int8))


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """Of layers with independent noise, cell by cell: grey, its variance, and the most that one layer adds to it.

    A cell that is of no layer has infinite variance and no grey.
    """

    grey: Grid
    variance: Grid
    largest: Grid

    @property
    def noise(self) -> float:
        """Root mean square over the cells of their noise, in grey."""
        return math.sqrt(float(self.variance.mean()))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a comparison of newer with older maps says.

    verdict: `same`; `light`: taken out; `part`: cells that have changed, and perhaps another light; `drift`: the camera
    has moved; `other`: more has changed than CHANGED, or the light beyond GAIN.
    """

    verdict: Verdict
    light: Light | None = None
    shift: Shift | None = None
    changed: Cells | None = None

    @property
    def agrees(self) -> bool:
        """Whether the older maps may go on."""
        return self.verdict not in ("drift", "other")


def mean_of(layers: Sequence[Layer], standing: int = LIVE) -> Mean:
    """The inverse-variance mean of the cells that are live, or shelved."""
    if len(layers) == 1 and standing == LIVE and not layers[0].standing.any():
        return Mean(layers[0].grey, layers[0].variance, layers[0].variance)
    total, grey, heaviest = (np.zeros(layers[0].grey.shape) for _ in range(3))
    for layer in layers:
        weight = (layer.standing == standing) / layer.variance
        total += weight
        grey += weight * layer.grey
        np.maximum(heaviest, weight, out=heaviest)
    known = total > 0
    safe = np.where(known, total, 1.0)
    return Mean(grey / safe, np.where(known, 1 / safe, np.inf), np.where(known, heaviest / safe**2, np.inf))


class Fusion:
    """A bounded memory of layers, newest last."""

    def __init__(self, most: int) -> None:
        """`most`: layers, at least 1."""
        self._most = most
        self._layers: list[Layer] = []

    def __iter__(self) -> Iterator[Layer]:
        """Those of which a cell at least is in the mean, oldest first."""
        return (layer for layer in self._layers if (layer.standing == LIVE).any())

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the layers; empty where there are none."""
        return self._layers[-1].grey.shape if self._layers else ()

    def mean(self) -> Mean:
        """Of what is live: each cell is of the newest layer at least. There must be a layer."""
        return mean_of(self._layers)

    def clear(self) -> None:
        """Forget all."""
        self._layers = []

    def add(self, layer: Layer) -> Found:
        """Take one more map, and let go of what does not agree with the newest ones.

        What was found at the first split that found anything is told, or what ended the older layers.
        """
        layers = [*self._layers, layer][-self._most :]
        splits = _splits(len(layers))
        told = Found("same")
        for newest in splits:
            older, newer = layers[:-newest], layers[-newest:]
            if not older:
                break
            chance = FALSE_ALARMS / len(splits)
            found = compare(mean_of(older), mean_of(newer), chance, far=newest == 1)
            if not found.agrees:
                layers, told = newer, found
                break
            told = found if told.verdict == "same" else told
            layers = [*_adapted(older, newer, found, chance), *newer]
        self._layers = layers
        return told


def _splits(layers: int) -> list[int]:
    """How many of the newest are set against the others: 1, 2, 4, ..."""
    return [2**i for i in range(layers.bit_length()) if 2**i < layers]


def _adapted(older: Sequence[Layer], newer: Sequence[Layer], found: Found, chance: float) -> list[Layer]:
    """The older layers in the light of the newer, without what has changed; those of which nothing is left are gone.

    Where what has changed agrees with what was shelved there, as when a person has left, that is live again.
    """
    kept = list(older)
    if found.light is not None:
        kept = [layer.lit(found.light) for layer in kept]
    if found.changed is not None:
        shelved, now = mean_of(kept, SHELVED), mean_of(newer)
        unlike = _changed(shelved, now, np.zeros_like(now.grey), chance)
        back = np.isfinite(shelved.variance) & ~unlike
        kept = [layer.turned(found.changed, back) for layer in kept]
    return [layer for layer in kept if (layer.standing != DROPPED).any()]


def compare(older: Mean, newer: Mean, chance: float, *, far: bool = True) -> Found:
    """Set newer maps against older ones of the same grid.

    Maps of one place in one light are told apart with `chance` at most: half of it for changes in part, a quarter each
    for a move of the camera and for light. What has changed in part is found first, beside an estimate of light that
    such changes move little; the rest decides about move and light. far: as in `Difference.shift`.
    """
    variance = older.variance + newer.variance
    known = np.isfinite(variance)
    if not known.any():
        return Found("same")
    difference = np.where(known, newer.grey - older.grey, 0.0)
    pattern = _pattern(older, newer)
    counted = variance
    for _ in range(2):
        offset, slope = robust_light_fit(difference, pattern, counted)
        changed = _changed(older, newer, offset + slope * pattern, chance / 2)
        if not changed.any():
            break
        counted = np.where(changed, np.inf, variance)
        if np.count_nonzero(changed) > CHANGED * np.count_nonzero(known):
            return Found("other", changed=changed)
    told = Difference(difference, counted, _parts(older, newer), pattern)
    shift = told.shift(chance / 4, far=far)
    if shift is not None and shift.furthest(*pattern.shape) > TOLERATED:
        return Found("drift", shift=shift)
    light = None
    if told.light_differs(chance / 4):
        light = light_between(older, newer, counted)
        if not 1 / GAIN <= light.gain <= GAIN:
            return Found("other", light=light)
    part = changed if changed.any() else None
    return Found("part" if part is not None else "light" if light is not None else "same", light, shift, part)


def light_between(older: Mean, newer: Mean, counted: Grid) -> Light:
    """The light in which the older map would be most like the newer one.

    The pattern that the difference is fitted to is of both maps, so the fit is repeated with what it has found.
    """
    gain, offset = 1.0, 0.0
    for _ in range(3):
        lit = Mean(gain * older.grey + offset, gain**2 * older.variance, gain**2 * older.largest)
        difference = np.where(np.isfinite(counted), newer.grey - lit.grey, 0.0)
        more, slope = robust_light_fit(difference, _pattern(lit, newer), counted)
        gain, offset = gain * (1 + slope), offset * (1 + slope) + more
    return Light(float(gain), float(offset))


def _changed(older: Mean, newer: Mean, explained: Grid, chance: float) -> Cells:
    """Cells that differ by more than noise and what is explained."""
    variance = older.variance + newer.variance
    known = np.isfinite(variance)
    if not known.any():
        return known
    deviations = np.where(known, newer.grey - older.grey - explained, 0.0) / np.sqrt(variance)
    return changed_cells(deviations, known, _parts(older, newer), chance)


def _parts(older: Mean, newer: Mean) -> float:
    """How many Laplace noises alike the noise of each cell's difference is made of, at least, in eighths."""
    variance = older.variance + newer.variance
    known = np.isfinite(variance)
    least = float((variance[known] / np.maximum(older.largest, newer.largest)[known]).min())
    return math.floor(8 * least + 1e-6) / 8


def _pattern(older: Mean, newer: Mean) -> Grid:
    """The denoised mean of both, without its own mean; of cells that only the newer one knows, the newer."""
    known = np.isfinite(older.variance)
    weight = np.where(known, newer.variance / np.where(known, older.variance + newer.variance, 1.0), 0.0)
    mean = weight * np.where(known, older.grey, 0.0) + (1 - weight) * newer.grey
    variance = np.where(known, weight * np.where(known, older.variance, 0.0), newer.variance)
    smooth = wiener(mean, math.sqrt(float(variance.mean())))
    pattern: Grid = smooth - smooth.mean()
    return pattern
