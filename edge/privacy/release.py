from dataclasses import InitVar, dataclass

import cbor2
import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edge.errors import PrivacyError, Reason
from edge.privacy.lut import ClipLut, LinearLut, LogLut, Lut, ResidualLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.receipt import Charge
from wire import loss

_WINDOW = object()


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """The noisy integer sums of one window: safe for the world, and the only thing that features are computed on.

    sums: (rows, columns) int64, read-only: for each cell the LUT's values added over b · b pixels and N frames, and
        noise.
    receipt: what the ledger holds of it.
    """

    receipt: Charge
    mechanism: Mechanism
    sums: NDArray[np.int64]
    token: InitVar[object]

    def __post_init__(self, token: object) -> None:
        """Raises PrivacyError(SPENT) unless a window that is full, or a release that was kept, is the maker."""
        if token is not _WINDOW:
            raise PrivacyError(Reason.SPENT, "only a window makes a release", "close a window")
        self.sums.flags.writeable = False

    def to_bytes(self) -> bytes:
        """Deterministic CBOR of all of it, so that a device can keep it."""
        mechanism, lut = self.mechanism, self.mechanism.lut
        stored = StoredRelease(
            level=self.receipt.level,
            epoch=self.receipt.epoch,
            position=self.receipt.position,
            previous=self.receipt.previous,
            hash=self.receipt.hash,
            first_frame=self.receipt.first_frame,
            lut=lut.spec.name,
            parameter=lut.spec.parameter,
            range=lut.range,
            max_value=lut.max_value,
            reference=_to_bytes(lut.reference) if isinstance(lut, ResidualLut) else b"",
            cell=mechanism.cell,
            rows=mechanism.rows,
            columns=mechanism.columns,
            frames=mechanism.frames,
            scale=mechanism.scale,
            noise=mechanism.noise,
            sums=_to_bytes(self.sums),
        )
        return cbor2.dumps(msgspec.to_builtins(stored, builtin_types=(bytes,)), canonical=True)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Release":
        """The release that `to_bytes` wrote. Raises ValueError for anything else."""
        try:
            stored = msgspec.convert(cbor2.loads(data), StoredRelease)
        except (cbor2.CBORDecodeError, msgspec.ValidationError, RecursionError) as error:
            raise ValueError("not a release") from error
        mechanism = Mechanism(
            lut=_lut_of(stored),
            cell=stored.cell,
            rows=stored.rows,
            columns=stored.columns,
            frames=stored.frames,
            scale=stored.scale,
            noise=stored.noise,
        )
        charge = Charge(
            level=stored.level,
            epoch=stored.epoch,
            position=stored.position,
            previous=stored.previous,
            hash=stored.hash,
            first_frame=stored.first_frame,
        )
        return cls(charge, mechanism, _grid(stored.sums, stored.rows, stored.columns), _WINDOW)


class StoredRelease(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A release as it is kept. Grids are rows of little-endian 64-bit integers."""

    version: int = 1
    level: str
    epoch: bytes
    position: int
    previous: bytes
    hash: bytes
    first_frame: int
    lut: str
    parameter: int
    range: int
    max_value: int
    reference: bytes
    cell: int
    rows: int
    columns: int
    frames: int
    scale: int
    noise: loss.Noise
    sums: bytes

    def __post_init__(self) -> None:
        """Raise ValueError for a version that this program does not know."""
        if self.version != 1:
            raise ValueError("the release is of another version")


def make_release(charge: Charge, mechanism: Mechanism, sums: NDArray[np.int64]) -> Release:
    """For a window that is full. `sums` belongs to the release from now on."""
    return Release(charge, mechanism, sums, _WINDOW)


def _lut_of(stored: StoredRelease) -> Lut:
    if stored.lut == "linear":
        return LinearLut(stored.max_value)
    if stored.lut == "clip":
        return ClipLut(stored.max_value, stored.parameter, stored.parameter + stored.range)
    if stored.lut == "log":
        return LogLut(stored.max_value, stored.parameter)
    if stored.lut == "residual":
        reference = _grid(stored.reference, stored.rows, stored.columns)
        return ResidualLut(reference, stored.parameter, stored.max_value)
    raise ValueError("the release has a LUT that is not known")


def _to_bytes(grid: NDArray[np.int64]) -> bytes:
    return grid.astype("<i8").tobytes()


def _grid(data: bytes, rows: int, columns: int) -> NDArray[np.int64]:
    if min(rows, columns) < 1 or len(data) != 8 * rows * columns:
        raise ValueError("a grid of the release has another size")
    return np.frombuffer(data, "<i8").astype(np.int64).reshape(rows, columns)
