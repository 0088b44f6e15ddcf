import logging
from collections.abc import Callable

QUIET = 600.0
"""Seconds for which a trouble that has been said, and goes on, is not said again."""
TEXTS = 16
"""What is said of one subject, at most, until it is in order again: a hostile broker must not fill the log."""


class Troubles:
    """Says each trouble once, and again only when it has gone on for QUIET seconds."""

    def __init__(self, clock: Callable[[], float], log: str = "speckled.relay") -> None:
        """`clock`: seconds that only grow. log: the name under which it is said."""
        self._clock = clock
        self._log = logging.getLogger(log)
        self._said: dict[str, dict[str, float]] = {}

    def say(self, subject: str, text: str) -> None:
        """Log `text` as an error, unless it was said of the subject a short while ago."""
        now, said = self._clock(), self._said.setdefault(subject, {})
        known = text in said
        if (known and now - said[text] < QUIET) or (not known and len(said) >= TEXTS):
            return
        said[text] = now
        self._log.error("%s", text)

    def over(self, subject: str) -> None:
        """The subject is in order again."""
        self._said.pop(subject, None)
