"""A drawing as PNG, with OpenCV: its letters are plain strokes, and only those of ASCII."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.show.shapes import TONES, Box, Drawing, Ellipse, Raster, Text, Tone

SCALE = 2
"""Pixels per unit of the drawing."""
SHIFT = 4
"""Binary digits below one pixel that OpenCV takes for the places of ellipses."""
SPELLED = {"ε": "epsilon", "δ": "delta", "ρ": "rho", "λ": "lambda", "×": "x", "·": "-", "–": "-", "…": "...", "⁄": "/"}  # noqa: RUF001 - the very letters

Canvas = NDArray[np.uint8]


def png(drawing: Drawing) -> bytes:
    """The drawing as PNG, SCALE pixels for each of its units."""
    canvas = np.full((round(drawing.height * SCALE), round(drawing.width * SCALE), 3), 255, np.uint8)
    left, top, width, height = (round(value * SCALE) for value in drawing.field)
    for shape in drawing.shapes:
        match shape:
            case Box():
                _box(canvas, shape)
            case Ellipse(inside=True):
                # A view: what is drawn beyond it is cut off.
                _ellipse(canvas[top : top + height, left : left + width], shape, left, top)
            case Ellipse():
                _ellipse(canvas, shape, 0, 0)
            case Raster():
                _raster(canvas, shape)
            case Text():
                _text(canvas, shape)
    _, data = cv2.imencode(".png", canvas)
    return data.tobytes()


def _colour(tone: Tone) -> tuple[int, int, int]:
    """Blue, green, red: the order of OpenCV."""
    red, green, blue = bytes.fromhex(TONES[tone][1:])
    return blue, green, red


def _box(canvas: Canvas, box: Box) -> None:
    first = (round(box.x * SCALE), round(box.y * SCALE))
    last = (round((box.x + box.width) * SCALE) - 1, round((box.y + box.height) * SCALE) - 1)
    cv2.rectangle(canvas, first, last, _colour(box.tone), cv2.FILLED if box.filled else SCALE)


def _ellipse(field: Canvas, ellipse: Ellipse, left: int, top: int) -> None:
    x, y = ellipse.x * SCALE - left, ellipse.y * SCALE - top
    margin = ellipse.stroke * SCALE + 2
    rows = _within(y - ellipse.ry * SCALE - margin, y + ellipse.ry * SCALE + margin, field.shape[0])
    columns = _within(x - ellipse.rx * SCALE - margin, x + ellipse.rx * SCALE + margin, field.shape[1])
    part = field[rows, columns]
    if part.size == 0:
        return
    whole = 1 << SHIFT
    centre = (round((x - columns.start - 0.5) * whole), round((y - rows.start - 0.5) * whole))
    axes = (round(ellipse.rx * SCALE * whole), round(ellipse.ry * SCALE * whole))
    drawn = part.copy()
    thickness = max(1, int(ellipse.stroke * SCALE * 0.8)) if ellipse.stroke else cv2.FILLED
    cv2.ellipse(drawn, centre, axes, 0, 0, 360, _colour(ellipse.tone), thickness, cv2.LINE_AA, SHIFT)
    cv2.addWeighted(drawn, ellipse.opacity, part, 1 - ellipse.opacity, 0, dst=part)
    field[rows, columns] = part


def _within(low: float, high: float, size: int) -> slice:
    return slice(min(max(0, int(low)), size), min(max(0, int(high) + 1), size))


def _raster(canvas: Canvas, raster: Raster) -> None:
    left, top = round(raster.x * SCALE), round(raster.y * SCALE)
    size = (max(1, round(raster.width * SCALE)), max(1, round(raster.height * SCALE)))
    enlarged = cv2.resize(raster.grey, size, interpolation=cv2.INTER_NEAREST)
    canvas[top : top + size[1], left : left + size[0]] = enlarged[:, :, None]


def _text(canvas: Canvas, text: Text) -> None:
    spelled = "".join(SPELLED.get(letter, letter) for letter in text.text).encode("ascii", "replace").decode("ascii")
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, 2 if text.bold else 1
    # The capitals of this font are 21 of its units high at size 1; those of a text face are 0.7 of its size.
    size = text.size * SCALE * 0.66 / 21
    wide = cv2.getTextSize(spelled, font, size, thickness)[0][0]
    x = text.x * SCALE - (wide / 2 if text.centred else 0)
    place = (round(x), round(text.y * SCALE))
    cv2.putText(canvas, spelled, place, font, size, _colour(text.tone), thickness, cv2.LINE_AA)
