"""How good are maps? Keypoints that agree between the windows of a clip from a fixed camera.

    python -m benchmarks.maps VIDEO [--cell 16] [--frames 144] [--pixels 1024]

LUTs, maps and features are the product's; the sums are numpy's, and the noise has the law and the scale of the
mechanism but comes from numpy with a seed, so that the table can be made again. ε is per window, for a unit of one
frame and `pixels` pixels.

Columns: `next`, keypoints that agree between a window and the one after it, mean; `apart`, between the last windows of
two chains that have no release and no frame in common; `right`, those of `apart` that lie within a cell of each other,
the camera being fixed; `room`, those of `apart` that also match the map of the clip's median, which has no people in
it; `same noise`, correlation between consecutive windows of what the noise left in the map.
"""

import argparse
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from collector.compare import agree, match
from edge.features.denoise import wiener
from edge.features.map import Estimate, average, reference_of, undo
from edge.features.sift import Keypoints, detect
from edge.privacy.lut import LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism

MAX_VALUE = 255
Frames = NDArray[np.uint8]


class Setting(NamedTuple):
    epsilon: float
    lut: str
    tau: int
    fuse: int


class Picture(NamedTuple):
    grey: NDArray[np.float64]
    noise: float


SETTINGS = [
    Setting(epsilon, lut, tau, fuse)
    for epsilon, lut in itertools.product((1.0, 0.5), ("linear", "log"))
    for tau, fuse in ((0, 1), (0, 4), (16, 1), (32, 1), (32, 8))
]


def load(path: Path) -> Frames:
    clip = cv2.VideoCapture(str(path))
    frames = []
    while (got := clip.read())[0]:
        frames.append(cv2.cvtColor(got[1], cv2.COLOR_BGR2GRAY))
    if not frames:
        raise SystemExit(f"{path}: no frames")
    return np.stack(frames)


class Room:
    """One clip, and what all settings measure it with."""

    def __init__(self, clip: Frames, cell: int, frames: int, pixels: int) -> None:
        self.cell, self.pixels = cell, pixels
        self.rows, self.columns = clip.shape[1] // cell, clip.shape[2] // cell
        self.windows = [clip[i : i + frames] for i in range(0, len(clip) - frames + 1, frames)]
        median = np.median(clip[:: max(1, len(clip) // 200)], axis=0).astype(np.uint8)
        self.empty = detect((self.sums(median[None], LinearLut(MAX_VALUE)) / cell**2).astype(np.float32), cell)

    def sums(self, frames: Frames, lut: Lut) -> NDArray[np.int64]:
        cell, rows, columns = self.cell, self.rows, self.columns
        out = np.zeros((rows, columns), np.int64)
        for frame in frames:
            values = frame[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).astype(np.int16)
            if isinstance(lut, ResidualLut):
                off = values - lut.reference[:, None, :, None].astype(np.int16)
                values = np.clip(off, -lut.tau, lut.tau) + lut.tau
            elif isinstance(lut, LogLut):
                values = lut.table[values]
            out += values.sum(axis=(1, 3), dtype=np.int64)
        return out

    def estimate(self, frames: Frames, lut: Lut, epsilon: float, rng: np.random.Generator) -> Estimate:
        scale = math.ceil(lut.range * self.pixels / epsilon)
        chance = -math.expm1(-1 / scale)
        noise = rng.geometric(chance, (self.rows, self.columns)) - rng.geometric(chance, (self.rows, self.columns))
        mechanism = Mechanism(
            lut=lut, cell=self.cell, rows=self.rows, columns=self.columns, frames=len(frames), scale=scale
        )
        return undo(1, self.sums(frames, lut) + noise, mechanism)

    def chain(self, setting: Setting, windows: Sequence[Frames], seed: int) -> list[Picture]:
        rng = np.random.default_rng(seed)
        kept: list[Estimate] = []
        pictures: list[Picture] = []
        for frames in windows:
            lut: Lut = LinearLut(MAX_VALUE) if setting.lut == "linear" else LogLut(MAX_VALUE, 64)
            if pictures and setting.tau:
                lut = ResidualLut(reference_of(wiener(*pictures[-1]), MAX_VALUE), setting.tau, MAX_VALUE)
            kept = [*kept, self.estimate(frames, lut, setting.epsilon, rng)][-setting.fuse :]
            pictures.append(Picture(*average(kept)))
        return pictures

    def describe(self, picture: Picture) -> Keypoints:
        return detect(wiener(*picture).astype(np.float32), self.cell)


def agreeing(a: Keypoints, b: Keypoints, tolerance: float) -> NDArray[np.intp]:
    """(n, 2) indices of the matches that agree with one transform."""
    pairs = match(a[1], b[1])
    kept: NDArray[np.intp] = pairs[agree(a[0][pairs[:, 0], :2], b[0][pairs[:, 1], :2], tolerance, fixed_camera=False)]
    return kept


def near(a: Keypoints, b: Keypoints, pairs: NDArray[np.intp], distance: float) -> NDArray[np.bool_]:
    still: NDArray[np.bool_] = np.linalg.norm(a[0][pairs[:, 0], :2] - b[0][pairs[:, 1], :2], axis=1) < distance
    return still


def measure(room: Room, setting: Setting) -> str:
    tolerance = 0.02 * math.hypot(room.rows, room.columns) * room.cell
    chain, again = room.chain(setting, room.windows, 1), room.chain(setting, room.windows, 2)
    described = [room.describe(p) for p in chain]
    following = [len(agreeing(a, b, tolerance)) for a, b in itertools.pairwise(described[1:])]
    left = [c.grey - d.grey for c, d in zip(chain, again, strict=True)]
    shared = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in itertools.pairwise(left[1:])])
    half = len(room.windows) // 2
    first = room.describe(room.chain(setting, room.windows[:half], 3)[-1])
    second = room.describe(room.chain(setting, room.windows[half : 2 * half], 4)[-1])
    pairs = agreeing(first, second, tolerance)
    background = match(second[1], room.empty[1])
    known = set(background[near(second, room.empty, background, room.cell), 0])
    in_room = sum(int(j) in known for j in pairs[:, 1])
    return (
        f"| {setting.epsilon:g} | {setting.lut} | {setting.tau or '-'} | {setting.fuse} | {chain[-1].noise:.1f} "
        f"| {np.mean(following):.0f} | {len(pairs)} | {near(first, second, pairs, room.cell).sum()} | {in_room} "
        f"| {shared:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Keypoints that agree between the maps of a clip from a fixed camera.")
    parser.add_argument("video", type=Path)
    parser.add_argument("--cell", type=int, default=16)
    parser.add_argument("--frames", type=int, default=144, help="per window")
    parser.add_argument("--pixels", type=int, default=1024, help="of the unit")
    flags = parser.parse_args()
    room = Room(load(flags.video), flags.cell, flags.frames, flags.pixels)
    print("| ε | first LUT | τ | fuse | noise | next | apart | right | room | same noise |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for setting in SETTINGS:
        print(measure(room, setting), flush=True)


if __name__ == "__main__":
    main()
