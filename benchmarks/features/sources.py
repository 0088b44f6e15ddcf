"""Where places come from: photographs, clips from fixed cameras, and drawings where neither is at hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.levels import Counts, Sums
from benchmarks.features.places import Place, Plane, View, sums_of, view_of, warped
from drivers.emulated.scenery import draw_background, draw_person

WIDTH, HEIGHT = 640, 480
SPLIT = 3
"""Every third photograph, by name, is for tuning and never in a table."""
CLIP_CELLS = (8, 16)


def photographs(folder: Path, count: int, *, tuning: bool, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Iterator[Place]:
    """`count` photographs of one side of the split, evenly spread over the names, cut to width and height."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".jpg", ".png"})
    if not paths:
        raise SystemExit(f"{folder}: no photographs (.jpg, .png). Give the folder that holds `photos`.")
    side = [path for index, path in enumerate(paths) if (index % SPLIT == 0) == tuning]
    for index in np.linspace(0, len(side) - 1, min(count, len(side))).astype(int):
        plane: Any = cv2.imread(str(side[index]), cv2.IMREAD_GRAYSCALE)
        if plane is None:
            raise SystemExit(f"{side[index]}: not a picture that OpenCV reads. Take it out of the folder.")
        yield warped_place(side[index].stem, covering(plane, size), int(index) + 1000 * tuning)


def drawn(count: int, *, tuning: bool) -> Iterator[Place]:
    """Drawn places in the role of photographs."""
    for index in range(count):
        random = np.random.default_rng([3, int(tuning), index])
        yield warped_place(
            f"drawn {index}{'t' * tuning}", draw_background(WIDTH, HEIGHT, random), index + 1000 * tuning
        )


def warped_place(name: str, plane: Plane, seed: int) -> Place:
    """A frame, the same place at another time, and as seen from a little and from much further aside."""
    random = np.random.default_rng([7, seed])
    return Place(
        name,
        {
            "first": view_of(plane),
            "still": view_of(later(plane, random)),
            "moderate": warped(plane, random, wide=False),
            "wide": warped(plane, random, wide=True),
        },
    )


def later(plane: Plane, random: np.random.Generator) -> Plane:
    """The place in a later window of the same camera: a little more or less light, and two people for a third of it.

    Gain and gamma ± 10 %. The mean of a window shows people as shadows of themselves; these stand for 10 % to 50 %.
    """
    height, width = plane.shape
    light = random.uniform(0.9, 1.1) * (plane / 255.0) ** random.uniform(0.9, 1.1)
    for _ in range(2):
        tall = int(height * random.uniform(0.3, 0.6))
        person, mask = draw_person(int(0.4 * tall), tall, random)
        top, left = random.integers(height - tall), random.integers(width - person.shape[1])
        part = light[top : top + tall, left : left + person.shape[1]]
        part += mask * random.uniform(0.1, 0.5) * (person / 255.0 - part)
    return np.clip(np.rint(255 * light), 0, 255).astype(np.uint8)


def covering(plane: Plane, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Plane:
    """Resized to cover so many pixels, width and height, and its centre cut out. Nothing is turned."""
    height, width = plane.shape
    factor = max(size[0] / width, size[1] / height)
    large_size = (max(size[0], round(width * factor)), max(size[1], round(height * factor)))
    large = cv2.resize(plane, large_size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    top, left = (large_size[1] - size[1]) // 2, (large_size[0] - size[0]) // 2
    return np.ascontiguousarray(large[top : top + size[1], left : left + size[0]])


def clips(folder: Path) -> Iterator[Place]:
    """person.mp4 and all clips/*.gif, in two halves that share no frame."""
    paths = [folder / "person.mp4", *sorted((folder / "clips").glob("*.gif"))]
    for path in paths:
        if path.exists():
            yield clip(path)


def clip(path: Path) -> Place:
    """The two halves of a clip from a fixed camera, as long windows; a frame in the middle of each as snapshot."""
    frames = _frames(path)
    half = len(frames) // 2
    return Place(path.stem, {"first": _half(frames[:half]), "still": _half(frames[half : 2 * half])})


def _half(frames: NDArray[np.uint8]) -> View:
    """Cells of 8 and 16 over the whole half; those of 64 of one frame. The chain is of the half's two quarters."""
    quarter = len(frames) // 2
    sums = {cell: sums_of(frames, cell) for cell in CLIP_CELLS}
    sums[64] = sums_of(frames[quarter : quarter + 1], 64)
    chain: dict[int, tuple[Sums, Counts]] = {
        cell: (sums_of(frames[:quarter], cell), counts_of(frames[quarter : 2 * quarter], cell)) for cell in CLIP_CELLS
    }
    return View(sums, chain=chain)


def counts_of(frames: NDArray[np.uint8], cell: int) -> Counts:
    """How often each value was seen in each cell."""
    count, height, width = frames.shape
    rows, columns = height // cell, width // cell
    index = 256 * np.kron(np.arange(rows * columns).reshape(rows, columns), np.ones((cell, cell), np.int64))
    seen = np.zeros(rows * columns * 256, np.int64)
    for frame in frames:
        seen += np.bincount((index + frame[: rows * cell, : columns * cell]).ravel(), minlength=seen.size)
    return Counts(seen.reshape(rows, columns, 256), count)


def _frames(path: Path) -> NDArray[np.uint8]:
    reader = cv2.VideoCapture(str(path))
    frames = []
    while (got := reader.read())[0]:
        frames.append(cv2.cvtColor(got[1], cv2.COLOR_BGR2GRAY))
    if not frames:
        raise SystemExit(f"{path}: no frames that OpenCV reads. Take the file away or install its codec.")
    return np.stack(frames)
