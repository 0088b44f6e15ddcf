"""Maps for the calibration of the 8-bit file: drawn places at all levels of noise.

python -m models.training.maps OUT.npz [--count 64] [--seed 9]
"""

import argparse
from pathlib import Path

import numpy as np

from models.training.drawn import draw
from models.training.normalise import Maps, normalise
from models.training.views import Place, pair_of


def maps(count: int, seed: int) -> Maps:
    """(count, 2, 32, 40) as the trunk reads them."""
    rng = np.random.default_rng(seed)
    pairs = [pair_of(Place(draw(rng)), rng, loudness=1.0) for _ in range(count)]
    return normalise(np.stack([p.noised[0] for p in pairs]), np.array([p.noise[0] for p in pairs]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=9)
    given = parser.parse_args()
    np.savez(given.out, maps=maps(given.count, given.seed))


if __name__ == "__main__":
    main()
