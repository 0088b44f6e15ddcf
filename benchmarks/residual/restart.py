"""How often a residual release gives its reference up: people against other light and other places."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.residual.chain import level_of, noise_of, sums_of
from benchmarks.residual.days import CELL
from benchmarks.residual.place import HEIGHT, WIDTH, Day, Scene, draw, look, turned
from edge.features.denoise import wiener
from edge.features.map import reference_of, undo
from edge.privacy.lut import ResidualLut
from edge.privacy.schedule import Reference

TAU = 32
REFERENCES = ("first", "wide", "narrow")
"""A wide window after an absolute one; a wide one, and a narrow one, after a residual one of the same τ."""


def scenes_of(photos: Path | None, count: int) -> Iterator[tuple[str, list[Scene]]]:
    """Drawn places, plain ones, and where a folder is given photographs enlarged to the frame."""
    rng = np.random.default_rng(1)
    yield "drawn", [draw(rng) for _ in range(count)]
    yield "drawn, plain", [draw(rng, 0.3) for _ in range(count)]
    if photos is not None:
        files = sorted(photos.glob("*.jpg"))[: 3 * count]
        yield "photographs", [photograph(file) for file in files]


def photograph(path: Path) -> Scene:
    """(480, 640) grey."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise SystemExit(f"{path}: not an image")
    upright = grey.T if grey.shape[0] > grey.shape[1] else grey
    enlarged = cv2.resize(np.ascontiguousarray(upright), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(enlarged, 4, 250).astype(np.float32)


def events(scene: Scene, other: Scene) -> dict[str, tuple[Scene, Day]]:
    """What the window after the reference sees."""
    return {
        "3 people": (scene, Day()),
        "10 people, 1 stands": (scene, Day(people=10, standing=12)),
        "25 people, 1 stands": (scene, Day(people=25, standing=12)),
        "light less 5 %": (scene, Day(gain=0.95)),
        "light less 10 %": (scene, Day(gain=0.9)),
        "light less 20 %": (scene, Day(gain=0.8)),
        "light halved": (scene, Day(gain=0.5)),
        "light times 1.5": (scene, Day(gain=1.5)),
        "light off": (scene, Day(gain=0.05)),
        "turned by 1 cell": (turned(scene, 16), Day()),
        "turned by 4 cells": (turned(scene, 64), Day()),
        "turned by 12 cells": (turned(scene, 200), Day()),
        "another place": (other, Day()),
    }


def reference_for(
    kind: str, truth: NDArray[np.float64], sd: float, rng: np.random.Generator
) -> tuple[Reference, float]:
    """What the device would have as a reference, and the noise of the map that it is made of."""
    noise = sd * {"first": 1.0, "wide": 2 * TAU / 255, "narrow": TAU / 255}[kind]
    seen = truth + rng.laplace(0, noise / np.sqrt(2), truth.shape)
    image = wiener(np.clip(seen, 0, 255), noise)
    return Reference(reference_of(image, 255), wide=kind != "narrow"), noise


def table(photos: Path | None, count: int) -> Iterator[str]:
    """Rows of a table in Markdown; `far` is the median and the most of the part of the cells beyond 3τ/4."""
    counted: defaultdict[tuple[str, str, float, str], Counter[str]] = defaultdict(Counter)
    shares: defaultdict[tuple[str, str, float, str], list[float]] = defaultdict(list)
    for name, scenes in scenes_of(photos, count):
        for index, scene in enumerate(scenes):
            rng = np.random.default_rng(index)
            truth = scene.reshape(30, CELL, 40, CELL).mean(axis=(1, 3), dtype=np.float64)
            for event, (seen, day) in events(scene, scenes[(index + 1) % len(scenes)]).items():
                frames = look(seen, day, rng)
                for epsilon in (Fraction(1), Fraction(1, 2)):
                    for kind in REFERENCES:
                        reference, noise = reference_for(kind, truth, float(10 / epsilon), rng)
                        mechanism = level_of(epsilon, TAU).mechanism(reference)
                        sums = sums_of(frames, mechanism) + noise_of(mechanism, rng)
                        assert isinstance(mechanism.lut, ResidualLut)
                        tau, key = mechanism.lut.tau, (name, event, float(epsilon), kind)
                        off = sums / (mechanism.frames * CELL**2) - tau
                        counted[key][undo(1, sums, mechanism, noise).verdict] += 1
                        shares[key].append(float(np.mean(np.abs(off) > 0.75 * tau)))
    yield "| places | seen | ε | window | n | far, median | least | most | same | other light | other place |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for key, verdicts in counted.items():
        name, event, epsilon_, kind = key
        far = shares[key]
        yield (
            f"| {name} | {event} | {epsilon_:g} | {kind} | {len(far)} | {np.median(far):.2f} | {min(far):.2f} "
            f"| {max(far):.2f} | {verdicts['same']} | {verdicts['other light']} | {verdicts['other place']} |"
        )
