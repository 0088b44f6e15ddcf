"""How many keypoints does noise alone have? Makes the table of edge/features/corner_tail.py.

    python -m benchmarks.features.corner_tail [--maps 700] [--seed 6]

Counts keypoints above each strength on maps of pure noise of several sizes, and fits cells and border cells to them by
least squares, each count weighed by the inverse of its expectation. Prints the table, and on the error stream how far
the fit is from each count. Noise: the mean of 1, 2 and 4 values of the Laplace law, and Gaussian.
"""

import argparse
import sys

import numpy as np
from numpy.typing import NDArray

from edge.features import corners
from edge.features.corner_tail import LOWEST, STEP

GRIDS = ((15, 20), (20, 27), (27, 48), (30, 40), (54, 96))
"""Rows and columns."""
AVERAGED = {3.0: 1, 1.5: 2, 0.75: 4, 0.0: 0}
"""Values of the Laplace law in a mean, by the excess kurtosis of the mean; 0 stands for Gaussian noise."""
RARE, RARER = 3.0, 6
"""From this strength on, so many times as many maps are counted of noise with light tails, which has few keypoints."""
LIGHT = 1.0
"""Excess kurtosis up to which tails are light."""
HIGHEST = 6.0
NOISE = 10.0
FEWEST = 50
"""Keypoints of all sizes of map below which a strength is left out of the table."""


def noise_map(shape: tuple[int, int], averaged: int, rng: np.random.Generator) -> NDArray[np.float64]:
    if not averaged:
        return rng.normal(0, NOISE, shape)
    mean: NDArray[np.float64] = rng.laplace(0, NOISE / 2**0.5, (averaged, *shape)).sum(0) / averaged**0.5
    return mean


def counts(
    shape: tuple[int, int], averaged: int, maps: int, levels: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Mean number of keypoints above each strength."""
    total = np.zeros(len(levels))
    for _ in range(maps):
        found = corners.seek(noise_map(shape, averaged, rng), NOISE, float(levels[0]), shape[0] * shape[1])
        total += (found.strength[:, None] > levels).sum(0)
    return total / maps


def table(averaged: int, maps: int, levels: NDArray[np.float64], seed: list[int]) -> NDArray[np.float64]:
    """Rows of the table, and on the error stream how far each size of map is from them."""
    rng = np.random.default_rng(seed)
    seen = [counts(shape, averaged, maps * 1200 // (shape[0] * shape[1]), levels, rng) for shape in GRIDS]
    fitted = fit(seen, maps)
    for shape, every in zip(GRIDS, seen, strict=True):
        count = every[: len(fitted)]
        model = fitted @ np.array([shape[0] * shape[1], 2 * sum(shape)])
        for expected in (1.0, 4.0, 16.0):
            near = int(np.argmin(np.abs(count - expected)))
            print(f"# {averaged} {shape} seen {count[near]:.3f} model {model[near]:.3f}", file=sys.stderr, flush=True)
    return fitted


def fit(seen: list[NDArray[np.float64]], maps: int) -> NDArray[np.float64]:
    """(n, 2) keypoints per cell and per border cell, neither below 0; n ≤ the strengths."""
    area = np.array([rows * columns for rows, columns in GRIDS], float)
    border = np.array([2 * (rows + columns) for rows, columns in GRIDS], float)
    fitted = []
    for count in np.stack(seen).T:
        if (count / area).sum() * maps * 1200 < FEWEST:
            break
        weight = np.sqrt(area / (count + 1 / maps))
        both = np.stack([area, border], axis=1) * weight[:, None]
        solved = np.linalg.lstsq(both, count * weight, rcond=None)[0]
        if solved.min() < 0:
            kept = int(solved.argmax())
            solved = np.zeros(2)
            solved[kept] = (both[:, kept] * count * weight).sum() / (both[:, kept] ** 2).sum()
        fitted.append(solved)
    return np.array(fitted)


def main() -> None:
    parser = argparse.ArgumentParser(description="Keypoints of pure noise, by strength and size of the map.")
    parser.add_argument("--maps", type=int, default=700, help="of 1200 cells, for each law and size")
    parser.add_argument("--seed", type=int, default=6)
    flags = parser.parse_args()
    common = np.arange(LOWEST, RARE, STEP)
    rare = np.arange(RARE, HIGHEST + STEP / 2, STEP)
    for excess, averaged in AVERAGED.items():
        whole = excess > LIGHT
        rows = table(averaged, flags.maps, np.concatenate([common, rare]) if whole else common, [flags.seed, averaged])
        if not whole:
            more = table(averaged, RARER * flags.maps, rare, [flags.seed, averaged, 1])
            rows = np.concatenate([rows, more])
        print(f"    {excess}: (")
        for cells, border in rows * 1e6:
            print(f"        ({cells:.0f}, {border:.0f}),")
        print("    ),", flush=True)


if __name__ == "__main__":
    main()
