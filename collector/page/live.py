"""Server-sent events (WHATWG HTML, section 9.2): one task looks at the store, and every open page hears of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypedDict

from starlette.concurrency import run_in_threadpool

from collector.errors import CollectorError
from collector.reader import Reader

TICK = 0.5
"""Seconds between two looks: a page is at most this late."""
SILENCE = 30
"""Ticks after which an idle stream carries a comment, so that proxies keep it open."""
QUEUE = 8
"""Events that wait for one slow page; the oldest gives way, since the newest says it all."""


class Progress(TypedDict):
    """How far a window has filled: `done` of `total` frames."""

    label: str
    done: int
    total: int


class Live:
    """Watches the store and gives events to streams."""

    def __init__(self, store: Path, progress: Callable[[], Sequence[Progress]] | None) -> None:
        """`progress` is called in a worker thread at each tick and must return quickly."""
        self._store = store
        self._progress = progress
        self._streams: set[asyncio.Queue[str | None]] = set()
        self._reader: Reader | None = None
        self._seen: tuple[int | None, str] = (None, "")
        self._closing = False

    @asynccontextmanager
    async def running(self, _app: object) -> AsyncIterator[None]:
        """The lifespan of the application: one tick task."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            if self._reader:
                self._reader.close()

    async def stream(self) -> AsyncIterator[str]:
        """The events of one page: `change` when the store has changed, `progress` with its JSON."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(QUEUE)
        self._streams.add(queue)
        try:
            yield "retry: 1000\n\n"
            if self._seen[1]:
                yield _event("progress", self._seen[1])
            while not self._closing and (text := await queue.get()) is not None:
                yield text
        finally:
            self._streams.discard(queue)

    def close(self) -> None:
        """End every stream; call in the event loop before its server stops."""
        self._closing = True
        self._tell(None)

    async def _run(self) -> None:
        idle = 0
        while not self._closing:
            events = await run_in_threadpool(self._look)
            for text in events:
                self._tell(text)
            idle = 0 if events else idle + 1
            if idle == SILENCE:
                self._tell(":\n\n")
                idle = 0
            await asyncio.sleep(TICK)

    def _look(self) -> list[str]:
        version, progress = self._version(), self._progress_text()
        before, self._seen = self._seen, (version, progress)
        events = [_event("progress", progress)] if progress and progress != before[1] else []
        return [*events, _event("change", str(version))] if version != before[0] else events

    def _version(self) -> int | None:
        """The store may not be there yet, or may have been moved aside: then there is nothing to tell."""
        try:
            self._reader = self._reader or Reader(self._store)
            return self._reader.version()
        except CollectorError:
            self._reader = None
            return None

    def _progress_text(self) -> str:
        return json.dumps(list(self._progress())) if self._progress else ""

    def _tell(self, text: str | None) -> None:
        for queue in self._streams:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(text)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"
