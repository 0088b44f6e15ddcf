"""What one charge of the ledger costs, with its syncs."""

import os
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.terms import one_pair

ROUNDS = 200
LIMIT = 20.0
"""Milliseconds that a charge may take."""
FULL = 10_000
"""Entries of a ledger that has run for about three years with `place`."""


def ledger_costs() -> str:
    """Charges on a file system of this machine and in memory, and opening a long ledger."""
    lines = [
        f"One charge: a line written and synced, and a mark. {ROUNDS} of them; the limit for the median is",
        f"{LIMIT:g} ms. A disk that is really flushed takes what its maker built; /dev/shm shows the rest.",
        "",
        "| where | median, ms | 99 %, ms | within the limit |",
        "|---|---|---|---|",
    ]
    for where in (tempfile.gettempdir(), "/dev/shm"):
        if os.access(where, os.W_OK):
            times = _charges(Path(where))
            verdict = "yes" if float(np.median(times)) < LIMIT else "NO"
            lines.append(f"| {where} | {np.median(times):.2f} | {np.quantile(times, 0.99):.2f} | {verdict} |")
    lines += ["", f"Opening and checking a ledger of {FULL} charges: {_opening():.2f} s."]
    return "\n".join(lines)


def _open(folder: str) -> Ledger:
    return Ledger(
        Path(folder) / "ledger",
        device="bench",
        configuration=bytes(32),
        terms=one_pair(Fraction(1), Fraction(1)),
        clock=lambda: 1_700_000_000_000,
    )


_WINDOW = Mechanism(LinearLut(255), 16, 30, 40, 10, 255)


def _charges(where: Path) -> list[float]:
    times = []
    with tempfile.TemporaryDirectory(dir=where) as folder:
        ledger = _open(folder)
        for index in range(ROUNDS):
            start = time.perf_counter()
            ledger.charge("map", _WINDOW, 10 * index)
            times.append(1000 * (time.perf_counter() - start))
        ledger.close()
    return times


def _opening() -> float:
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        ledger = _open(folder)
        for index in range(FULL):
            ledger.charge("map", _WINDOW, 10 * index)
        ledger.close()
        start = time.perf_counter()
        _open(folder).close()
        return time.perf_counter() - start
