import logging
from collections.abc import Callable

log = logging.getLogger("speckled.relay")

QUIET = 600.0
"""Seconds for which a trouble that has been said, and goes on, is not said again."""


class Troubles:
    """Says each trouble once, and again only when it changes or has gone on for QUIET seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[str, tuple[str, float]] = {}

    def say(self, subject: str, text: str) -> None:
        """Log `text` as an error, unless it is what was said of the subject last."""
        last, at = self._said.get(subject, ("", 0.0))
        if text != last or self._clock() - at >= QUIET:
            self._said[subject] = (text, self._clock())
            log.error("%s", text)

    def over(self, subject: str) -> None:
        """The subject is in order again."""
        self._said.pop(subject, None)
