"""Candidates d and g: tables for absolute windows."""

import math

import cv2
import numpy as np

from benchmarks.gains.chains import Make, Past, Variant
from benchmarks.gains.mechanisms import VALUES, Table, clipped, linear
from edge.privacy.lut import log_table

RANGE = 1023


def public() -> dict[str, Variant]:
    """Tables that follow the map before, and one that never does."""
    return {
        "linear": Variant(lambda _: linear()),
        "clip to 64..192 always": Variant(lambda _: clipped(64, 192)),
        "clip to 1 % to 99 % of the map, 16 wider": Variant(clip_of(1, 16)),
        "clip to 1 % to 99 % of the map": Variant(clip_of(1, 0)),
        "clip to 5 % to 95 % of the map": Variant(clip_of(5, 0)),
        "equalised, undone late": Variant(equalised(0, late=True)),
        "half equalised, half linear": Variant(equalised(0.5)),
        "half equalised, half linear, undone late": Variant(equalised(0.5, late=True)),
    }


def offsets() -> dict[str, Variant]:
    """The linear table and logarithms, undone before denoising (as the product does) and after it."""
    variants = {"linear": Variant(lambda _: linear())}
    for late in (False, True):
        for offset in (4, 16, 64, 128, 255):
            name = f"log, offset {offset}{', undone late' if late else ''}"
            variants[name] = Variant(log(offset, late=late))
    return variants


def log(offset: int, *, late: bool) -> Make:
    table = Table(log_table(VALUES - 1, offset).astype(np.int64), late)
    return lambda _: table


def clip_of(percent: float, margin: int) -> Make:
    def make(past: Past) -> Table:
        low, high = np.percentile(past.grey, (percent, 100 - percent))
        return clipped(max(0, math.floor(low) - margin), min(VALUES - 1, math.ceil(high) + margin))

    return make


def equalised(even: float, *, late: bool = False) -> Make:
    """1023 times the distribution function of the map before, smoothed by 12 grey; `even`: the part that is linear."""

    def make(past: Past) -> Table:
        counts, _ = np.histogram(past.grey, bins=VALUES, range=(0, VALUES))
        smooth = cv2.GaussianBlur(counts.astype(np.float64)[None], (0, 0), 12, borderType=cv2.BORDER_REFLECT)[0]
        share = (1 - even) * smooth / smooth.sum() + even / VALUES
        rise = np.cumsum(share) - share[0]
        return Table(np.rint(RANGE * rise / rise[-1]).astype(np.int64), late)

    return make
