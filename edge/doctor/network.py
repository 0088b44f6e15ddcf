"""Run as a program: loads a network, has it read one map, and prints what it is and how long that took, as JSON.

A process of its own, as ONNX Runtime ends a process with an illegal instruction on a processor that it does not fit.
"""

import json
import sys
import time
from collections.abc import Sequence

import numpy as np

from models.errors import ModelRefused
from models.load import Model, load

ROWS, COLUMNS = 64, 80
"""About the finest map of the profiles: cells of 8 in a frame of 640 x 480."""


def main(arguments: Sequence[str]) -> int:
    """One argument: the name of the model. Prints {"name": ...} or {"error": ..., "remedy": ...}."""
    before = time.perf_counter()
    try:
        model = load(arguments[0])
        found = look_at(model, time.perf_counter() - before)
    except ModelRefused as refused:
        found = {"error": str(refused), "remedy": refused.remedy}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def look_at(model: Model, loaded: float) -> dict[str, str | float]:
    """Its hash, the seconds that it took to load, and the milliseconds of one map of zeros (the second one)."""
    inputs = [
        np.zeros([axis if isinstance(axis, int) else (ROWS, COLUMNS)[k % 2] for k, axis in enumerate(each.shape)], "f4")
        for each in model.manifest.inputs
    ]
    model.run(*inputs)
    before = time.perf_counter()
    model.run(*inputs)
    return {
        "name": model.manifest.name,
        "sha256": model.network.hex(),
        "seconds": round(loaded, 2),
        "milliseconds": round(1e3 * (time.perf_counter() - before), 1),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
