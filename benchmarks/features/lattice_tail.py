"""How strong does noise alone make a block? The table of edge/features/lattice_tail.py.

    python -m benchmarks.features.lattice_tail [--maps 3000] [--seed 6]

For each strength the share of blocks of pure-noise maps of 60 x 80 cells that exceed it: Laplace and Gaussian noise,
blocks at least RIM from every border and the others. Noise is continuous: the daemon's has thousands of steps.
"""

import argparse
import math
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.features.lattice import strengths
from edge.features.lattice_tail import COUNT, RIM, STEP, rim_of

ROWS, COLUMNS = 60, 80
Draw = Callable[[np.random.Generator], NDArray[np.float64]]

LAWS: dict[str, Draw] = {
    "LAPLACE": lambda rng: rng.laplace(0, 1 / math.sqrt(2), (ROWS, COLUMNS)),
    "GAUSS": lambda rng: rng.standard_normal((ROWS, COLUMNS)),
}


def shares(draw: Draw, maps: int, rng: np.random.Generator) -> tuple[list[int], list[int], int, int]:
    """Blocks above each strength inside and at the rim, and how many there are of both."""
    rim = rim_of(ROWS // 2, COLUMNS // 2)
    steps = STEP * np.arange(COUNT)
    inside, border = np.zeros(COUNT, np.int64), np.zeros(COUNT, np.int64)
    for number in range(maps):
        found = strengths(draw(rng), 1.0)
        for counts, which in ((inside, ~rim), (border, rim)):
            np.add(counts, (found[which][:, None] > steps).sum(0), out=counts)
        if number % 500 == 0:
            print(f"{number} of {maps} maps", file=sys.stderr)
    return inside.tolist(), border.tolist(), int((~rim).sum()) * maps, int(rim.sum()) * maps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=6)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    print(
        f"# {given.maps} maps of {ROWS} x {COLUMNS} cells, seed {given.seed}; rim: blocks nearer than {RIM} to a border"
    )
    for law, draw in LAWS.items():
        inside, border, of_inside, of_border = shares(draw, given.maps, rng)
        for name, counts, blocks in (("INSIDE", inside, of_inside), ("RIM", border, of_border)):
            logs = [f"{math.log(count / blocks):.3f}" for count in counts if count >= 10]
            print(f"{law}_{name} = ({', '.join(logs)})")


if __name__ == "__main__":
    main()
