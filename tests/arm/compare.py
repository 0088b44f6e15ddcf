"""Two files of outputs.py: how much of what must be equal is equal, and how far the features are apart."""

import json
import sys
from pathlib import Path

import numpy as np


def main():
    here, there = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3])
    wrong = [name for name, digest in here["exact"].items() if there["exact"].get(name) != digest]
    apart = []
    for name, values in here["features"].items():
        first, second = np.array(values), np.array(there["features"][name])
        same = first.shape == second.shape
        apart.append(f"{name} {np.abs(first - second).max(initial=0):.3g}" if same else f"{name} of another number")
    numbers = f"{len(here['exact']) - len(wrong)} of {len(here['exact'])} bit for bit"
    sys.stdout.write(f"{numbers}; features differ by at most: {', '.join(apart)}\n")
    if wrong:
        sys.exit(f"not equal: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
