"""What charges add up to: the invariant of the adaptive theorem, checked before each charge."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from edge.errors import LedgerError, Reason


@dataclass(slots=True)
class Account:
    """Which frames are spoken for, and at which cost.

    `floor`: the first frame that windows of this run may use: frames of windows that a restart has lost are not used
    again, as nobody can say what they were.
    """

    cost_max: Fraction
    floor: int = 0
    newest: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    running: list[tuple[int, Fraction]] = field(default_factory=list)

    def admit(self, level: str, first: int, frames: int, cost: Fraction) -> None:
        """Check that a window may use frames first .. first + frames - 1 at this cost each.

        Windows open in the order of their first frames, so all that overlap the new one do so at its first frame, and
        the sum there is the largest of any frame in it.

        Raises:
            LedgerError: LEDGER_OVERSPENT; nothing is changed.
        """
        if first < max(self.floor, self.newest, self.ends.get(level, 0)):
            raise LedgerError(
                Reason.LEDGER_OVERSPENT,
                f"level {level} would use frame {first} again",
                "open each window at the frame after those that are charged",
            )
        total = cost + sum((other for end, other in self.running if end > first), Fraction(0))
        if frames < 1 or cost <= 0 or total > self.cost_max:
            raise LedgerError(
                Reason.LEDGER_OVERSPENT,
                f"level {level} would bring frame {first} to a cost of {total}, above {self.cost_max}",
                "use a profile whose levels add up to what the ledger was opened for",
            )

    def enter(self, level: str, first: int, frames: int, cost: Fraction) -> None:
        """Count a window that was charged."""
        self.running = [(end, other) for end, other in self.running if end > first]
        self.running.append((first + frames, cost))
        self.ends[level] = first + frames
        self.newest = first

    def take(self, number: int) -> None:
        """Count a frame that is taken now: windows that open later begin after it.

        Raises:
            LedgerError: LEDGER_OVERSPENT where its number is spent.
        """
        if number < self.floor:
            raise LedgerError(Reason.LEDGER_OVERSPENT, f"frame {number} comes again", "number frames without reuse")
        self.floor = number + 1

    @property
    def next_frame(self) -> int:
        """The first frame that no window has been charged for, nor any after it."""
        return max(self.ends.values(), default=self.floor)


def resume(cost_max: Fraction, charged: Iterable[tuple[int, int]]) -> Account:
    """The account after a restart. `charged`: (first frame, frames) of every charge there ever was."""
    return Account(cost_max, floor=max((first + frames for first, frames in charged), default=0))
