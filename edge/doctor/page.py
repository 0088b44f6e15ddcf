from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from edge.doctor.finding import Finding, Status

_WIDTH = 22


def lines(finding: Finding, previous: Finding | None) -> Iterator[str]:
    """What one finding adds to the screen: a title where its group begins, and a remedy beneath what is not well."""
    if previous is None or previous.group != finding.group:
        yield finding.group
    mark = finding.status.value if finding.status is not Status.FAIL else "FAIL"
    yield f"  {mark:<4}  {finding.name:<{_WIDTH}}{finding.detail}"
    if finding.remedy:
        yield f"        {'':<{_WIDTH}}-> {finding.remedy}"


def summary(findings: Sequence[Finding]) -> str:
    """The last line."""
    counts = Counter(finding.status for finding in findings)
    words = {Status.OK: "ok", Status.WARN: "to think about", Status.FAIL: "failed", Status.SKIP: "skipped"}
    counted = ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])
    return f"{counted}. docs/doctor.md says more of each."


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """For programs."""
    keys = ("group", "name", "status", "detail", "remedy")
    return {
        "healthy": not any(finding.status is Status.FAIL for finding in findings),
        "findings": [{key: str(getattr(finding, key)) for key in keys} for finding in findings],
    }
