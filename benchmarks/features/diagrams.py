"""Reliability diagrams: what was said against what was so."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Diagram:
    """For every bin that is not empty: what was said on average, the share that was so, and how many.

    error: expected calibration error, the mean deviation weighted by counts (Naeini et al., AAAI 2015). largest:
    deviation over the bins that have enough; 0 without any.
    """

    said: tuple[float, ...]
    so: tuple[float, ...]
    count: tuple[int, ...]
    error: float
    largest: float


def draw(path: Path, found: Diagram, title: str, enough: int) -> None:
    """An SVG with the diagonal, the goal of 0.05 around it, and 95 % intervals (normal law)."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415  # of the bench extra
    from matplotlib.figure import Figure  # noqa: PLC0415  # likewise

    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    axes.fill_between([0, 1], [-0.05, 0.95], [0.05, 1.05], color="0.9")
    for said, so, count in zip(found.said, found.so, found.count, strict=True):
        margin = 1.96 * (max(so * (1 - so), 0.25 / count) / count) ** 0.5
        fill = "C0" if count >= enough else "none"
        axes.errorbar([said], [so], yerr=[margin], color="C0", marker="o", markersize=5, markerfacecolor=fill)
        axes.annotate(str(count), (said, so), xytext=(4, -9), textcoords="offset points", fontsize=6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("probability that was said")
    axes.set_ylabel("share that was so")
    axes.set_title(f"{title}\nECE {found.error:.3f}, largest deviation {found.largest:.3f}", fontsize=9)
    figure.savefig(path, metadata={"Date": None})
