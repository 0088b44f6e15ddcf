"""The two drawings of a report, as inline SVG: a histogram of values, and how far bits agree with earlier bits."""

import math

from edge.entropy.estimators.bound import Z
from edge.entropy.estimators.counts import Counts

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 200, 60, 28


def histogram(counts: Counts) -> str:
    """Occurrences of each value, relative to their mean, with the band that holds 99 % of them if all are equal."""
    mean = sum(counts.values) / len(counts.values)
    band = Z * math.sqrt(mean * (1 - 1 / len(counts.values))) / mean
    relative = [value / mean - 1 for value in counts.values]
    return _bars(relative, band, range(len(relative)), "value", "Occurrences of each value, relative to their mean")


def agreement(counts: Counts) -> str:
    """How much oftener than half the bits equal those 1 to 64 bits before, with the band of independent fair bits.

    Twice the surplus: 0 for fair independent bits, 1 for equal ones, (2p - 1)² at every lag for biased ones.
    """
    correlation = [2 * same / all_ - 1 for same, all_ in zip(counts.agreement, counts.compared, strict=True)]
    band = Z / math.sqrt(counts.compared[0])
    return _bars(correlation, band, range(1, len(correlation) + 1), "bits apart", "Agreement of bits with earlier bits")


def _bars(values: list[float], band: float, numbers: range, axis: str, title: str) -> str:
    top, bottom = 1.05 * max(*values, band), 1.05 * min(*values, -band)
    wide = (_WIDTH - _LEFT) / len(values)
    floor = _HEIGHT - _BOTTOM

    def down(value: float) -> float:
        return floor * (top - value) / (top - bottom)

    bars = "".join(
        f'<rect x="{_LEFT + wide * index:.2f}" y="{down(max(value, 0)):.2f}" '
        f'width="{wide * 0.9:.2f}" height="{abs(down(value) - down(0)):.2f}"/>'
        for index, value in enumerate(values)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f'<rect class="band" x="{_LEFT}" y="{down(band):.2f}" width="{_WIDTH - _LEFT}" '
        f'height="{down(-band) - down(band):.2f}"/>'
        f'<g class="bars">{bars}</g>'
        f'<line x1="{_LEFT}" y1="{down(0):.2f}" x2="{_WIDTH}" y2="{down(0):.2f}"/>'
        f'<text x="{_LEFT - 6}" y="12" text-anchor="end">{top:+.1%}</text>'
        f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end">{bottom:+.1%}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{numbers[0]}</text>'
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{axis}; band ±{band:.2%}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 8}" text-anchor="end">{numbers[-1]}</text></svg>'
    )
