"""The table at the end of a run."""

from typing import Any

from soak.faults import KINDS
from soak.points import POINTS


def show(tally: Any, seconds: float) -> str:
    """Fault by fault and point by point, and what became of the observations."""
    lines = ["", f"{'fault':<34}{'times':>8}", "-" * 42]
    lines += [f"{kind.name:<34}{tally.faults[kind.name]:>8}" for kind in KINDS]
    lines += ["-" * 42, f"{'all':<34}{tally.faults.total():>8}", ""]
    lines += [f"{'killed at the point':<48}{'in':<10}{'times':>6}", "-" * 64]
    lines += [f"{point.name:<48}{point.process:<10}{tally.points[point.name]:>6}" for point in POINTS]
    lines += ["-" * 64, ""]
    restarts = ", ".join(f"{name} {tally.restarts[name]}" for name in ("capture", "relay", "collector"))
    totals = tally.totals
    observations = f"observations committed {totals['committed']} = stored exactly once {totals['stored']}"
    observations += f" + lost with a file that was damaged or put back {totals['destroyed']}"
    lines += [
        f"{tally.lives} lives, {seconds / 60:.1f} minutes, {tally.cpu / 60:.1f} minutes of processor time",
        f"restarts: {restarts}",
        f"windows charged {totals['charged']} ≥ released {totals['released']} ≥ signed {totals['signed']}",
        f"on capture's disk {totals['spooled']} of these; lost there with a ledger put back {totals['put back']}",
        observations,
        f"violations {len(tally.violations)}",
    ]
    return "\n".join(lines)
