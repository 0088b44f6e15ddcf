"""Which detector finds the same points again? Repeatability on photographs with noise, at equal count.

    python -m benchmarks.features.corner_choice PHOTOS|CLIP [--count 24] [--seed 1] [--tuning] [--cells 16 8]

Two windows of one photograph, the second moved by a whole number of pixels in both directions, are cut into cells and
noised independently; of a clip, the mean frames of both halves. A point is found again where it and a point of the
other map are each other's nearest and within the distance. The photographs whose place in the sorted list is divisible
by 3 were used to choose scales and weights; the others are measured here unless --tuning is given.

Detectors: `curvature`, edge/features/corners.py; `on the log`, the same on the logarithm of the map; `tensor`, the
smaller eigenvalue of the tensor of first derivatives at the same scales, above noise and in its standard deviations;
`log-Harris`, the tensor on the log map that is blind to noise; `random`, points anywhere.
"""

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.features import corners
from edge.features.corner_curvature import correlate, kernels, mirror

WIDTH, HEIGHT, MARGIN = 640, 480, 30
NOISES = (0.0, 2.5, 5.0, 10.0, 20.0, 40.0)
POINTS = {16: 100, 8: 256}
INTEGRATION = 0.5
"""Of the tensor's window, in that of its derivatives: the best of 0.5, 0.7, 0.9, 1, 1.5 and 2 on tuning photographs."""
LOG_OFFSET = 0.08 * 255

Array = NDArray[np.float64]
Detector = Callable[[NDArray[np.float32], float, int], Array]
Pair = Callable[[int, np.random.Generator], tuple[Array, Array, Array]]
"""Side of a cell -> two maps without noise, and how far the second is from the first in cells."""


def covering(path: Path) -> Array:
    """The photograph, grey, resized so that it covers the frame and its margins."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise SystemExit(f"{path}: not a picture")
    width, height = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN
    scale = max(width / grey.shape[1], height / grey.shape[0])
    size = (math.ceil(scale * grey.shape[1]), math.ceil(scale * grey.shape[0]))
    resized = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    return np.asarray(resized[:height, :width], np.float64)


def cells(grey: Array, side: int) -> Array:
    """Cell means."""
    rows, columns = grey.shape[0] // side, grey.shape[1] // side
    blocks = grey[: rows * side, : columns * side].reshape(rows, side, columns, side)
    mean: Array = blocks.mean((1, 3))
    return mean


def photographed(path: Path, side: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Two frames out of a photograph, in cells, and how far the second is from the first, in cells."""
    grey = covering(path)
    x, y = (int(each) for each in rng.integers(0, 2 * MARGIN + 1, 2))
    first = grey[MARGIN : MARGIN + HEIGHT, MARGIN : MARGIN + WIDTH]
    second = grey[y : y + HEIGHT, x : x + WIDTH]
    return cells(first, side), cells(second, side), np.array([x - MARGIN, y - MARGIN]) / side


def halves(path: Path) -> tuple[Array, Array]:
    """The mean frame of both halves of a clip."""
    clip = cv2.VideoCapture(str(path))
    frames = []
    while (got := clip.read())[0]:
        frames.append(cv2.cvtColor(got[1], cv2.COLOR_BGR2GRAY))
    if len(frames) < 2:
        raise SystemExit(f"{path}: no frames")
    middle = len(frames) // 2
    return np.mean(frames[:middle], axis=0), np.mean(frames[middle : 2 * middle], axis=0)


def noised(clean: Array, noise: float, rng: np.random.Generator) -> NDArray[np.float32]:
    return np.clip(clean + rng.laplace(0, noise / 2**0.5, clean.shape), 0, 255).astype(np.float32)


def curvature(image: NDArray[np.float32], noise: float, most: int) -> Array:
    return corners.seek(image, noise, 0.5, most).points


def on_the_log(image: NDArray[np.float32], noise: float, most: int) -> Array:
    log = np.log(np.asarray(image, np.float64) + LOG_OFFSET)
    # The noise of the logarithm differs from cell to cell; in units of that of the mean, 1 grey is 1 again at the mean.
    scale = float(image.mean()) + LOG_OFFSET
    return corners.seek(log * scale, noise, 0.5, most).points


def tensor(image: NDArray[np.floating], sigma: float, integration: float) -> tuple[Array, Array, Array]:
    """xx, yy and xy of the first derivatives, integrated."""

    def filtered(values: Array, across: tuple[float, ...], down: tuple[float, ...]) -> Array:
        middle = correlate(mirror(values, len(across) // 2, 1), across, 1)
        return correlate(mirror(middle, len(down) // 2, 0), down, 0)

    weights, window = kernels(sigma), kernels(integration * sigma).smooth
    gx = filtered(np.asarray(image, np.float64), weights.slope, weights.smooth)
    gy = filtered(np.asarray(image, np.float64), weights.smooth, weights.slope)
    xx, yy, xy = (filtered(each, window, window) for each in (gx * gx, gy * gy, gx * gy))
    return xx, yy, xy


class FirstOrder:
    """The tensor of first derivatives, with what noise makes of it at every cell measured on maps of noise."""

    def __init__(self, maps: int = 400) -> None:
        self._maps = maps
        self._noise: dict[tuple[tuple[int, ...], float], tuple[Array, Array, Array, Array]] = {}

    def __call__(self, image: NDArray[np.float32], noise: float, most: int) -> Array:
        scores = np.stack([self._score(image, max(noise, corners.LEAST_NOISE), sigma) for sigma in corners.SIGMAS])
        return strongest(scores, most)

    def _score(self, image: NDArray[np.float32], noise: float, sigma: float) -> Array:
        mean_xx, mean_yy, sd_xx, sd_yy = self._of_noise(image.shape, sigma)
        xx, yy, xy = tensor(image, sigma, INTEGRATION)
        a, b = (xx / noise**2 - mean_xx) / sd_xx, (yy / noise**2 - mean_yy) / sd_yy
        c = xy / noise**2 / np.sqrt(sd_xx * sd_yy)
        smaller: Array = (a + b) / 2 - np.sqrt(((a - b) / 2) ** 2 + c**2)
        return smaller

    def _of_noise(self, shape: tuple[int, ...], sigma: float) -> tuple[Array, Array, Array, Array]:
        if (shape, sigma) not in self._noise:
            rng = np.random.default_rng(0)
            drawn = [tensor(rng.laplace(0, 2**-0.5, shape), sigma, INTEGRATION)[:2] for _ in range(self._maps)]
            xx, yy = (np.stack(each) for each in zip(*drawn, strict=True))
            self._noise[shape, sigma] = (xx.mean(0), yy.mean(0), xx.std(0), yy.std(0))
        return self._noise[shape, sigma]


def log_harris(image: NDArray[np.float32], _: float, most: int) -> Array:
    log = np.log(np.asarray(image, np.float64) + LOG_OFFSET)
    scores = []
    for sigma in corners.SIGMAS:
        xx, yy, xy = tensor(log, sigma, 1.2)
        scores.append(sigma**2 * ((xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)))
    return strongest(np.stack(scores), most)


def strongest(scores: Array, most: int) -> Array:
    """The strongest local maxima of all scales that are APART, each at the tops of its two parabolas."""
    size = np.ones((3, 3))
    found = []
    for score in scores:
        i, j = np.nonzero((score >= cv2.dilate(score, size)) & (score > 0))
        framed = np.pad(score, 1, mode="reflect")
        top = score[i, j]
        found.append(
            np.stack(
                [
                    j + offset(framed[i + 1, j], top, framed[i + 1, j + 2]),
                    i + offset(framed[i, j + 1], top, framed[i + 2, j + 1]),
                    top,
                ],
                axis=1,
            )
        )
    ranked = np.concatenate(found)
    ranked = ranked[np.argsort(-ranked[:, 2], kind="stable")]
    free = np.ones(len(ranked), bool)
    kept: list[int] = []
    for index, point in enumerate(ranked[:, :2]):
        if free[index] and len(kept) < most:
            kept.append(index)
            free &= ((ranked[:, :2] - point) ** 2).sum(1) >= corners.APART**2
    return ranked[kept, :2]


def offset(before: Array, top: Array, after: Array) -> Array:
    bow = 2 * top - before - after
    return np.where(bow > 0, (after - before) / (2 * np.where(bow > 0, bow, 1)), 0)


def random_points(rng: np.random.Generator) -> Detector:
    return lambda image, _, most: rng.uniform(-0.5, np.array(image.shape[::-1]) - 0.5, (most, 2))


def again(first: Array, second: Array, shift: Array, shape: tuple[int, ...]) -> tuple[Array, int]:
    """Distances of the points that are each other's nearest, and how many points of the first lie in both maps."""
    moved = first - shift
    first = moved[((moved >= -0.5) & (moved <= np.array(shape[::-1]) - 0.5)).all(1)]
    if not len(first) or not len(second):
        return np.empty(0), len(first)
    apart = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1))
    nearest = apart.argmin(1)
    mutual = apart.argmin(0)[nearest] == np.arange(len(first))
    return apart[np.arange(len(first)), nearest][mutual], len(first)


def measure(pairs: Sequence[Pair], side: int, noise: float, detectors: dict[str, Detector], seed: int) -> None:
    sums = {name: np.zeros(4) for name in detectors}
    for index, pair in enumerate(pairs):
        rng = np.random.default_rng([seed, index, side, int(noise * 10)])
        first, second, shift = pair(side, rng)
        maps = noised(first, noise, rng), noised(second, noise, rng)
        for name, detector in detectors.items():
            a, b = (detector(image, noise, POINTS[side]) for image in maps)
            near, common = again(a, b, shift, maps[0].shape)
            one, less = int((near <= 1).sum()), int((near <= 0.7).sum())
            sums[name] += [one / max(common, 1), less / max(common, 1), less, len(a)]
    for name, total in sums.items():
        within_1, within_less, found, count = total / len(pairs)
        row = f"{count:.0f} | {within_1:.3f} | {within_less:.3f} | {found:.1f}"
        print(f"| {side} | {noise:g} | {name} | {row} |", flush=True)


def pairs_of(source: Path, count: int, *, tuning: bool) -> list[Pair]:
    """Of the photographs in a folder; or of one clip, `count` times, as only the noise is drawn anew."""
    if source.is_file():
        means = halves(source)
        return [lambda side, _: (cells(means[0], side), cells(means[1], side), np.zeros(2))] * count
    paths = sorted(source.glob("*.jpg"))
    chosen = paths[::3] if tuning else [path for index, path in enumerate(paths) if index % 3]
    chosen = chosen[:: max(1, len(chosen) // count)][:count]
    return [partial(photographed, path) for path in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description="Repeatability of detectors on photographs with noise.")
    parser.add_argument("source", type=Path, help="a folder of photographs, or a clip from a fixed camera")
    parser.add_argument("--count", type=int, default=24, help="photographs, or draws of the noise")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tuning", action="store_true", help="measure the photographs that chose")
    parser.add_argument("--cells", type=int, nargs="+", default=[16, 8], choices=sorted(POINTS))
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    pairs = pairs_of(flags.source, flags.count, tuning=flags.tuning)
    detectors: dict[str, Detector] = {
        "curvature": curvature,
        "on the log": on_the_log,
        "tensor": FirstOrder(),
        "log-Harris": log_harris,
        "random": random_points(np.random.default_rng(flags.seed)),
    }
    print("| b | sd | detector | points | within 1 cell | within 0.7 | number within 0.7 |")
    print("|---|---|---|---|---|---|---|")
    for side, noise in itertools.product(flags.cells, NOISES):
        measure(pairs, side, noise, detectors, flags.seed)


if __name__ == "__main__":
    main()
