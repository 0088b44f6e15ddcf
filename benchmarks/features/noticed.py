"""What is noticed before maps are fused, and how often by mistake.

    python -m benchmarks.features.noticed DATA [--scenes 30] [--trials 1000]

The first table has no change in it: how often maps of one place with noise of the mechanism's law are told apart, where
`CHANCE` is allowed. The others have photographs of DATA/photos: six maps before, one map of what is there now, and the
rate that the product allows; the last has four before. Noise is in grey, moves are in cells, in directions drawn at
random.
"""

import argparse
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.days import CLEAN, NEAR, Scene, Setting, distances, moved, photographs
from benchmarks.features.methods import line_up
from edge.features.fusion import FALSE_ALARMS, Found, Layer, Mean, compare, mean_of
from edge.features.map import undo
from edge.privacy.lut import LinearLut, LogLut, Lut
from edge.privacy.mechanism import Mechanism

Grid = NDArray[np.float64]
CHANCE = 0.05
BEFORE = 6
SPLITS = 3
"""Of a memory of seven: each may take a third of the rate."""
FRAMES = 100


SETTINGS = [Setting(cell, sd) for cell in (8, 16) for sd in (5.0, 10.0, 20.0)]
MOVES = (0.25, 0.5, 0.75, 1.3, 2.6)
LIGHTS = ((1.02, 0.0), (1.05, 0.0), (0.8, 0.0), (1.0, 1.0), (1.0, 3.0))
PATCHES = (3, 5, 8)
SMALL = (0.3, 0.6, 1.3)


def cells(picture: Grid, cell: int) -> Grid:
    rows, columns = (n // cell for n in picture.shape)
    whole = picture[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).mean((1, 3))
    cut: Grid = whole[2:-2, 2:-2]
    return cut


def maps(grey: Grid, sd: float, count: int, rng: np.random.Generator) -> Mean:
    return mean_of([layer_of(grey, sd, rng) for _ in range(count)])


def layer_of(grey: Grid, sd: float, rng: np.random.Generator) -> Layer:
    return Layer.of((1,), grey + rng.laplace(0, sd / math.sqrt(2), grey.shape), np.full(grey.shape, sd**2))


def against(before: Grid, now: Grid, sd: float, rng: np.random.Generator) -> Found:
    return compare(maps(before, sd, BEFORE, rng), maps(now, sd, 1, rng), FALSE_ALARMS / SPLITS)


def released(grey: Grid, lut: Lut, sd: float, count: int, rng: np.random.Generator) -> Mean:
    """Means of maps from sums with the discrete law of the mechanism; sd: in grey at the middle of the range."""
    pixels = FRAMES * 64
    slope = (255 / 2 + lut.offset) * math.log1p(255 / lut.offset) / lut.range if isinstance(lut, LogLut) else 1.0
    scale = math.ceil(sd * pixels / slope / math.sqrt(2))
    mechanism = Mechanism(lut=lut, cell=8, rows=grey.shape[0], columns=grey.shape[1], frames=FRAMES, scale=scale)
    whole = np.rint(grey).astype(np.int64)
    sums = (lut.table[whole].astype(np.int64) if isinstance(lut, LogLut) else whole) * pixels
    chance = -math.expm1(-1 / scale)
    drawn = (rng.geometric(chance, sums.shape) - rng.geometric(chance, sums.shape) for _ in range(count))
    return mean_of([undo(n, sums + noise, mechanism).layer for n, noise in enumerate(drawn, 1)])


def alarms(scenes: Sequence[Scene], trials: int) -> Iterator[str]:
    """Maps that differ by noise only."""
    yield f"| place | LUT | noise | maps before, now | told apart of {trials}: part | drift | light | other |"
    yield "|---|---|---|---|---|---|---|---|"
    rng = np.random.default_rng(1)
    greys = [cells(scene.pictures[0], 8) for scene in scenes]
    for place in ("bare wall", "photographs"):
        for lut in (LinearLut(255), LogLut.of(255)):
            for sd in (5.0, 20.0):
                for before, now in ((1, 1), (BEFORE, 1)):
                    said: Counter[str] = Counter()
                    for trial in range(trials):
                        grey = greys[trial % len(greys)] if place == "photographs" else np.full((30, 40), 110.0)
                        older, newer = (released(grey, lut, sd, n, rng) for n in (before, now))
                        said[compare(older, newer, CHANCE).verdict] += 1
                    counts = " | ".join(str(said[v]) for v in ("part", "drift", "light", "other"))
                    yield f"| {place} | {lut.spec.name} | {sd:g} | {before}, {now} | {counts} |"


def shifts(scenes: Sequence[Scene]) -> Iterator[str]:
    """Camera moves: how many are noticed as such or as another place, so that the maps before are dropped."""
    yield f"| cell | noise | {' | '.join(f'{move:g}: dropped, error' for move in MOVES)} |"
    yield "|---" * (2 + len(MOVES)) + "|"
    for cell, sd in SETTINGS:
        rng = np.random.default_rng(2)
        row = []
        for move in MOVES:
            dropped, errors = 0, []
            for scene in scenes:
                angle = rng.uniform(0, 2 * math.pi)
                x, y = move * math.cos(angle), move * math.sin(angle)
                picture = scene.pictures[0]
                now = cells(moved(picture, x * cell, y * cell), cell)
                found = against(cells(picture, cell), now, sd, rng)
                dropped += not found.agrees
                if found.shift is not None:
                    errors.append(math.hypot(found.shift.x - x, found.shift.y - y))
            row.append(f"{dropped}, {np.median(errors):.2f}" if errors else f"{dropped}, -")
        yield f"| {cell} | {sd:g} | {' | '.join(row)} |"


def lights(scenes: Sequence[Scene]) -> Iterator[str]:
    """Other lights: how many are noticed, and the root mean square error of what is taken out."""
    yield f"| cell | noise | {' | '.join(f'x {gain:g} + {offset:g}' for gain, offset in LIGHTS)} |"
    yield "|---" * (2 + len(LIGHTS)) + "|"
    for cell, sd in SETTINGS:
        rng = np.random.default_rng(3)
        row = []
        for gain, offset in LIGHTS:
            left = []
            for scene in scenes:
                before = cells(scene.pictures[0], cell)
                now = gain * before + offset
                light = against(before, now, sd, rng).light
                if light is not None:
                    left.append(np.sqrt(np.mean((light.gain * before + light.offset - now) ** 2)))
            row.append(f"{len(left)}, {np.mean(left):.1f}" if left else "0, -")
        yield f"| {cell} | {sd:g} | {' | '.join(row)} |"


def patches(scenes: Sequence[Scene]) -> Iterator[str]:
    """A square of so many cells shows another part of the picture: cells off by more than twice the noise, found."""
    yield f"| cell | noise | {' | '.join(f'{side} x {side}: found, beside' for side in PATCHES)} |"
    yield "|---" * (2 + len(PATCHES)) + "|"
    for cell, sd in SETTINGS:
        rng = np.random.default_rng(4)
        row = []
        for side in PATCHES:
            found, off, beside = 0, 0, 0
            for scene in scenes:
                before = cells(scene.pictures[0], cell)
                now, patch = before.copy(), np.zeros(before.shape, np.bool_)
                top, left = (int(rng.integers(2, n - side - 2)) for n in before.shape)
                patch[top : top + side, left : left + side] = True
                now[patch] = before[::-1, ::-1][patch]
                told = against(before, now, sd, rng).changed
                changed = np.zeros(before.shape, np.bool_) if told is None else told
                strong = np.abs(now - before) > 2 * sd
                found, off = found + int((strong & changed).sum()), off + int(strong.sum())
                beside += int((changed & ~patch).sum())
            row.append(f"{found / max(off, 1):.2f}, {beside / len(scenes):.0f}")
        yield f"| {cell} | {sd:g} | {' | '.join(row)} |"


def worth(scenes: Sequence[Scene]) -> Iterator[str]:
    """Four maps before a move, and one or three after it: matches with what is there now, kept against dropped."""
    yield f"| cell | noise | {' | '.join(f'{m:g}: 1 after, kept, dropped | 3 after' for m in SMALL)} |"
    yield "|---" * (2 + 2 * len(SMALL)) + "|"
    for cell, sd in SETTINGS:
        if sd < 10:
            continue
        method = line_up()["sift"](cell, sd)
        row = []
        for move in SMALL:
            counts = np.zeros((2, 2))
            for seed, scene in enumerate(scenes):
                rng = np.random.default_rng(seed)
                picture = scene.pictures[0]
                before, now = (cells(moved(picture, 0.8 * m * cell, 0.6 * m * cell), cell) for m in (0.0, move))
                clean = method.describe(now.astype(np.float32), CLEAN)
                old, new = ([layer_of(grey, sd, rng) for _ in range(n)] for grey, n in ((before, 4), (now, 3)))
                for line, after in enumerate((new[:1], new)):
                    for column, layers in enumerate(([*old, *after], after)):
                        mean = mean_of(layers)
                        seen = method.describe(np.clip(mean.grey, 0, 255).astype(np.float32), mean.noise)
                        counts[line, column] += int((distances(method, seen, clean) <= NEAR / 2).sum())
            row += [f"{kept:.0f}, {dropped:.0f}" for kept, dropped in counts / len(scenes)]
        yield f"| {cell} | {sd:g} | {' | '.join(row)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="What is noticed before maps are fused.")
    parser.add_argument("data", type=Path, help="folder with photos/")
    parser.add_argument("--scenes", type=int, default=30, help="photographs")
    parser.add_argument("--trials", type=int, default=1000, help="of noise alone, for each row")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    scenes = photographs(flags.data / "photos", flags.scenes)
    tables = {
        f"Noise alone, {CHANCE:g} allowed": alarms(scenes, flags.trials),
        f"Moves, dropped of {len(scenes)}": shifts(scenes),
        f"Light, noticed of {len(scenes)} and error left": lights(scenes),
        "Patches": patches(scenes),
        "What the maps before a move are worth": worth(scenes),
    }
    for title, rows in tables.items():
        print(f"\n## {title}\n")
        for row in rows:
            print(row, flush=True)


if __name__ == "__main__":
    main()
