"""Joins a long window's map with those of the shorter windows inside it, whose cells are made of whole ones of its own.

Both say what the mean of a coarse cell was over the same frames, with independent noise: least squares keeps the
differences between fine cells and moves their mean. It is computed on releases alone and costs nothing;
docs/benchmarks/gains.md, "levels", has what it gains. It ties the releases of two levels together, so it is asked for.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REMEMBERED = 64
"""Pieces kept of each level: as many as an observation can name."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What one release says of frames first .. first + frames - 1. grey (rows, columns) float64 and noise in grey.

    position: of its charge in the ledger. cell: side of a cell in pixels.
    """

    position: int
    first: int
    frames: int
    cell: int
    grey: NDArray[np.float64]
    noise: float


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """A map after joining. positions: of the pieces that are in it, ascending; none where nothing fitted."""

    grey: NDArray[np.float64]
    noise: float
    positions: tuple[int, ...]


class Nest:
    """A bounded memory of pieces of all levels of one camera."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[int, int], deque[Piece]] = {}

    def note(self, piece: Piece) -> None:
        """Remember a piece, for longer windows that end with it or later."""
        kept = self._pieces.setdefault((piece.frames, piece.cell), deque(maxlen=REMEMBERED))
        kept.append(piece)

    def join(self, long: Piece, most: int) -> Joined:
        """A long window's map with the pieces of at most `most` shorter windows that make it up exactly.

        Where several levels do, that with the least noise is taken.
        """
        rows = [
            inside
            for (frames, cell), kept in self._pieces.items()
            if frames < long.frames and cell > long.cell and not cell % long.cell
            if (inside := _tiling(kept, long)) and len(inside) <= most
        ]
        if not rows:
            return Joined(long.grey, long.noise, ())
        inside = min(rows, key=_noise)
        grey, noise = join(long, _mean(inside), _noise(inside), inside[0].cell // long.cell)
        return Joined(grey, noise, tuple(sorted(piece.position for piece in inside)))


def join(
    long: Piece, coarse: NDArray[np.float64], coarse_noise: float, factor: int
) -> tuple[NDArray[np.float64], float]:
    """The least-squares estimate of fine cells from themselves and from the means of blocks of factor x factor of them.

    Minimises Σ (x - y)² / s² + Σ (mean of x over a block - c)² / v² over the fine cells x, y being `long` with noise s
    and c being `coarse` with noise v: each x of a block moves by w · (c - mean of y), w = (s²/k) / (s²/k + v²), k =
    factor². Cells outside of whole blocks stay.

    Returns:
        The cells, and the root mean square over all of them of their noise.
    """
    rows = min(coarse.shape[0], long.grey.shape[0] // factor)
    columns = min(coarse.shape[1], long.grey.shape[1] // factor)
    grey = long.grey.copy()
    blocks = grey[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    own = long.noise**2 / factor**2
    weight = own / (own + coarse_noise**2) if own + coarse_noise**2 else 0.0
    moved = weight * (coarse[:rows, :columns] - blocks.mean((1, 3)))
    grey[: rows * factor, : columns * factor] += np.kron(moved, np.ones((factor, factor)))
    share = rows * columns * factor**2 / grey.size
    return grey, long.noise * float(np.sqrt(1 - share * weight / factor**2))


def _tiling(kept: Sequence[Piece], long: Piece) -> list[Piece]:
    """The pieces that follow each other from the first frame of `long` to its last, or none."""
    inside = [piece for piece in kept if long.first <= piece.first < long.first + long.frames]
    starts = [piece.first for piece in inside]
    if not inside or starts != list(range(long.first, long.first + long.frames, inside[0].frames)):
        return []
    same = all(piece.grey.shape == inside[0].grey.shape for piece in inside)
    return inside if same and len(inside) * inside[0].frames == long.frames else []


def _mean(pieces: Sequence[Piece]) -> NDArray[np.float64]:
    """Windows of one length count alike, as frames do in the long one."""
    mean: NDArray[np.float64] = np.mean([piece.grey for piece in pieces], axis=0)
    return mean


def _noise(pieces: Sequence[Piece]) -> float:
    return float(np.sqrt(sum(piece.noise**2 for piece in pieces))) / len(pieces)
