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
    labels = ("0", str(len(relative) - 1))
    return _bars(relative, band, labels, "value", "Occurrences of each value, relative to their mean")


def agreement(counts: Counts) -> str:
    """Autocorrelation of the bits at lags of 1 to 64 bits, with the 99 % band of independent fair bits."""
    correlation = [2 * same / all_ - 1 for same, all_ in zip(counts.agreement, counts.compared, strict=True)]
    band = Z / math.sqrt(counts.compared[0])
    labels = ("1", str(len(correlation)))
    return _bars(correlation, band, labels, "bits apart", "Correlation of bits with earlier bits")


def _bars(values: list[float], band: float, labels: tuple[str, str], axis: str, title: str) -> str:
    reach = 1.1 * max(*map(abs, values), band)
    wide = (_WIDTH - _LEFT) / len(values)
    middle = (_HEIGHT - _BOTTOM) / 2

    def height(value: float) -> float:
        return middle * (1 - value / reach)

    bars = "".join(
        f'<rect x="{_LEFT + wide * index:.2f}" y="{min(height(value), middle):.2f}" '
        f'width="{wide * 0.9:.2f}" height="{abs(height(value) - middle):.2f}"/>'
        for index, value in enumerate(values)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f'<rect class="band" x="{_LEFT}" y="{height(band):.2f}" width="{_WIDTH - _LEFT}" '
        f'height="{height(-band) - height(band):.2f}"/>'
        f'<g class="bars">{bars}</g>'
        f'<line x1="{_LEFT}" y1="{middle}" x2="{_WIDTH}" y2="{middle}"/>'
        f'<text x="{_LEFT - 6}" y="{height(band) + 4:.2f}" text-anchor="end">{band:+.2%}</text>'
        f'<text x="{_LEFT - 6}" y="{height(-band) + 4:.2f}" text-anchor="end">{-band:+.2%}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{labels[0]}</text>'
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{axis}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 8}" text-anchor="end">{labels[1]}</text></svg>'
    )
