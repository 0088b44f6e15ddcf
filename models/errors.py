from enum import StrEnum


class ModelReason(StrEnum):
    """Why a model is not used."""

    MISSING = "missing"
    TRUNCATED = "of-another-size"
    ALTERED = "altered"
    MANIFEST = "manifest-not-usable"
    RUNTIME = "not-runnable"


class ModelRefused(Exception):
    """A model that is not exactly the one that was asked for, or that does not run.

    name: of the model. expected, found: SHA-256 in hex, None where one of them is not known. remedy: one sentence.
    """

    def __init__(
        self,
        reason: ModelReason,
        name: str,
        what: str,
        remedy: str,
        *,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        super().__init__(f"model {name}: {what}")
        self.reason = reason
        self.name = name
        self.remedy = remedy
        self.expected = expected
        self.found = found
