"""The field of view from above and from the side, drawn to scale and coloured by ε. One SVG."""

import math
from collections.abc import Iterator
from typing import Final

from edge.card.card import Card
from edge.card.events import STANDING
from edge.card.table import FARTHEST, LIMITS
from edge.card.words import metres, span

WIDTH: Final = 440
LEFT: Final = 24
RIGHT: Final = 22
TOP: Final = 24
SIDE: Final = 150
"""Height of the strip that shows the side view."""
BANDS: Final = ("worst", "some", "good", "best")
"""From near to far: above each of LIMITS from the last to the first, then below all."""

STYLE: Final = """
.card-picture { font: 13px system-ui, sans-serif; --paper: #fff; --ink: #17202c; --soft: #566274; --line: #c3cbd6;
  --best: #a9d8cd; --good: #d5e9c4; --some: #f8e1a4; --worst: #f1b7a8; }
@media screen and (prefers-color-scheme: dark) { .card-picture { --paper: #141b24; --ink: #e6ebf2; --soft: #9aa7b8;
  --line: #45546a; --best: #14594f; --good: #37562f; --some: #6b5417; --worst: #7a3022; } }
.card-picture .best { fill: var(--best); } .card-picture .good { fill: var(--good); }
.card-picture .some { fill: var(--some); } .card-picture .worst { fill: var(--worst); }
.card-picture text { fill: var(--ink); } .card-picture .soft { fill: var(--soft); }
.card-picture .paper { fill: var(--paper); } .card-picture .body { fill: var(--ink); }
.card-picture .line { fill: none; stroke: var(--line); } .card-picture .edge { fill: none; stroke: var(--ink); }
.card-picture .ring { fill: none; stroke: var(--ink); stroke-dasharray: 5 4; }
""".strip()


def picture(card: Card) -> str:
    """An SVG element with its own style: light or dark as the reader prefers, light in print."""
    reach = _reach(card)
    scale = (WIDTH - LEFT - RIGHT) / reach
    half = min(math.radians(card.camera.lens) / 2, math.pi / 2)
    tall = reach * math.sin(half) * scale
    middle = TOP + tall
    floor = middle + tall + SIDE - 44
    height = floor + 44
    title = f"ε of a standing person in view for {span(card)}, by distance from this camera"
    parts = [
        f'<svg class="card-picture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"',
        f' role="img" aria-label="{title}">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height:.0f}"/>',
        f'<text x="8" y="18" class="soft">From above: in view for {span(card)}</text>',
        *_sectors(card, scale, middle, half, reach),
        *_rings(card, scale, middle, half, reach),
        f'<circle class="body" cx="{LEFT}" cy="{middle:.1f}" r="5"/>',
        *_side(card, scale, floor, reach),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _reach(card: Card) -> float:
    """How many metres are drawn: past the last border that is known."""
    known = [distance for _, distance in card.borders if distance is not None]
    return min(FARTHEST, max(6.0, 1.35 * max(known, default=30.0)))


def _borders(card: Card, reach: float) -> list[float]:
    """Where a band ends, from near to far; the reach where it does not."""
    return [reach if distance is None else distance for _, distance in reversed(card.borders)] + [reach]


def _sectors(card: Card, scale: float, middle: float, half: float, reach: float) -> Iterator[str]:
    for name, border in reversed(list(zip(BANDS, _borders(card, reach), strict=True))):
        if border > 0:
            yield f'<path class="{name}" d="{_sector(border * scale, middle, half)}"/>'
    yield f'<path class="edge" d="{_sector(reach * scale, middle, half)}"/>'


def _sector(radius: float, middle: float, half: float) -> str:
    x, y = radius * math.cos(half), radius * math.sin(half)
    return (
        f"M{LEFT} {middle:.1f} L{LEFT + x:.1f} {middle - y:.1f} "
        f"A{radius:.1f} {radius:.1f} 0 0 1 {LEFT + x:.1f} {middle + y:.1f} Z"
    )


def _rings(card: Card, scale: float, middle: float, half: float, reach: float) -> Iterator[str]:
    for limit, distance in reversed(card.borders):
        if distance is None or not distance:
            continue
        radius = distance * scale
        x, y = radius * math.cos(half), radius * math.sin(half)
        yield (
            f'<path class="ring" d="M{LEFT + x:.1f} {middle - y:.1f} '
            f'A{radius:.1f} {radius:.1f} 0 0 1 {LEFT + x:.1f} {middle + y:.1f}"/>'
        )
        start = LEFT + radius + 7
        yield f'<text x="{start:.1f}" y="{middle - 6:.1f}">{metres(distance)}</text>'
        yield f'<text x="{start:.1f}" y="{middle + 12:.1f}">ε ≤ {limit}</text>'
    if not any(distance for _, distance in card.borders):
        everywhere = [limit for limit, distance in card.borders if distance == 0]
        said = f"ε ≤ {min(everywhere)} everywhere" if everywhere else f"ε above {LIMITS[-1]} up to {FARTHEST:g} m"
        x = LEFT + 0.6 * reach * scale
        yield f'<text x="{x:.1f}" y="{middle:.1f}" text-anchor="middle">{said}</text>'


def _side(card: Card, scale: float, floor: float, reach: float) -> Iterator[str]:
    """People at the borders, the camera on its wall, and a ruler, all to the scale of the view from above."""
    yield f'<text x="8" y="{floor - 92:.0f}" class="soft">From the side, to the same scale</text>'
    end = LEFT + reach * scale
    yield f'<path class="edge" d="M{LEFT} {floor:.1f} H{end:.1f}"/>'
    lens = floor - card.camera.mounted * scale
    for side in (-1, 1):
        yield _ray(card, side, scale, floor, reach)
    yield f'<path class="edge" d="M{LEFT} {floor:.1f} V{lens:.1f}"/>'
    yield f'<circle class="body" cx="{LEFT}" cy="{lens:.1f}" r="4"/>'
    for _, distance in card.borders:
        if distance:
            yield _person(LEFT + distance * scale, floor, scale)
    step = next(step for step in (1, 2, 5, 10, 20, 50) if reach / step <= 10)
    for mark in range(0, math.floor(reach) + 1, step):
        x = LEFT + mark * scale
        yield f'<path class="line" d="M{x:.1f} {floor:.1f} v6"/>'
        yield f'<text x="{x:.1f}" y="{floor + 20:.1f}" text-anchor="middle" class="soft">{mark} m</text>'


def _ray(card: Card, side: int, scale: float, floor: float, reach: float) -> str:
    """The lower (1) or upper (-1) edge of the frame, as far as the floor, the end of the ruler or twice a room."""
    camera = card.camera
    slope = math.tan(math.radians(min(89.0, camera.tilt + side * camera.vertical_angle / 2)))
    drop = camera.mounted if slope > 0 else -5.0
    along = min(reach, drop / slope if slope else reach)
    top = floor - camera.mounted * scale
    return f'<path class="line" d="M{LEFT} {top:.1f} L{LEFT + along * scale:.1f} {top + along * slope * scale:.1f}"/>'


def _person(x: float, floor: float, scale: float) -> str:
    tall, across = STANDING.tall * scale, STANDING.across * scale
    head = tall / 7.5 / 2
    shoulders = floor - tall + 2.4 * head
    return (
        f'<circle class="body" cx="{x + across / 2:.1f}" cy="{floor - tall + head:.1f}" r="{head:.1f}"/>'
        f'<rect class="body" x="{x:.1f}" y="{shoulders:.1f}" width="{across:.1f}" height="{floor - shoulders:.1f}" '
        f'rx="{across / 3:.1f}"/>'
    )
