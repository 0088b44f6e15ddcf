"""Which of the libraries below a Raspberry Pi camera can be imported."""

import json
from dataclasses import dataclass, field

from edge.doctor.system import System

SECONDS = 30.0
"""A Zero 2 takes several for these imports."""


@dataclass(frozen=True, slots=True)
class Packages:
    """By name: `version`, `missing`, `error`, `remedy` or `foreign`. failed: why nobody could look; empty otherwise."""

    found: dict[str, dict[str, str]] = field(default_factory=dict)
    failed: str = ""

    def of(self, name: str) -> dict[str, str]:
        """What was found of one; nothing where nobody could look."""
        return self.found.get(name, {})


def find_packages(system: System) -> Packages:
    """Import them in a process of their own."""
    answer = system.run((system.interpreter.executable, "-m", "edge.doctor.imports"), SECONDS)
    if answer is None:
        return Packages(failed=f"importing took longer than {SECONDS:.0f} s")
    try:
        found = json.loads(answer.text)
    except ValueError:
        return Packages(failed=f"importing ended the process with status {answer.status}")
    return Packages(found) if isinstance(found, dict) else Packages(failed="importing said nothing")
