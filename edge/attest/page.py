"""What `speckled attest` found, for people and for programs."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge.attest.look import Protection
from edge.attest.machine import Swap

PROTECTIONS = {
    "locked_memory": ("memory is locked", True),
    "core_dumps": ("no core dumps", False),
    "network": ("no network", False),
    "filtered": ("system calls filtered", True),
    "privileges": ("no privileges", False),
}
"""By the name of the finding: what it is called for people, and the value that is the better one."""
SWAPS: dict[Swap, str] = {
    "none": "none",
    "memory": "compressed memory, with no disk behind it",
    "disk": "a disk, or nobody knows where",
}
HERE = "this shell"
NOT_NEEDED = {
    (unit, finding): reason
    for unit in ("speckled-relay", "speckled-collector")
    for finding, reason in (("network", "its task"), ("locked_memory", "it holds no frames"))
}
"""What a unit does without, and why."""
LOOKED_AT = "speckled-capture"


@dataclass(frozen=True, slots=True)
class Subject:
    """One process. pid 0 is the one that asks; protection is None where only root may look."""

    name: str
    pid: int
    protection: Protection | None


@dataclass(frozen=True, slots=True)
class Page:
    """All of it. configuration: its hash, or None with `why` there is none."""

    code: bytes
    configuration: bytes | None
    why: str
    swap: Swap
    read_only_root: bool
    exposure: Mapping[str, int]
    subjects: tuple[Subject, ...]

    def text(self) -> str:
        """One screen for people."""
        return "\n".join(self._lines()) + "\n"

    def document(self) -> dict[str, Any]:
        """For programs: the names of wire.schema.Attestation, hashes in hexadecimal."""
        return {
            "code": self.code.hex(),
            "configuration": self.configuration.hex() if self.configuration else None,
            "swap": self.swap,
            "read_only_root": self.read_only_root,
            "exposure": dict(self.exposure),
            "processes": [
                {"name": each.name, "pid": each.pid or None, **(asdict(each.protection) if each.protection else {})}
                for each in self.subjects
            ],
        }

    def _lines(self) -> Iterator[str]:
        yield row("code", self.code.hex())
        yield row("configuration", self.configuration.hex() if self.configuration else f"unknown: {self.why}")
        yield row("swap goes to", SWAPS[self.swap])
        yield row("root file system", "read-only" if self.read_only_root else "writable")
        yield from exposure_rows(self.exposure)
        if not self.exposure:
            yield row("units", "none installed, or systemd-analyze is missing")
        for subject in self.subjects:
            yield ""
            yield f"{subject.name}, process {subject.pid}" if subject.pid else f"{subject.name}: a process started here"
            if subject.protection is None:
                yield "  only root may look inside: sudo speckled attest"
            else:
                yield from protection_lines(subject.name, subject.protection)


def row(name: str, value: str) -> str:
    """A name in a column, and its value."""
    return f"{name:<18}  {value}"


def exposure_rows(exposure: Mapping[str, int]) -> Iterator[str]:
    """One line for each unit, with its exposure as systemd-analyze writes it."""
    for unit, tenths in sorted(exposure.items()):
        yield row(f"{unit.removeprefix('speckled-')} unit", f"exposure {tenths // 10}.{tenths % 10} of 10")


def protection_lines(name: str, protection: Protection) -> Iterator[str]:
    """One line for each protection: whether it is there."""
    for finding, (title, better) in PROTECTIONS.items():
        there = getattr(protection, finding) is better
        reason = NOT_NEEDED.get((name, finding))
        yield f"  {title:<22}  {'yes' if there else f'no ({reason})' if reason else 'NO'}"
