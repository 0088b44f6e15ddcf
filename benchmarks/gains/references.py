"""Candidates b, c and e: what a residual window subtracts, and how it clamps."""

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.gains import measure
from benchmarks.gains.chains import Make, Past, Variant
from benchmarks.gains.mechanisms import Integers, Residual, spread_out
from benchmarks.gains.scenes import CELL
from benchmarks.gains.tables import clip_of
from edge.features.map import reference_of

Tau = Callable[[Past], Integers]


def redescending() -> dict[str, Variant]:
    """Huber's clamp against functions that fall back to 0, at the same range.

    `last` ones clamp until the reference has settled, and fall back in the last window only.
    """
    variants = {
        "clamp 32": Variant(residual(fixed(32)), 3),
        "clamp 16": Variant(residual(fixed(16)), 3),
    }
    for tau, vanish in ((32, 32), (32, 64), (16, 32), (16, 64)):
        name = f"back to 0 from {tau} to {tau + vanish}"
        variants[name] = Variant(residual(fixed(tau), vanish=vanish), 3)
        variants[f"{name}, last"] = Variant(residual(fixed(tau), vanish=vanish, settle=3), 3)
    return variants


def own_tau() -> dict[str, Variant]:
    """One tau for all cells, constant or falling, against one for each, from the map before."""
    schedules = {
        "tau 32": fixed(32),
        "tau 24": fixed(24),
        "tau 16": fixed(16),
        "tau 12": fixed(12),
        "tau 32, 16, 16": falling(32, 16, 16),
        "tau 32, 16, 12": falling(32, 16, 12),
        "tau 32, 16, 8": falling(32, 16, 8),
        "tau 32, 12, 8": falling(32, 12, 8),
        "tau 48, 24, 12": falling(48, 24, 12),
    }
    contrasts = {
        "8 and half the contrast around, to 48": by_contrast(8, 1, 2, 48),
        "8 and a quarter of the contrast around, to 32": by_contrast(8, 1, 4, 32),
        "12 and an eighth of the contrast around, to 32": by_contrast(12, 1, 8, 32),
    }
    variants = {name: Variant(residual(tau), 3) for name, tau in (schedules | contrasts).items()}
    weighed = {
        f"{name}, weighed": Variant(residual(tau), 3, measure.weighed) for name, tau in list(contrasts.items())[1:]
    }
    turns = {
        "clip to 1 % to 99 % of the map, tau 16, 12": (clip_of(1, 0), residual(fixed(16)), residual(fixed(12))),
        "tau 32, 16, then 8 and an eighth of the contrast, to 24": (
            residual(fixed(32)),
            residual(fixed(16)),
            residual(by_contrast(8, 1, 8, 24)),
        ),
    }
    return variants | weighed | {name: Variant(in_turn(*makes), 3) for name, makes in turns.items()}


def sub_cell() -> dict[str, Variant]:
    """A reference that is flat in each cell against one that is interpolated for each pixel."""
    return {
        f"tau {tau}, {'bicubic' if fine else 'flat'}": Variant(residual(fixed(tau), fine=fine), 3)
        for tau in (32, 16, 8)
        for fine in (False, True)
    }


def residual(tau: Tau, *, vanish: int = 0, fine: bool = False, settle: int = 0) -> Make:
    def make(past: Past) -> Residual:
        cells = reference_of(past.grey, 255)
        plane = _between(past) if fine else spread_out(cells, past.height, past.width, CELL)
        falls = vanish if past.window >= settle else 0
        return Residual(plane, spread_out(tau(past), past.height, past.width, CELL), CELL, falls)

    return make


def fixed(tau: int) -> Tau:
    return lambda past: np.full(past.grey.shape, tau, np.int64)


def falling(*taus: int) -> Tau:
    """One tau for each window."""
    return lambda past: np.full(past.grey.shape, taus[past.window - 1], np.int64)


def in_turn(*makes: Make) -> Make:
    """One function for each window."""
    return lambda past: makes[past.window - 1](past)


def by_contrast(least: int, part: int, of: int, most: int) -> Tau:
    """least + part/of of the difference between the brightest and the darkest of the 3 x 3 cells around."""

    def of_map(past: Past) -> Integers:
        around = np.ones((3, 3), np.uint8)
        image = past.grey.astype(np.float32)
        contrast = np.rint(cv2.dilate(image, around) - cv2.erode(image, around)).astype(np.int64)
        tau: Integers = np.minimum(least + contrast * part // of, most)
        return tau

    return of_map


def _between(past: Past) -> Integers:
    """The map before, at every pixel: cubic between the cells' centres."""
    rows, columns = past.grey.shape
    fine = cv2.resize(past.grey, (columns * CELL, rows * CELL), interpolation=cv2.INTER_CUBIC)
    whole = np.pad(fine, ((0, past.height - rows * CELL), (0, past.width - columns * CELL)), mode="edge")
    return np.clip(np.rint(whole), 0, 255).astype(np.int64)
