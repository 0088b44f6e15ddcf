import re
from collections.abc import Sequence
from dataclasses import dataclass

from edge.attest.exposure import LARGEST, UNITS
from edge.attest.programs import Program
from edge.attest.tree import number


@dataclass(frozen=True, slots=True)
class Running:
    """A unit that runs. families: what RestrictAddressFamilies of systemd.exec(5) allows, where it is set."""

    unit: str
    pid: int
    families: str


def exposure_of(unit: str, run: Program) -> int | None:
    """Ten times what `systemd-analyze security` says of a unit and its drop-ins; None where it says nothing.

    With --offline=yes it reads the files of the unit, and asks no running manager (systemd 250 and later).
    """
    name = unit if unit.endswith(".service") else f"{unit}.service"
    answer = run(("systemd-analyze", "security", "--offline=yes", "--no-pager", name))
    found = re.search(r"Overall exposure level for \S+: (\d+)\.(\d)\b", answer.text) if answer else None
    score = 10 * int(found[1]) + int(found[2]) if found else None
    return score if score is not None and score <= LARGEST else None


def exposures(run: Program, units: Sequence[str] = UNITS) -> dict[str, int]:
    """The exposure of each unit that is installed here."""
    scores = {unit: exposure_of(unit, run) for unit in units}
    return {unit: score for unit, score in scores.items() if score is not None}


def running(run: Program, units: Sequence[str] = UNITS) -> list[Running]:
    """Those of the units that have a main process now."""
    found = (_shown(unit, run) for unit in units)
    return [unit for unit in found if unit is not None and unit.pid > 0]


def _shown(unit: str, run: Program) -> Running | None:
    answer = run(("systemctl", "show", "-p", "MainPID", "-p", "RestrictAddressFamilies", f"{unit}.service"))
    if answer is None or answer.status != 0:
        return None
    shown = dict(line.split("=", 1) for line in answer.text.splitlines() if "=" in line)
    return Running(unit, number(shown.get("MainPID")) or 0, shown.get("RestrictAddressFamilies", ""))
