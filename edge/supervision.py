from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from drivers.switch.base import PrivacySwitch
from edge.metrics.capture import CaptureFigures
from edge.report import Word
from wire.service.notify import Notifier
from wire.service.progress import Progress


class Says(Protocol):
    """Where capture's word about itself goes: a Reporter."""

    def say(self, word: Word) -> None:
        """The state has changed."""
        ...


@dataclass(frozen=True, slots=True)
class Supervision:
    """Who watches capture, and who may close its camera. `figures` takes some of it now and then, and never raises."""

    switch: PrivacySwitch
    progress: Progress
    notifier: Notifier
    reporter: Says
    figures: Callable[[CaptureFigures], object]
