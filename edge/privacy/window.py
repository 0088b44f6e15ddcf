"""N frames in, one release out. docs/proofs/window.md proves it, with the names used here."""

from typing import NoReturn

import numpy as np

from edge.errors import PrivacyError, Reason, SecretError
from edge.frame import Frame
from edge.privacy.cells import CellSums
from edge.privacy.noise import Noise
from edge.privacy.receipt import Receipt
from edge.privacy.release import Release, make_release

__all__ = ["Release", "Window"]


class Window:
    """Sums N frames under one mechanism. The sums start at the noise: a clean sum exists at no time.

    What it holds is secret until it is full, and is overwritten by `close` and `wipe`.
    """

    __slots__ = ("_added", "_cells", "_charge", "_last", "_mechanism", "_sums")

    def __init__(self, receipt: Receipt, noise: Noise) -> None:
        """Spend one receipt and the noise that was drawn for the same mechanism.

        Raises:
            PrivacyError: MISMATCH where they do not belong together (then neither is spent), SPENT where either was
                used before.
        """
        mechanism = receipt.mechanism
        if not noise.fits(mechanism):
            raise PrivacyError(
                Reason.MISMATCH, "the noise has another grid or scale than the receipt", "draw it for this mechanism"
            )
        self._mechanism = mechanism
        self._cells = CellSums(mechanism.lut, mechanism.cell, mechanism.rows, mechanism.columns)
        self._charge = receipt.redeem()
        self._sums: np.ndarray[tuple[int, int], np.dtype[np.int64]] | None = noise.redeem()
        self._added = 0
        self._last: tuple[Frame, int] | None = None

    @property
    def added(self) -> int:
        """How many frames are in it."""
        return self._added

    @property
    def full(self) -> bool:
        """Whether all N frames are in it."""
        return self._added == self._mechanism.frames

    def add(self, frame: Frame) -> None:
        """Add the next frame of the camera.

        Raises:
            PrivacyError: WINDOW_FULL after N frames; SPENT after `close` or `wipe`; MISMATCH where the frame is
                smaller than the grid, or is the one that was added last.
        """
        if self._sums is None:
            self._refuse_spent()
        if self.full:
            raise PrivacyError(Reason.WINDOW_FULL, f"it has its {self._added} frames", "close it")
        plane = frame.plane
        mechanism = self._mechanism
        height, width = mechanism.rows * mechanism.cell, mechanism.columns * mechanism.cell
        if plane.shape[0] < height or plane.shape[1] < width:
            raise PrivacyError(Reason.MISMATCH, f"a frame is smaller than {width} x {height}", "open a new window")
        if self._last == (frame, frame.number):
            raise PrivacyError(Reason.MISMATCH, "the same frame was added twice", "fill it again first")
        self._cells.add(plane, self._sums)
        self._last = (frame, frame.number)
        self._added += 1

    def close(self) -> Release:
        """The release: sums and noise together. The window is spent.

        Raises:
            PrivacyError: WINDOW_SHORT before N frames were added; SPENT after `close` or `wipe`.
        """
        if self._sums is None:
            self._refuse_spent()
        if not self.full:
            frames = self._mechanism.frames
            raise PrivacyError(Reason.WINDOW_SHORT, f"it has {self._added} of {frames} frames", "add the others")
        release = make_release(self._charge, self._mechanism, self._sums.copy())
        self.wipe()
        return release

    def wipe(self) -> None:
        """Overwrite everything. An open window is lost by it, and its charge stands."""
        self._cells.wipe()
        self._last = None
        if self._sums is not None:
            self._sums[...] = 0
            self._sums = None

    def __repr__(self) -> str:
        return "<Window: secret>"

    def _refuse_spent(self) -> NoReturn:
        raise PrivacyError(Reason.SPENT, "the window is closed", "open the next one")

    def _refuse_copy(self, *_: object) -> NoReturn:
        raise SecretError(Reason.FRAME, "an open window cannot be copied or stored", "close it when it is full")

    __copy__ = __deepcopy__ = __getstate__ = __reduce__ = __reduce_ex__ = _refuse_copy
