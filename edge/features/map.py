"""From releases to the map: the one door between the private numbers and everything that is computed on them.

Every release gives an estimate of each cell's grey with a known noise, and the map is the inverse-variance mean of
the last few that agree with the newest (`fusion.py`). While none has been dropped that is the Kalman filter of a place
that does not move (gain var_P / (var_P + var_Y)); but it forgets, names the releases in it, and can be made again from
them after a restart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.features.contradiction import Verdict, judge
from edge.features.denoise import denoise, wiener
from edge.features.fusion import QUIETEST, Fusion, Layer, mean_of
from edge.features.nested import Nest, Piece
from edge.privacy.lut import ClipLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.schedule import Reference, next_is_wide
from edge.privacy.window import Release
from wire.schema import MAX_FUSED

FULL = 255.0
"""Grey of the brightest pixel, whatever the sensor's own maximum is."""


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """An image of the place, made of releases only; before denoising.

    image: (rows, columns) float32, grey 0..255, read-only.
    noise: standard deviation of the noise of one cell, in grey; where cells differ in it, the root mean square.
    cell: side of a cell in frame pixels. width, height: of the cells together, in frame pixels.
    fused: ledger positions of the releases of which a cell is averaged here, ascending; none that was dropped. A
        residual release leans on its reference too, and so on earlier releases, by what its LUT clamps:
        docs/features.md says how much.
    """

    image: NDArray[np.float32]
    noise: float
    cell: int
    width: int
    height: int
    fused: tuple[int, ...]

    def __post_init__(self) -> None:
        """The image is made read-only."""
        self.image.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What one release says: grey (rows, columns) float64, its noise in grey, and whether it can be believed.

    verdict: of a residual release on its reference. Where that shows another place or light, much of the sums is
    clamped, and the estimate still shows what was there before. joined: positions of further releases in it.
    relative: (rows, columns) standard deviation of each cell's noise over `noise`, or 1 where all are alike.
    """

    position: int
    grey: NDArray[np.float64]
    noise: float
    verdict: Verdict
    joined: tuple[int, ...] = ()
    relative: NDArray[np.float64] | float = 1.0

    @property
    def positions(self) -> tuple[int, ...]:
        """Of all releases in it, ascending."""
        return tuple(sorted((self.position, *self.joined)))

    @property
    def layer(self) -> Layer:
        """What is fused of it."""
        deviations = np.full(self.grey.shape, max(self.noise, QUIETEST)) * self.relative
        return Layer.of(self.positions, self.grey, deviations**2)


class MapKeeper:
    """The maps of one level: a bounded memory of its last estimates.

    After a restart, add the kept releases in order and the memory is as it was: docs/fusion.md, "After a restart".
    """

    def __init__(self, *, fuse: int, nest: Nest | None = None) -> None:
        """Remember nothing yet.

        Args:
            fuse: how many releases are averaged, 1..64; with 1 each map is of its own release.
            nest: of all levels of a camera, where a release is to be joined with those of the shorter windows in it.
        """
        if not 1 <= fuse <= MAX_FUSED:
            raise ValueError(f"fuse is {fuse}, not in 1..{MAX_FUSED}")
        self._fuse = fuse
        self._nest = nest
        self._kept = Fusion(fuse)
        self._reference: Reference | None = None
        self._reference_noise = math.inf

    def add(self, release: Release) -> Map:
        """The map after this release.

        The releases before it are in the map as far as they agree with the newest ones: `fusion.py`. A release that
        contradicts its reference, or has another grid than those before, ends the memory. A narrow window that
        contradicts only asks for a wide one, around its map. After a wide one `reference` gives None, so that an
        absolute window comes next; the map of another place is then flat: it says nothing. That of another light
        shows the place, still in the light of before.

        Raises:
            TypeError: not a Release. Nothing else is ever described.
        """
        estimate = self._join(release, estimate_of(release, self._reference_noise))
        kept = self._kept
        same = estimate.verdict == "same"
        narrow = self._reference is not None and not self._reference.wide
        if not same or kept.shape != estimate.grey.shape:
            kept.clear()
        grey, noise = estimate.grey, estimate.noise
        fused: tuple[int, ...] = estimate.positions
        if estimate.verdict == "other place" and not narrow:
            grey = np.full_like(grey, grey.mean())
        else:
            kept.add(estimate.layer)
            mean = kept.mean()
            grey, noise = mean.grey, mean.noise
            fused = tuple(sorted({position for e in kept for position in e.positions}))
        mechanism = release.mechanism
        made = Map(
            image=np.clip(grey, *span(mechanism.lut)).astype(np.float32),
            noise=noise,
            cell=mechanism.cell,
            width=mechanism.columns * mechanism.cell,
            height=mechanism.rows * mechanism.cell,
            fused=fused,
        )
        self._reference_noise = noise
        self._reference = None
        if not same:
            kept.clear()
        if same or narrow:
            values = reference_of(denoise(made), mechanism.lut.max_value)
            self._reference = Reference(values, not same or next_is_wide(release.sums, mechanism))
        return made

    def _join(self, release: Release, estimate: Estimate) -> Estimate:
        if self._nest is None or estimate.verdict != "same":
            return estimate
        mechanism, receipt = release.mechanism, release.receipt
        piece = Piece(
            receipt.position,
            receipt.first_frame,
            mechanism.frames,
            mechanism.cell,
            estimate.grey,
            estimate.noise,
        )
        self._nest.note(piece)
        joined = self._nest.join(piece, MAX_FUSED // self._fuse - 1)
        return replace(estimate, grey=joined.grey, noise=joined.noise, joined=joined.positions)

    def reference(self) -> Reference | None:
        """For the next residual window; None where an absolute window must come first."""
        return self._reference


def estimate_of(release: Release, reference_noise: float) -> Estimate:
    """Undo the scale and the LUT of one release. Raises TypeError for anything but a Release."""
    if not isinstance(release, Release):
        raise TypeError("features are computed on releases only")
    return undo(release.receipt.position, release.sums, release.mechanism, reference_noise)


def undo(position: int, sums: NDArray[np.int64], mechanism: Mechanism, reference_noise: float = 0.0) -> Estimate:
    """The estimate from released sums (rows, columns) under this mechanism.

    Not clipped to what a pixel can be: noise that is cut off at black would not average out.

    reference_noise: standard deviation in grey of the map that a residual LUT's reference was made of; infinite where
        that is not known. A noisy reference is far off by itself, and proves no change of place.
    """
    lut = mechanism.lut
    pixels = mechanism.frames * mechanism.cell**2
    mean = sums / pixels
    noise = noise_sd(mechanism) / pixels
    to_grey = FULL / lut.max_value
    if isinstance(lut, ResidualLut):
        tau = lut.range / 2
        off = mean - tau
        verdict = judge(off, tau, mechanism, reference_noise / to_grey)
        return Estimate(position, (lut.reference + off) * to_grey, noise * to_grey, verdict)
    if isinstance(lut, LogLut):
        grey, slope = undo_log(mean, lut.range, lut.offset, lut.max_value)
        middle = float(grey.mean()) + lut.offset
        relative = (np.clip(wiener(grey, noise * slope), 0, lut.max_value) + lut.offset) / middle
        return Estimate(position, grey * to_grey, noise * slope * to_grey, "same", relative=relative)
    low = lut.low if isinstance(lut, ClipLut) else 0
    return Estimate(position, (low + mean) * to_grey, noise * to_grey, "same")


def undo_log(mean: NDArray[np.float64], top: int, offset: int, max_value: int) -> tuple[NDArray[np.float64], float]:
    """The inverse of T(x) = top · ln(1 + x/offset) / ln(1 + max_value/offset), and its slope at the mean grey.

    The slope is one number for the grid, so `noise` is right for the map's mean: cells brighter than it are noisier, as
    `Estimate.relative` says.
    """
    step = math.log1p(max_value / offset) / top
    grey = offset * np.expm1(mean * step)
    return grey, step * (float(grey.mean()) + offset)


def span(lut: Lut) -> tuple[float, float]:
    """The least and the most grey that this LUT tells apart."""
    if isinstance(lut, ClipLut):
        return lut.low * FULL / lut.max_value, lut.high * FULL / lut.max_value
    return 0.0, FULL


def average(estimates: Sequence[Estimate]) -> tuple[NDArray[np.float64], float]:
    """The inverse-variance mean of estimates with independent noise, and its noise. Nothing is compared."""
    mean = mean_of([estimate.layer for estimate in estimates])
    return mean.grey, mean.noise


def noise_sd(mechanism: Mechanism) -> float:
    """Standard deviation of the noise of one cell's sum; that of Gaussian noise is below its scale."""
    return float(mechanism.scale) if mechanism.noise == "discrete-gaussian" else laplace_sd(mechanism.scale)


def laplace_sd(scale: int) -> float:
    """Standard deviation of the discrete Laplace law P[z] ∝ exp(-|z|/scale): √(2p)/(1-p), p = exp(-1/scale)."""
    return math.sqrt(2 * math.exp(-1 / scale)) / -math.expm1(-1 / scale)


def reference_of(image: NDArray[np.floating], max_value: int) -> NDArray[np.int64]:
    """A denoised map as the reference of the next residual window: (rows, columns) integers 0..max_value."""
    return np.clip(np.rint(np.asarray(image, np.float64) * (max_value / FULL)), 0, max_value).astype(np.int64)
