"""A drawing as one SVG file that needs no other."""

import base64
from html import escape

import cv2

from edge.show.shapes import TONES, Box, Drawing, Ellipse, Raster, Shape, Text

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def svg(drawing: Drawing) -> bytes:
    """The drawing as SVG 1.1 in UTF-8."""
    title, (x, y, width, height) = escape(drawing.title), drawing.field
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{drawing.width:g}" height="{drawing.height:g}" '
            f'viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" aria-label="{title}" '
            f'font-family="{escape(FONT)}">'
        ),
        f"<title>{title}</title>",
        f'<clipPath id="field"><rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/></clipPath>',
        *(_element(shape) for shape in drawing.shapes),
        "</svg>",
    ]
    return ("\n".join(parts) + "\n").encode("utf-8", errors="replace")


def _element(shape: Shape) -> str:
    match shape:
        case Box():
            paint = f'fill="{TONES[shape.tone]}"' if shape.filled else f'fill="none" stroke="{TONES[shape.tone]}"'
            place = f'x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" height="{shape.height:g}"'
            return f"<rect {place} {paint}/>"
        case Ellipse():
            return _ellipse(shape)
        case Raster():
            return _raster(shape)
        case Text():
            weight = ' font-weight="600"' if shape.bold else ""
            anchor = ' text-anchor="middle"' if shape.centred else ""
            place = f'x="{shape.x:g}" y="{shape.y:g}" font-size="{shape.size:g}"'
            return f'<text {place} fill="{TONES[shape.tone]}"{weight}{anchor}>{escape(shape.text)}</text>'


def _ellipse(shape: Ellipse) -> str:
    colour = TONES[shape.tone]
    paint = f'fill="none" stroke="{colour}" stroke-width="{shape.stroke:.2f}" stroke-opacity="{shape.opacity:.2f}"'
    if not shape.stroke:
        paint = f'fill="{colour}" fill-opacity="{shape.opacity:.2f}"'
    place = f'cx="{shape.x:.2f}" cy="{shape.y:.2f}" rx="{shape.rx:.2f}" ry="{shape.ry:.2f}"'
    clip = ' clip-path="url(#field)"' if shape.inside else ""
    return f"<ellipse {place} {paint}{clip}/>"


def _raster(shape: Raster) -> str:
    _, data = cv2.imencode(".png", shape.grey)
    place = f'x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" height="{shape.height:g}"'
    text = base64.b64encode(data.tobytes()).decode("ascii")
    return (
        f'<image {place} preserveAspectRatio="none" style="image-rendering: pixelated" '
        f'href="data:image/png;base64,{text}"/>'
    )
