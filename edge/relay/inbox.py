import os
from queue import Empty, SimpleQueue

from wire.events import Event


class Inbox(SimpleQueue[Event]):
    """The broker's events, with a descriptor that becomes readable when one arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self, item: Event, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002 (queue's)
        """Never blocks, whatever is asked."""
        super().put(item, block, timeout)
        os.eventfd_write(self.descriptor, 1)

    def close(self) -> None:
        """Give the descriptor back, once nobody puts any more."""
        os.close(self.descriptor)

    def drain(self) -> list[Event]:
        """Everything that has arrived, in order."""
        try:
            os.eventfd_read(self.descriptor)
        except BlockingIOError:
            return []
        events: list[Event] = []
        try:
            while True:
                events.append(self.get_nowait())
        except Empty:
            return events
