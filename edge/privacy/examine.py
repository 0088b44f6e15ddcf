"""Whether the charges of a whole ledger keep the invariant of the adaptive theorem, and what they add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from edge.errors import LedgerError, Reason
from edge.privacy.account import Account
from edge.privacy.chain import Entry, parse_ratio
from edge.privacy.terms import Terms, read_terms
from wire import loss


@dataclass(frozen=True, slots=True)
class EpochSum:
    """What one epoch of a ledger holds.

    name: in hexadecimal. terms: what it promises. first, last: positions of its entries. charges: for each level.
    frames: numbers of the frames that its windows may have used, first and one past the last. cost: the largest sum of
    costs over any frame, at most that of the terms. begun, newest: Unix time in ms of its first and its newest entry.
    """

    name: str
    device: str
    terms: Terms
    first: int
    last: int
    charges: dict[str, int]
    frames: tuple[int, int]
    cost: Fraction
    begun: int
    newest: int


def examine(entries: Sequence[Entry], name: str) -> list[EpochSum]:
    """Count every entry again, as the ledger did when it wrote it.

    Args:
        entries: of a whole chain (`edge.privacy.chain.read_chain`).
        name: of the file, for errors.

    Raises:
        LedgerError: LEDGER_CORRUPT, naming the line that no ledger writes.
    """
    sums: list[EpochSum] = []
    begins = [index for index, entry in enumerate(entries) if entry["kind"] == "epoch"]
    if entries and (not begins or begins[0]):
        raise _wrong(name, 1, "it is a charge without an epoch")
    floor = 0
    for begin, end in pairwise([*begins, len(entries)]):
        epoch = _examine_epoch(entries[begin:end], floor, name)
        floor = max(floor, epoch.frames[1])
        if any(epoch.name == other.name for other in sums):
            raise _wrong(name, begin + 1, "its epoch was there before")
        sums.append(epoch)
    return sums


def _examine_epoch(entries: Sequence[Entry], floor: int, name: str) -> EpochSum:
    head, charged = entries[0], entries[1:]
    try:
        terms = read_terms(head)
    except ValueError:
        raise _wrong(name, head["position"], "its terms are none") from None
    account = Account(terms.cost_max, floor=floor)
    counts: dict[str, int] = {}
    largest = Fraction(0)
    for entry in charged:
        slope, cost = parse_ratio(entry["slope"]), parse_ratio(entry["cost"])
        if entry["epoch"] != head["epoch"]:
            raise _wrong(name, entry["position"], "it names another epoch")
        if slope * entry["scale"] != entry["range"]:
            raise _wrong(name, entry["position"], "its slope is not range / scale")
        if cost != loss.cost(terms.noise, slope, terms.unit, entry["cell"], entry["frames"]):
            raise _wrong(name, entry["position"], "its cost does not follow from its slope")
        try:
            account.admit(entry["level"], entry["first_frame"], entry["frames"], cost)
        except LedgerError as error:
            raise _wrong(name, entry["position"], error.detail) from None
        account.enter(entry["level"], entry["first_frame"], entry["frames"], cost)
        counts[entry["level"]] = counts.get(entry["level"], 0) + 1
        largest = max(largest, sum((other for _, other in account.running), Fraction(0)))
    return EpochSum(
        name=head["epoch"],
        device=head["device"],
        terms=terms,
        first=head["position"],
        last=entries[-1]["position"],
        charges=counts,
        frames=(charged[0]["first_frame"] if charged else floor, account.next_frame),
        cost=largest,
        begun=head["time"],
        newest=max(entry["time"] for entry in entries),
    )


def _wrong(name: str, line: int, why: str) -> LedgerError:
    return LedgerError(
        Reason.LEDGER_CORRUPT,
        f"{name}: line {line} is not what the ledger wrote: {why}",
        "keep the file for an examination, move it away, and count what it held as spent",
    )
