"""Says once in each connection what Home Assistant may show, and takes it back when that is no longer wanted."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.home_assistant.discovery import discovery_payload, discovery_topic
from edge.sections import HomeAssistantSettings
from wire.events import NOT_SENT, Published
from wire.topics import Topics

log = logging.getLogger("speckled.relay")

MARK = "home-assistant-topic"
"""The file in the relay's state directory with the topic that holds our message."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the relay is told of Home Assistant. `state`: the relay's state directory; levels: their names."""

    settings: HomeAssistantSettings
    state: Path
    levels: Sequence[str] = ()


class Publisher:
    """The retained discovery message: put there while enabled, emptied once when it is not enabled any more.

    The topic where it was put is kept in a file, so that a restart with other settings knows what to empty. Nothing
    here raises, and delivery does not wait for it.
    """

    def __init__(
        self, announcement: Announcement, topics: Topics, software: str, publish: Callable[[str, bytes], int]
    ) -> None:
        """`publish` sends a retained message with QoS 1 and gives its number."""
        self._mark = announcement.state / MARK
        self._topic = discovery_topic(announcement.settings.prefix, topics.device)
        self._enabled = announcement.settings.enabled
        self._payload = discovery_payload(topics, software, announcement.levels)
        self._publish = publish
        self._removing: int | None = None
        self._announcing: int | None = None

    def connected(self) -> None:
        """A connection has begun."""
        self._removing = self._announcing = None
        left = self._read()
        if left and (not self._enabled or left != self._topic):
            self._removing = self._publish(left, b"")
        elif self._enabled:
            self._announce()

    def published(self, answer: Published) -> None:
        """The broker's answer to any publish of the relay."""
        if answer.code == NOT_SENT or answer.mid not in (self._removing, self._announcing):
            return
        if not answer.accepted:
            log.warning(
                "the broker refuses the message for Home Assistant: %s. Let this device write to %s",
                answer.reason,
                self._topic,
            )
        elif answer.mid == self._removing:
            with contextlib.suppress(OSError):
                self._mark.unlink()
            if self._enabled:
                self._announce()

    def _announce(self) -> None:
        """Marked before it is sent: a mark too many empties an empty topic, one too few leaves a ghost."""
        try:
            self._mark.write_text(self._topic, encoding="utf-8")
        except OSError as error:
            log.warning("nothing is announced to Home Assistant: %s: %s", self._mark, error.strerror)
            return
        self._announcing = self._publish(self._topic, self._payload)

    def _read(self) -> str:
        try:
            text = self._mark.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return text if text.endswith("/config") and not set(text) & set("#+\0") else ""
