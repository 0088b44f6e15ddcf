from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What a check came to. WARN: it works, with less than it should have. SKIP: there was nothing to look at."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found, in one line, and in one sentence what to do about it."""

    status: Status
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome with the name of its check, and the subject that it belongs to."""

    group: str
    name: str
    status: Status
    detail: str
    remedy: str = ""


def ok(detail: str) -> Outcome:
    """All is well."""
    return Outcome(Status.OK, detail)


def warn(detail: str, remedy: str) -> Outcome:
    """It works, with less than it should have."""
    return Outcome(Status.WARN, detail, remedy)


def fail(detail: str, remedy: str) -> Outcome:
    """The device cannot do its work so, or not safely."""
    return Outcome(Status.FAIL, detail, remedy)


def skip(why: str) -> Outcome:
    """There was nothing to look at, or looking would disturb."""
    return Outcome(Status.SKIP, why)
