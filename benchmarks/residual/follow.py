"""What a chain of residual windows drags along: a drift of light, and the noise of the windows before."""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.maps import agreeing, load
from benchmarks.residual.chain import Chain, Setting
from benchmarks.residual.days import TOLERANCE, correlation
from benchmarks.residual.place import LOOKS, Day, Frames, draw, look

WINDOWS = 10
SETTINGS = (
    Setting("fixed", 16, 1),
    Setting("fixed", 32, 1),
    Setting("fixed", 32, 4),
    Setting("schedule", 32, 1),
)


def drift_table(seed: int = 1) -> Iterator[str]:
    """A plain room that becomes brighter each window: how far the last map lags, and how often it restarts."""
    yield "| drift, grey per window | windows | τ | fuse | lag, grey | absolute windows of 10 |"
    yield "|---|---|---|---|---|---|"
    for drift in (0, 2, 4, 8, 12, 16):
        rng = np.random.default_rng(seed)
        scene = draw(rng, 0.15) - 80
        frames = [look(scene + np.float32(drift * day), Day(), rng) for day in range(WINDOWS)]
        for setting in SETTINGS:
            chain = Chain(setting, Fraction(1), seed)
            seen = [chain.window(each) for each in frames]
            truth = (scene + drift * (WINDOWS - 1)).reshape(30, 16, 40, 16).mean(axis=(1, 3))
            lag = float(np.mean(truth - seen[-1].raw))
            absolute = sum(each.tau == 0 for each in seen)
            yield f"| {drift} | {setting.name} | {setting.tau} | {setting.fuse} | {lag:.1f} | {absolute} |"


def wall_table(seeds: range = range(6)) -> Iterator[str]:
    """A bare wall without people: keypoints that agree from window to window agree on noise."""
    yield "| ε | windows | τ | fuse | agreeing, next: mean | most | 3 apart: mean | most | noise kept, 1 | 3 |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for epsilon in (Fraction(1), Fraction(1, 2)):
        for setting in SETTINGS:
            found: dict[int, list[int]] = {1: [], 3: []}
            kept: dict[int, list[float]] = {1: [], 3: []}
            for seed in seeds:
                rng = np.random.default_rng(seed)
                wall = draw(rng, 0.02)
                chain = Chain(setting, epsilon, seed)
                seen = [chain.window(look(wall, Day(people=0, standing=0), rng)) for _ in range(7)][1:]
                left = [each.raw - wall.reshape(30, 16, 40, 16).mean(axis=(1, 3)) for each in seen]
                for lag, counts in found.items():
                    pairs = zip(seen, seen[lag:], strict=False)
                    counts += [len(agreeing(a.keypoints, b.keypoints, TOLERANCE)) for a, b in pairs]
                    kept[lag].append(correlation(left, lag))
            yield (
                f"| {float(epsilon):g} | {setting.name} | {setting.tau} | {setting.fuse} "
                f"| {np.mean(found[1]):.1f} | {max(found[1])} | {np.mean(found[3]):.1f} | {max(found[3])} "
                f"| {np.mean(kept[1]):.2f} | {np.mean(kept[3]):.2f} |"
            )


def clip_table(video: Path) -> Iterator[str]:
    """A clip from a fixed camera, cut to 640 x 480 and below: correlation of the noise of windows 1 to 4 apart."""
    clip = load(video)
    rows = math.floor(len(clip) / WINDOWS)
    windows = [_fit(clip[i * rows : (i + 1) * rows]) for i in range(WINDOWS)]
    yield "| ε | windows | τ | fuse | noise kept, 1 apart | 2 | 3 | 4 |"
    yield "|---|---|---|---|---|---|---|---|"
    for epsilon in (Fraction(1), Fraction(1, 2)):
        for setting in SETTINGS:
            one, two = Chain(setting, epsilon, 1), Chain(setting, epsilon, 2)
            left = [one.window(each).raw - two.window(each).raw for each in windows][2:]
            kept = " | ".join(f"{correlation(left, lag):.2f}" for lag in (1, 2, 3, 4))
            yield f"| {float(epsilon):g} | {setting.name} | {setting.tau} | {setting.fuse} | {kept} |"


def _fit(frames: Frames) -> Frames:
    """LOOKS of these frames, in the middle 640 columns, repeated below to 480 rows."""
    chosen = frames[np.linspace(0, len(frames) - 1, LOOKS).astype(int)]
    left = (chosen.shape[2] - 640) // 2
    cut = chosen[:, :, left : left + 640]
    return np.ascontiguousarray(np.concatenate([cut, cut[:, : 480 - cut.shape[1]]], axis=1))
