"""What the network costs a process that describes maps: import, loading, memory, and time for each map."""

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import psutil

STARTS = 5
RUNS = 50
SIZES = ((30, 40), (60, 80))
"""Rows and columns of cells: 16 and 8 pixels in a frame of 640 x 480."""
NOISE = 10.0
LIMITS = {"load": 0.5, "map": 20.0}
"""Seconds of import and loading together, and milliseconds of one map (issue 6)."""


def network_costs() -> str:
    """A table of one process after the other, each beside its limits."""
    runs = [json.loads(_started()) for _ in range(STARTS)]
    slowest = max(run["import"] + run["load"] for run in runs)
    maps = {size: [run["maps"][k] for run in runs] for k, size in enumerate(SIZES)}
    slow = max(min(times) for times in maps.values())
    verdict = "yes" if slowest < LIMITS["load"] and slow < LIMITS["map"] else "NO"
    rows = [
        ("import of ONNX Runtime, s", _spread(runs, "import")),
        ("files hashed, session made, s", _spread(runs, "load")),
        *(
            (f"one map of {rows} x {columns} described, ms", f"{min(times):.1f} to {max(times):.1f}")
            for (rows, columns), times in maps.items()
        ),
        ("resident memory added, MB", _spread(runs, "memory")),
    ]
    lines = [
        f"`learned` in a process of its own, {STARTS} times, smallest to largest; a map: processor time, the",
        f"median of {RUNS} in each.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows),
        "",
        f"Limits: import and loading {LIMITS['load']:g} s, the slowest; a map {LIMITS['map']:g} ms. Within: {verdict}.",
    ]
    return "\n".join(lines)


def _spread(runs: list[dict[str, Any]], key: str) -> str:
    values = [run[key] for run in runs]
    return f"{min(values):.2f} to {max(values):.2f}"


def _started() -> str:
    command = [sys.executable, "-m", "benchmarks.network_cost"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _measured() -> dict[str, Any]:
    """Of this process, which must not have loaded a network before."""
    from edge.features.describe import describer  # noqa: PLC0415 - what is there already is not counted
    from edge.features.map import Map  # noqa: PLC0415 - likewise
    from edge.sections import FeaturesSettings  # noqa: PLC0415 - likewise
    from models.runtime import import_runtime  # noqa: PLC0415 - likewise

    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    import_runtime()
    imported = time.perf_counter()
    method = describer(FeaturesSettings(method="learned"))
    loaded = time.perf_counter()
    maps = []
    for rows, columns in SIZES:
        image = np.random.default_rng(1).normal(120, 40, (rows, columns)).astype(np.float32)
        source = Map(image, NOISE, 480 // rows, 640, 480, (1,))
        times = []
        for _ in range(RUNS):
            start = time.thread_time()
            method.describe(source)
            times.append(1e3 * (time.thread_time() - start))
        maps.append(float(np.median(times)))
    memory = (psutil.Process().memory_info().rss - before) / 1e6
    return {"import": imported - began, "load": loaded - imported, "maps": maps, "memory": memory}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured()) + "\n")
