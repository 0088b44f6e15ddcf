"""What fusing buys, day by day: one map a day of absolute windows, with and without looking for what has changed.

    python -m benchmarks.features.days DATA [--scenes 12] [--methods sift ...] [--plot docs/benchmarks/days.png]

DATA has `photos/` and `person.mp4`. Two memories of one place see the same days, each with noise of its own, and after
each day their maps are described and matched. The camera stands still; with events it turns by 1.3 cells before day 5,
and before day 8 a patch of the place is replaced. A day of the clip is a fourteenth of it, with the people in it.

A cell of the tables is `stated, real: repeated, correct of all, today`. stated: the noise that the map is said to have.
real: its root mean square error against what today's window would show without noise. repeated: keypoints of one map
within a cell of one of the other. correct: matches within a cell of each other, of all that the method makes. today:
matches with the map of today's window without noise that are within half a cell of it. Means over scenes and draws.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.features.method import Described, Method
from benchmarks.features.methods import line_up
from edge.features.fusion import Fusion, Layer, Mean, mean_of

Grid = NDArray[np.float64]
DAYS = 14
TURNED, FURNISHED = 5, 8
TURN = (1.2, 0.5)
"""Cells to the right and down: 1.3 in all."""
MARGIN = 2
"""Cells at each side that are cut off, so that a camera that has turned still sees the scene everywhere."""
NEAR = 1.0
"""Cells within which two keypoints are the same."""
CLEAN = 0.5
"""Noise in grey that a method is told where there is none."""


class Scene(NamedTuple):
    """A place: one picture (height, width) grey for each day."""

    name: str
    pictures: Sequence[Grid]

    def day(self, day: int, cell: int, *, events: bool) -> Grid:
        """What a window shows without noise, day 1 being the first."""
        picture = self.pictures[(day - 1) % len(self.pictures)]
        if events and day >= FURNISHED:
            picture = furnished(picture)
        if events and day >= TURNED:
            picture = moved(picture, TURN[0] * cell, TURN[1] * cell)
        rows, columns = (n // cell for n in picture.shape)
        whole = picture[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell).mean((1, 3))
        seen: Grid = np.clip(whole[MARGIN:-MARGIN, MARGIN:-MARGIN], 0, 255)
        return seen


def moved(picture: Grid, right: float, down: float) -> Grid:
    """By so many pixels."""
    size = picture.shape[1], picture.shape[0]
    move = np.array([[1, 0, right], [0, 1, down]], np.float64)
    return np.asarray(
        cv2.warpAffine(picture, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.float64
    )


def furnished(picture: Grid) -> Grid:
    """A patch, a fifth of the picture wide and high, is replaced by another of it, upside down."""
    out = picture.copy()
    tall, wide = (n // 5 for n in picture.shape)
    out[2 * tall : 3 * tall, wide : 2 * wide] = picture[tall : 2 * tall, 3 * wide : 4 * wide][::-1]
    return out


def photographs(folder: Path, count: int) -> list[Scene]:
    """The first by name."""
    paths = sorted(folder.iterdir())[:count]
    read = [np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.float64) for path in paths]
    return [Scene(path.stem, [picture]) for path, picture in zip(paths, read, strict=True)]


def clip(path: Path) -> Scene:
    """A fixed camera's clip: each fourteenth of it, averaged."""
    reader = cv2.VideoCapture(str(path))
    length = int(reader.get(cv2.CAP_PROP_FRAME_COUNT)) // DAYS
    pictures = []
    for _ in range(DAYS):
        frames = [cv2.cvtColor(reader.read()[1], cv2.COLOR_BGR2GRAY) for _ in range(length)]
        pictures.append(np.mean(frames, axis=0))
    return Scene(path.stem, pictures)


class Averaged:
    """Fusing without looking: the mean of all days."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []

    def add(self, layer: Layer) -> None:
        self._layers.append(layer)

    def mean(self) -> Mean:
        return mean_of(self._layers)


Memory = Fusion | Averaged
MEMORIES: Mapping[str, Callable[[], Memory]] = {
    "compared": lambda: Fusion(DAYS),
    "averaged": Averaged,
    "not fused": lambda: Fusion(1),
}


class Case(NamedTuple):
    """What happens, and how maps are fused."""

    events: bool
    memory: str

    @property
    def title(self) -> str:
        """Of a column or a line."""
        return f"{'events' if self.events else 'nothing happens'}, {self.memory}"


CASES = [Case(events, memory) for events in (False, True) for memory in MEMORIES]
DRAWN = [Case(events=False, memory="compared"), *(Case(True, memory) for memory in MEMORIES)]


class Setting(NamedTuple):
    """Cells in pixels, and the noise of one day's map in grey."""

    cell: int
    sd: float


class Seen(NamedTuple):
    """Of one day of one scene."""

    stated: float
    real: float
    repeated: float
    correct: float
    all: float
    today: float


class Run(NamedTuple):
    """days: on which the maps are described, ascending; there is one on each day."""

    setting: Setting
    case: Case
    days: Sequence[int]


def follow(scene: Scene, run: Run, method: Method, seed: int) -> Iterator[Seen]:
    """Two memories of a scene, day by day."""
    setting, case = run.setting, run.case
    rng = np.random.default_rng(seed)
    memories = [MEMORIES[case.memory]() for _ in range(2)]
    today, truth = None, np.empty(0)
    for day in range(1, DAYS + 1):
        shown = scene.day(day, setting.cell, events=case.events)
        for memory in memories:
            noise = rng.laplace(0, setting.sd / np.sqrt(2), shown.shape)
            memory.add(Layer.of((day,), shown + noise, np.full(shown.shape, setting.sd**2)))
        if day not in run.days:
            continue
        if today is None or not np.array_equal(shown, truth):
            today, truth = _describe(method, shown, CLEAN), shown
        mean = memories[0].mean()
        a, b = (_describe(method, m.mean().grey, m.mean().noise) for m in memories)
        apart = np.linalg.norm(a.points[:, None] - b.points[None], axis=2)
        matched, clean = distances(method, a, b), distances(method, a, today)
        yield Seen(
            mean.noise,
            float(np.sqrt(np.mean((mean.grey - truth) ** 2))),
            int((apart.min(axis=1) <= NEAR).sum()) if apart.size else 0,
            int((matched <= NEAR).sum()),
            len(matched),
            int((clean <= NEAR / 2).sum()),
        )


def _describe(method: Method, grey: Grid, noise: float) -> Described:
    return method.describe(np.clip(grey, 0, 255).astype(np.float32), noise)


def distances(method: Method, a: Described, b: Described) -> Grid:
    """How far apart matched keypoints are, in cells."""
    pairs = method.match(a, b).pairs
    distances: Grid = np.linalg.norm(a.points[pairs[:, 0]] - b.points[pairs[:, 1]], axis=1)
    return distances


def measure(scenes: Sequence[Scene], run: Run, method: Method) -> Grid:
    """(days, 6): means over the scenes of what `Seen` has."""
    days: Grid = np.mean([list(follow(scene, run, method, seed)) for seed, scene in enumerate(scenes, 1)], axis=0)
    return days


def table(results: Mapping[Case, Grid], days: Sequence[int]) -> Iterator[str]:
    """One row a day, one column a case."""
    yield "| day | " + " | ".join(case.title for case in results) + " |"
    yield "|---" * (1 + len(results)) + "|"
    for row, day in enumerate(days):
        yield f"| {day} | " + " | ".join(cell_of(Seen(*found[row])) for found in results.values()) + " |"


def cell_of(seen: Seen) -> str:
    """What a table says of a day."""
    noise = f"{seen.stated:.1f}, {seen.real:.1f}"
    return f"{noise}: {seen.repeated:.0f}, {seen.correct:.0f} of {seen.all:.0f}, {seen.today:.0f}"


def draw(path: Path, panels: Mapping[str, Mapping[Case, Grid]], days: Sequence[int]) -> None:
    """One panel for each setting, four in a row: matches with today's map, day by day."""
    import matplotlib as mpl  # noqa: PLC0415  # slow to load, and only a plot needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  # likewise

    rows = -(-len(panels) // 4)
    figure, axes = plt.subplots(rows, min(4, len(panels)), figsize=(10, 2.3 * rows + 0.4), sharex=True, squeeze=False)
    for axis, (title, results) in zip(axes.flat, panels.items(), strict=False):
        for case in DRAWN:
            axis.plot(days, results[case][:, -1], "-" if case.events else ":", label=case.title)
        axis.set_title(title, fontsize=9)
        axis.set_ylim(bottom=0)
    figure.supxlabel("day", fontsize=9)
    figure.supylabel("matches with today's place", fontsize=9)
    figure.legend(*axes[0][0].get_legend_handles_labels(), ncols=len(DRAWN), fontsize=8, loc="upper center")
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description="What fusing the maps of many days buys.")
    parser.add_argument("data", type=Path, help="folder with photos/ and person.mp4")
    parser.add_argument("--scenes", type=int, default=12, help="photographs")
    parser.add_argument("--draws", type=int, default=3, help="of the noise, for the clip")
    parser.add_argument("--methods", nargs="+", default=["sift"])
    parser.add_argument("--cells", nargs="+", type=int, default=[16, 8])
    parser.add_argument("--noise", nargs="+", type=float, default=[10.0, 20.0])
    parser.add_argument(
        "--days", nargs="+", type=int, default=list(range(1, DAYS + 1)), help="that are described, ascending"
    )
    parser.add_argument("--plot", type=Path, help="of the last method, as PNG or SVG")
    flags = parser.parse_args()
    cv2.setNumThreads(1)
    groups = {
        "photographs": photographs(flags.data / "photos", flags.scenes),
        "person.mp4": [clip(flags.data / "person.mp4")] * flags.draws,
    }
    for name in flags.methods:
        panels = {}
        for title, scenes in groups.items():
            for setting in (Setting(cell, sd) for cell in flags.cells for sd in flags.noise):
                method = line_up()[name](*setting)
                panel = f"{title}, b {setting.cell}, sd {setting.sd:g}"
                panels[panel] = {case: measure(scenes, Run(setting, case, flags.days), method) for case in CASES}
                print(f"\n{name}, {panel}:\n\n" + "\n".join(table(panels[panel], flags.days)), flush=True)
        if flags.plot:
            draw(flags.plot, panels, flags.days)


if __name__ == "__main__":
    main()
