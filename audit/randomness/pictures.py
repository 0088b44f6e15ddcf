"""Pictures side by side, with a line of text over each."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.randomness.victims import Picture

_ENLARGED = 2
_MARGIN, _LINE = 12, 34


def write_panels(path: Path, panels: list[tuple[str, Picture]]) -> None:
    """Write a PNG of grey pictures of one size, next to each other. Values beyond 0..255 are clipped."""
    made = [_panel(title, picture) for title, picture in panels]
    if not cv2.imwrite(str(path), np.concatenate(made, axis=1)):
        raise OSError(f"{path} cannot be written")


def _panel(title: str, picture: Picture) -> NDArray[np.uint8]:
    grey = np.clip(picture, 0, 255).astype(np.uint8).repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
    framed = np.full((grey.shape[0] + _LINE + _MARGIN, grey.shape[1] + 2 * _MARGIN), 255, np.uint8)
    framed[_LINE:-_MARGIN, _MARGIN:-_MARGIN] = grey
    cv2.putText(framed, title, (_MARGIN, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.58, 0, 1, cv2.LINE_AA)
    return framed
