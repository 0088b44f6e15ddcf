"""Nothing but the numbers of a release may depend on what the camera sees: a black video and a white one, compared."""

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.rig import Run, exact_part, run

FRAMES = 144
"""A day of a frame in ten minutes: one window of the long level, eight of the short one."""


def black(plane: NDArray[np.uint8] | NDArray[np.uint16], number: int) -> None:  # noqa: ARG001 - a Painter
    """A lens cap."""
    plane[...] = 0


def white(plane: NDArray[np.uint8] | NDArray[np.uint16], number: int) -> None:  # noqa: ARG001 - a Painter
    """A lamp in front of the lens."""
    plane[...] = 255


@dataclass(frozen=True, slots=True)
class Difference:
    """What two runs do otherwise, in words without any size or value of either; and how much was compared."""

    compared: int
    found: tuple[str, ...]
    seconds: tuple[float, float]


def compare(one: Run, other: Run) -> Difference:
    """Every call with its sizes, every line of the log, every file's name, size and, but for releases, content.

    Features of a release are left out: they depend on the frames through the release alone. How long a run took is
    told and not judged.
    """
    parts = [(f"call {i}", *pair) for i, pair in enumerate(itertools.zip_longest(one.calls, other.calls))]
    parts += [(f"log line {i}", *pair) for i, pair in enumerate(itertools.zip_longest(one.log, other.log))]
    messages = itertools.zip_longest(map(exact_part, one.envelopes), map(exact_part, other.envelopes))
    parts += [(f"message {i}", *pair) for i, pair in enumerate(messages)]
    for name in sorted(one.files.keys() | other.files.keys()):
        ours, theirs = (_public_part(name, run.files.get(name)) for run in (one, other))
        parts.append((f"file {name}", ours, theirs))
    found = tuple(name for name, ours, theirs in parts if ours != theirs)
    return Difference(len(parts), found, (one.seconds, other.seconds))


def black_against_white(frames: int = FRAMES) -> Difference:
    """Both videos through the same program."""
    runs = []
    for paint in (black, white):
        with tempfile.TemporaryDirectory(prefix="audit-") as folder:
            runs.append(run(paint, frames, Path(folder)))
    return compare(*runs)


def _public_part(name: str, content: bytes | None) -> str:
    """What of a file may not differ: of a release its size, of every other file all of it."""
    if content is None:
        return "missing"
    return f"{len(content)} bytes" if name.endswith(".cbor") else content.hex()
