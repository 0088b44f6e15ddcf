"""Lines over the noise, one for each method, with 95 % intervals."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.features.score import Row
from benchmarks.features.tables import level_of

PLOTS = (
    ("apart correct", "correct matches per pair, verified and a cell apart", "epsilon"),
    ("precision", "precision of all matches", "epsilon"),
    ("tuned correct", "correct matches per pair at the tuned threshold", "epsilon"),
    ("recall@1", "recall@1", "sd"),
)


def write(folder: Path, rows: Sequence[Row]) -> list[Path]:
    """An SVG for each kind of scene, size of cell and measure that has at least two levels of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    kinds = sorted({(row.group, row.view, row.cell) for row in rows if row.view != "all"})
    for group, view, cell in kinds:
        here = [row for row in rows if (row.group, row.view, row.cell) == (group, view, cell) and not row.tau]
        for measure, label, axis in PLOTS:
            with_it = [row for row in here if measure in row.values and row.sd]
            if len({row.sd for row in with_it}) < 2:
                continue
            path = folder / f"{_file(group)}-{view}-b{cell}-{_file(measure)}.svg"
            _draw(path, with_it, f"{group}, {view}, cells of {cell}", (measure, label, axis))
            written.append(path)
    return written


def _draw(path: Path, rows: Sequence[Row], title: str, plot: tuple[str, str, str]) -> None:
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415  # of the bench extra
    from matplotlib.figure import Figure  # noqa: PLC0415  # likewise

    measure, label, axis = plot
    figure = Figure(figsize=(8.5, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for index, method in enumerate(dict.fromkeys(row.method for row in rows)):
        line = sorted((row for row in rows if row.method == method), key=lambda row: row.sd)
        x = [level_of(row).epsilon if axis == "epsilon" else row.sd for row in line]
        got = [row.values[measure] for row in line]
        colour, dashes = f"C{index % 10}", ("-", "--", ":")[index // 10 % 3]
        axes.plot(x, [one.value for one in got], marker="o", markersize=3, label=method, color=colour, linestyle=dashes)
        axes.fill_between(x, [one.low for one in got], [one.high for one in got], alpha=0.12, color=colour)
    axes.set_xscale("log")
    ticks = sorted({level_of(row).epsilon if axis == "epsilon" else row.sd for row in rows})
    axes.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("ε for a visit of 10 min, 1024 px, in a window of 24 h" if axis == "epsilon" else "sd (grey)")
    axes.set_ylabel(label)
    axes.set_title(title, fontsize=10)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
    figure.savefig(path, metadata={"Date": None})


def _file(name: str) -> str:
    return name.replace("@", "").replace(",", "").replace(" ", "-").replace(".", "-")
