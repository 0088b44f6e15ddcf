"""What `speckled verify` found, for people and for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wire.schema import Observation
from wire.verify import UNKNOWABLE, Checked, Finding, Verdict, labels, plain


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """messages: file names and what was found, in the order given. together: of all messages. ledger: (name, found)."""

    messages: tuple[tuple[str, Checked], ...]
    together: tuple[Finding, ...]
    ledger: tuple[str, tuple[Finding, ...]] | None

    @property
    def findings(self) -> list[Finding]:
        """All of them."""
        found = [finding for _, checked in self.messages for finding in checked.findings]
        return [*found, *self.together, *(self.ledger[1] if self.ledger else ())]

    @property
    def holds(self) -> bool:
        """Whether no check fails."""
        return not self._count(Verdict.FAILS)

    @property
    def verdict(self) -> str:
        """The last line: what it comes to."""
        words = {Verdict.HOLDS: "held", Verdict.FAILS: "failed", Verdict.OPEN: "could not be made"}
        counts = ((self._count(verdict), word) for verdict, word in words.items())
        counted = ", ".join(f"{number} {word}" for number, word in counts if number)
        labelled = "".join(f" [{word}]" for word in sorted({label.partition(":")[0] for label in self._labels}))
        return f"{'verified' if self.holds else 'NOT VERIFIED'}{labelled}: of the checks, {counted}"

    def text(self) -> str:
        """For people: one line for each check."""
        return "\n".join(self._lines()) + "\n"

    def document(self) -> dict[str, Any]:
        """For programs: the same, and exact rationals as n/d."""
        return {
            "verified": self.holds,
            "messages": [{"file": plain(name), **_message(checked)} for name, checked in self.messages],
            "together": [_plain(finding) for finding in self.together],
            "ledger": [_plain(finding) for finding in self.ledger[1]] if self.ledger else None,
            "not_checked": list(UNKNOWABLE),
        }

    @property
    def _labels(self) -> list[str]:
        read = [checked.observation for _, checked in self.messages if checked.observation]
        return [label for observation in read for label in labels(observation)]

    def _count(self, verdict: Verdict) -> int:
        return sum(finding.verdict is verdict for finding in self.findings)

    def _lines(self) -> Iterator[str]:
        for name, checked in self.messages:
            yield plain(name) + (_title(checked.observation) if checked.observation else "")
            if checked.observation:
                yield from (f"  {label}" for label in labels(checked.observation))
            yield from map(_line, checked.findings)
        if self.together:
            yield "together"
            yield from map(_line, self.together)
        if self.ledger:
            yield plain(self.ledger[0])
            yield from map(_line, self.ledger[1])
        yield "not to be known from this"
        yield from (f"  {each}" for each in UNKNOWABLE)
        yield self.verdict


def _title(observation: Observation) -> str:
    provenance, entropy = observation.provenance, observation.statement.entropy
    source = f"{entropy.source} ({entropy.describe()})"
    return plain(
        f": {observation.device}, level {observation.level}, position {observation.receipt.position}; "
        f"says to be {provenance.software} with camera {provenance.camera} and noise of {source}"
    )


def _line(finding: Finding) -> str:
    return f"  {finding.verdict:<5}  {finding.name:<9}  {plain(finding.text)}"


def _plain(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "verdict": finding.verdict.lower(), "text": plain(finding.text)}


def _message(checked: Checked) -> dict[str, Any]:
    document: dict[str, Any] = {"checks": [_plain(finding) for finding in checked.findings]}
    observation = checked.observation
    if observation is None:
        return document
    statement = observation.statement
    return {
        "device": observation.device,
        "level": plain(observation.level),
        "position": observation.receipt.position,
        "unit": statement.unit.describe(),
        "epsilon": str(statement.epsilon),
        "delta": str(statement.delta),
        "simulated": statement.simulated,
        "computational": statement.entropy.computational,
        **document,
    }
