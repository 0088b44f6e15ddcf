from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import PrivacyError, Reason, SecretError
from edge.memory import overwrite_freed_arrays
from edge.privacy.bits import BitSource
from edge.privacy.mechanism import Mechanism
from edge.privacy.sampling.allotment import allotment
from edge.privacy.sampling.sampler import Sampler

_DRAW = object()


class Pool(Protocol):
    """What noise is drawn from: the part of an EntropyPool that is needed here."""

    def take(self, n: int) -> bytearray:
        """Give n bytes of full entropy, which belong to the caller."""
        ...


class Noise:
    """The noise of one window, drawn before the window opens and good for one only.

    It is secret until the release, which it is part of: it cannot be copied, pickled or printed.
    """

    __slots__ = ("_mechanism", "_values")

    def __init__(self, values: NDArray[np.int64], mechanism: Mechanism, token: object) -> None:
        """Raises PrivacyError(SPENT) unless `draw` is the maker."""
        if token is not _DRAW:
            raise PrivacyError(Reason.SPENT, "noise is drawn, not made", "use Noise.draw")
        self._mechanism = mechanism
        self._values: NDArray[np.int64] | None = values

    @classmethod
    def draw(cls, mechanism: Mechanism, pool: Pool) -> "Noise":
        """One sample of the mechanism's law for each cell of its grid, independent.

        The pool is asked for an allotment that follows from grid and law, so how much entropy a window takes says
        nothing of its noise. Values are kept modulo 2^64: so is the release, and a function of a private value is
        private. Raises what the pool raises, and then nothing that was drawn survives in a buffer.
        """
        cells = mechanism.rows * mechanism.columns
        sampler = Sampler(mechanism.law)
        source = BitSource(pool.take, allotment(sampler, cells))
        try:
            values = sampler.draw(source, cells)
        finally:
            source.wipe()
            overwrite_freed_arrays()
        return cls(values.reshape(mechanism.rows, mechanism.columns), mechanism, _DRAW)

    def fits(self, mechanism: Mechanism) -> bool:
        """Whether it was drawn for this grid, law and scale."""
        return _needs(self._mechanism) == _needs(mechanism)

    def redeem(self) -> NDArray[np.int64]:
        """Hand the values over, (rows, columns) int64, once. Raises PrivacyError(SPENT) the second time."""
        values, self._values = self._values, None
        if values is None:
            raise PrivacyError(Reason.SPENT, "this noise is in a window already", "draw noise for each window")
        return values

    def wipe(self) -> None:
        """Overwrite noise that will not be used."""
        if self._values is not None:
            self._values[...] = 0
            self._values = None

    def __repr__(self) -> str:
        return "<Noise: secret>"

    def _refuse(self, *_: object) -> NoReturn:
        raise SecretError(Reason.FRAME, "noise cannot be copied or stored", "draw noise for each window")

    __copy__ = __deepcopy__ = __getstate__ = __reduce__ = __reduce_ex__ = _refuse


def _needs(mechanism: Mechanism) -> tuple[str, int, int, int]:
    return mechanism.noise, mechanism.rows, mechanism.columns, mechanism.scale
