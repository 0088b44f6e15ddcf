from dataclasses import dataclass
from typing import NoReturn

from edge.errors import PrivacyError, Reason
from edge.privacy.mechanism import Mechanism
from wire import schema

_LEDGER = object()


@dataclass(frozen=True, slots=True)
class Charge:
    """What the ledger holds of one window: where the entry stands, and which frames it pays for.

    epoch: 16 bytes. position: of the entry, from 1. previous, hash: 32 bytes each, of the entry before and of this
    one. first_frame: number of the window's first frame.
    """

    level: str
    epoch: bytes
    position: int
    previous: bytes
    hash: bytes
    first_frame: int

    def to_wire(self) -> schema.Receipt:
        """The part of it that an observation carries."""
        return schema.Receipt(epoch=self.epoch, position=self.position, previous=self.previous, hash=self.hash)


class Receipt:
    """Proof that a window is paid for, made by the ledger alone and good for one Window of one mechanism."""

    __slots__ = ("_charge", "_mechanism", "_spent")

    def __init__(self, charge: Charge, mechanism: Mechanism, token: object) -> None:
        """Raises PrivacyError(SPENT) unless the ledger is the maker."""
        if token is not _LEDGER:
            raise PrivacyError(Reason.SPENT, "only the ledger makes receipts", "charge the window first")
        self._charge = charge
        self._mechanism = mechanism
        self._spent = False

    @property
    def position(self) -> int:
        """Position of the charge in the ledger."""
        return self._charge.position

    @property
    def mechanism(self) -> Mechanism:
        """What was paid for."""
        return self._mechanism

    @property
    def spent(self) -> bool:
        """Whether a window was opened with it."""
        return self._spent

    def redeem(self) -> Charge:
        """Spend it. Raises PrivacyError(SPENT) the second time."""
        if self._spent:
            raise PrivacyError(Reason.SPENT, "this receipt has opened a window already", "charge the next window")
        self._spent = True
        return self._charge

    def _refuse(self, *_: object) -> NoReturn:
        raise PrivacyError(Reason.SPENT, "a receipt cannot be copied", "charge the next window")

    __copy__ = __deepcopy__ = __getstate__ = __reduce__ = __reduce_ex__ = _refuse


def make_receipt(charge: Charge, mechanism: Mechanism) -> Receipt:
    """For the ledger, once the charge is on disk."""
    return Receipt(charge, mechanism, _LEDGER)
