"""Whether signed observations are what a ledger charged for."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from edge.errors import LedgerError
from edge.privacy.chain import Entry, ratio, read_chain
from edge.privacy.examine import EpochSum, examine
from edge.privacy.terms import Terms, write_terms
from wire import loss
from wire.schema import Observation
from wire.verify import Finding, Verdict, exact, judge


def verify_ledger(data: bytes, name: str, observations: Sequence[Observation]) -> list[Finding]:
    """Check a ledger's file, and each observation against its entry there.

    Args:
        data: the file.
        name: of the file, for the lines.
        observations: whose signatures hold.
    """
    try:
        entries, tail = read_chain(data, name)
        epochs = examine(entries, name)
    except LedgerError as error:
        return [Finding("ledger", Verdict.FAILS, error.detail)]
    text = (
        f"{tail.entries} entries, each hashed with the one before; in no epoch does a frame cost more than its maximum"
    )
    found = [Finding("ledger", Verdict.HOLDS, text)]
    for observation in observations:
        found += _observation(observation, entries, epochs)
    return found


def _observation(observation: Observation, entries: Sequence[Entry], epochs: Sequence[EpochSum]) -> Iterator[Finding]:
    position = observation.receipt.position
    where = f"{observation.device}, position {position}"
    if position > len(entries):
        yield Finding("entry", Verdict.FAILS, f"{where}: the ledger ends at {len(entries)}")
        return
    entry = entries[position - 1]
    if entry["kind"] != "charge":
        yield Finding("entry", Verdict.FAILS, f"{where}: that entry begins an epoch and charges nothing")
        return
    (epoch,) = [each for each in epochs if each.first <= position <= each.last]
    head = entries[epoch.first - 1]
    yield _compare("entry", where, _receipt(observation), _of_entry(entry, entries[position - 2]))
    yield _compare("charge", where, _charge(observation), {part: entry[part] for part in _charge(observation)})
    yield _compare("promise", where, _promise(observation), {part: head[part] for part in _promise(observation)})
    spent, stated = epoch.cost, observation.statement.cost_total
    text = f"{where}: the costliest frame of its epoch cost {exact(spent)}, and at most {exact(stated)} is stated"
    yield judge("spent", spent <= stated, text, text)


def _compare(name: str, where: str, stated: Entry, charged: Entry) -> Finding:
    for part, value in stated.items():
        if value != charged[part]:
            text = f"{where}: the message has {part} {value}, and the ledger {charged[part]}"
            return Finding(name, Verdict.FAILS, text)
    return Finding(name, Verdict.HOLDS, f"{where}: {', '.join(stated)} as in the ledger")


def _receipt(observation: Observation) -> Entry:
    receipt = observation.receipt
    return {"epoch": receipt.epoch.hex(), "previous": receipt.previous.hex(), "hash": receipt.hash.hex()}


def _of_entry(entry: Entry, before: Entry) -> Entry:
    return {"epoch": entry["epoch"], "previous": before["hash"], "hash": entry["hash"]}


def _charge(observation: Observation) -> Entry:
    """What the ledger was charged for, as its entry writes it."""
    statement = observation.statement
    slope = Fraction(statement.lut.range, statement.scale)
    return {
        "level": observation.level,
        "lut": statement.lut.name,
        "parameter": statement.lut.parameter,
        "range": statement.lut.range,
        "scale": statement.scale,
        "slope": ratio(slope),
        "cost": ratio(loss.cost(statement.mechanism, slope, statement.unit, statement.cell, statement.frames)),
        "frames": statement.frames,
        "cell": statement.cell,
        "rows": statement.rows,
        "columns": statement.columns,
    }


def _promise(observation: Observation) -> Entry:
    """What its epoch was begun for, as the epoch's entry writes it."""
    statement = observation.statement
    return {
        "device": observation.device,
        "configuration": observation.provenance.configuration.hex(),
        **write_terms(Terms(statement.mechanism, statement.unit, statement.cost_total, statement.frame_rate)),
    }
