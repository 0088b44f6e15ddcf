"""A ledger for people, and as one JSON document."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from edge.ledger.record import Record
from edge.privacy.chain import ratio
from edge.privacy.examine import EpochSum
from wire import loss


def text(record: Record) -> str:
    """One paragraph for each epoch, and what the file's end is."""
    lines = [f"{record.path}: {len(record.entries)} entries in {len(record.epochs)} epochs"]
    for epoch in record.epochs:
        lines += ["", *_epoch(epoch)]
    lines += ["", verdict(record)]
    return "\n".join(lines) + "\n"


def verdict(record: Record) -> str:
    """What was checked, in one or two sentences."""
    charges = sum(sum(epoch.charges.values()) for epoch in record.epochs)
    said = f"the chain is whole: {len(record.entries)} entries, {charges} charges, the last hash {record.hash.hex()}; "
    said += "in no epoch does a frame cost more than its maximum"
    if record.mark is None:
        said += "; there is no file of marks beside it, so a tail that was cut off would not show"
    else:
        said += f"; the marks beside it have got to position {record.mark.position}"
    if record.left_out:
        said += f"; {record.left_out} bytes after the last entry are of a line that broke off, or is being written"
    return said


def document(record: Record) -> dict[str, Any]:
    """What --json prints. Exact numbers are strings such as "1/614400", times Unix ms."""
    return {
        "path": str(record.path),
        "entries": len(record.entries),
        "hash": record.hash.hex(),
        "left_out": record.left_out,
        "marked": record.mark.position if record.mark else None,
        "epochs": [
            {
                "epoch": epoch.name,
                "device": epoch.device,
                "noise": epoch.terms.noise,
                "unit": {
                    "visits": epoch.terms.unit.visits,
                    "seconds": epoch.terms.unit.seconds,
                    "frames": epoch.terms.unit.frames,
                    "pixels": epoch.terms.unit.pixels,
                },
                "cost_max": ratio(epoch.terms.cost_max),
                "cost": ratio(epoch.cost),
                "frame_rate": ratio(epoch.terms.frame_rate),
                "first": epoch.first,
                "last": epoch.last,
                "charges": epoch.charges,
                "frames": list(epoch.frames),
                "begun": epoch.begun,
                "newest": epoch.newest,
            }
            for epoch in record.epochs
        ],
    }


def _epoch(epoch: EpochSum) -> Iterator[str]:
    unit, cost_max = epoch.terms.unit, epoch.terms.cost_max
    yield f"epoch {epoch.name} of {epoch.device}, positions {epoch.first} to {epoch.last}"
    if epoch.terms.noise == "discrete-laplace":
        promise = f"ε = {float(loss.epsilon('discrete-laplace', cost_max, unit, cost_max)):.6g}"
    else:
        promise = f"ρ = {float(loss.zcdp(cost_max, unit)):.6g} (zCDP)"
    yield f"  promises {promise} for {unit.describe()}, at most {epoch.terms.frame_rate} frames a second"
    yield f"  begun {_moment(epoch.begun)}, newest entry {_moment(epoch.newest)}"
    charged = ", ".join(f"{level} {count}" for level, count in sorted(epoch.charges.items()))
    yield f"  charges: {charged or 'none'}; frames {epoch.frames[0]} to {epoch.frames[1] - 1} are spoken for"
    share = float(epoch.cost / cost_max) if cost_max else 0.0
    yield f"  the costliest frame cost {ratio(epoch.cost)} of at most {ratio(cost_max)} ({share:.2%})"


def _moment(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{milliseconds} ms"
