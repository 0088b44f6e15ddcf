"""What it costs to add a frame to a window, beside what others would do with the same frame."""

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from drivers.emulated.place import PlaceCamera
from edge.frame import Frame
from edge.privacy.lut import ClipLut, LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.noise import Noise
from edge.privacy.receipt import Charge, make_receipt
from edge.privacy.window import Window

WIDTH, HEIGHT = 640, 480
ROUNDS = 300
LIMIT = 3.0
"""Times one cv2.LUT of the same frame, that one addition may take."""


class _SystemPool:
    """Bytes of the operating system: only the time of adding is measured here, not the source."""

    def take(self, n: int) -> bytearray:
        return bytearray(np.random.default_rng().bytes(n))


def frame_costs() -> str:
    """Median time of one addition, for each LUT and cell size, and the ratio to two peers."""
    camera = PlaceCamera(width=WIDTH, height=HEIGHT)
    camera.open()
    frame = Frame(HEIGHT, WIDTH, np.dtype(np.uint8))
    frame.fill(camera, 1.0)
    plane = np.array(frame.plane)
    lines = [
        f"Median of {ROUNDS} additions of one {WIDTH}x{HEIGHT} frame of bytes. `LUT` is one cv2.LUT of that frame,",
        f"which maps every pixel and adds nothing up; the limit is {LIMIT:g} times that. `area` is OpenCV's resize",
        "with INTER_AREA (rounded means, no exact sums), `mean` numpy's mean over a reshaped frame (floats). A ratio",
        "below 1 means that the exact sum is faster. OpenCV uses all cores, the others one.",
        "",
        "| cell | LUT | exact sum, ms | ratio to `LUT` | ratio to `area` | ratio to `mean` | within the limit |",
        "|---|---|---|---|---|---|---|",
    ]
    lut = _median(partial(cv2.LUT, plane, np.arange(255, -1, -1, dtype=np.uint8)))
    for cell in (8, 16, 64):
        rows, columns = HEIGHT // cell, WIDTH // cell
        part = plane[: rows * cell, : columns * cell]
        area = _median(partial(cv2.resize, part, (columns, rows), interpolation=cv2.INTER_AREA))
        mean = _median(partial(part.reshape(rows, cell, columns, cell).mean, axis=(1, 3)))
        for name, chosen in _luts(rows, columns).items():
            cost = _cost(camera, frame, Mechanism(chosen, cell, rows, columns, ROUNDS, 10**6))
            verdict = "yes" if cost < LIMIT * lut else "NO"
            ratios = f"{cost / lut:.1f} | {cost / area:.1f} | {cost / mean:.2f}"
            lines.append(f"| {cell} | {name} | {cost:.2f} | {ratios} | {verdict} |")
    return "\n".join(lines)


def _luts(rows: int, columns: int) -> dict[str, Lut]:
    reference = np.full((rows, columns), 128, np.int64)
    return {
        "linear": LinearLut(255),
        "clip": ClipLut(255, 64, 192),
        "log": LogLut.of(255),
        "residual": ResidualLut(reference, 32, 255),
    }


def _cost(camera: PlaceCamera, frame: Frame, mechanism: Mechanism) -> float:
    charge = Charge(level="bench", epoch=bytes(16), position=1, previous=bytes(32), hash=bytes(32), first_frame=0)
    window = Window(make_receipt(charge, mechanism), Noise.draw(mechanism, _SystemPool()))
    times = []
    for _ in range(ROUNDS):
        frame.fill(camera, 1.0)
        start = time.perf_counter()
        window.add(frame)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000


def _median(action: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000
