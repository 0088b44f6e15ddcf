"""Defects that are put into the product to see whether the account finds them."""

import functools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import collector.acknowledge
import edge.errors
import edge.privacy.ledger
from soak.points import wrap
from wire.exit import Exit


def relay_frees_on_puback() -> None:
    """The broker's word is taken for the collector's."""

    def published(original: Callable[..., Any], delivery: Any, answer: Any) -> Any:
        row = delivery._in_flight.get(answer.mid)
        result = original(delivery, answer)
        if row in delivery._rows and answer.accepted:
            delivery._outbox._database.execute("DELETE FROM observation WHERE id = ?", (row,))
            delivery._rows.pop(row)
            delivery._awaited -= 1
        return result

    _replace("edge.relay.deliver:Delivery.published", published)


def relay_accepts_without_keeping() -> None:
    """One in five observations is answered with yes, and is not in the outbox."""
    count = 0

    def put(original: Callable[..., Any], outbox: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        return None if count % 5 == 0 else original(outbox, *arguments, **named)

    _replace("edge.relay.outbox:Outbox.put", put)


def relay_forgets_when_it_starts() -> None:
    """What waits is thrown away by the next relay."""

    def begin(original: Callable[..., Any], outbox: Any, *arguments: Any, **named: Any) -> None:
        original(outbox, *arguments, **named)
        outbox._database.execute("DELETE FROM observation")

    _replace("edge.relay.outbox:Outbox.__init__", begin)


def collector_acknowledges_before_it_commits() -> None:
    """Two of three batches are acknowledged while their transaction is open."""
    count = 0

    def commit(original: Callable[..., Any], store: Any) -> None:
        nonlocal count
        count += 1
        if count % 3 == 0:
            original(store)
            return
        for ledger, position in store._added:
            if ledger in store._intervals:
                store._intervals[ledger].add(position)
        store._added.clear()

    def stored(_: Callable[..., Any], store: Any, device: str, epoch: bytes) -> Any:
        ledger = (device, epoch)
        if ledger not in store._intervals:
            store._intervals[ledger] = collector.acknowledge.Intervals(store._read_ranges(ledger))
        return store._intervals[ledger]

    _replace("collector.store:Store.commit", commit)
    _replace("collector.store:Store.stored", stored)


def collector_loses_a_row() -> None:
    """With every tenth commit an older observation disappears."""
    count = 0

    def commit(original: Callable[..., Any], store: Any) -> None:
        nonlocal count
        count += 1
        if count % 10 == 0:
            store._begin()
            store._database.execute("DELETE FROM observation WHERE id = (SELECT min(id) FROM observation)")
        original(store)

    _replace("collector.store:Store.commit", commit)


def ledger_is_written_late() -> None:
    """An entry reaches the file when the next one is made: windows open on charges that a crash forgets."""
    held: list[bytes] = []

    def late(original: Callable[..., Any], fd: int, data: bytes) -> None:
        held.append(data)
        if len(held) > 1:
            original(fd, held.pop(0))

    _replace("edge.privacy.ledger:write_all", late)


def ledger_forgets_its_last_entry() -> None:
    """A start takes the newest charge away, and its position is used again."""

    def begin(original: Callable[..., Any], ledger: Any, path: Path, **named: Any) -> None:
        if path.exists() and len(lines := path.read_bytes().splitlines(keepends=True)) > 2:
            with suppress(OSError):  # on a full disk it cannot even do that
                path.write_bytes(b"".join(lines[:-1]))
        original(ledger, path, **named)

    believing = edge.privacy.ledger.open_head
    edge.privacy.ledger.open_head = lambda path, hashes, *, believe: believing(path, hashes, believe=False)
    _replace("edge.privacy.ledger:Ledger.__init__", begin)


def capture_ends_with_an_undocumented_status() -> None:
    """A clock that was set back ends capture with status 1."""
    edge.privacy.ledger.ClockBehind.exit = Exit.FAILED
    edge.errors.CameraUnavailable.exit = Exit.FAILED


def _replace(target: str, instead: Callable[..., Any]) -> None:
    """`instead` takes the original before its arguments."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def planted(*arguments: Any, **named: Any) -> Any:
            return instead(original, *arguments, **named)

        return planted

    wrap(target, make)


PLANTS: dict[str, tuple[str, Callable[[], None]]] = {
    "relay-frees-on-puback": ("relay", relay_frees_on_puback),
    "relay-accepts-without-keeping": ("relay", relay_accepts_without_keeping),
    "relay-forgets-when-it-starts": ("relay", relay_forgets_when_it_starts),
    "collector-acknowledges-before-it-commits": ("collector", collector_acknowledges_before_it_commits),
    "collector-loses-a-row": ("collector", collector_loses_a_row),
    "ledger-is-written-late": ("capture", ledger_is_written_late),
    "ledger-forgets-its-last-entry": ("capture", ledger_forgets_its_last_entry),
    "undocumented-status": ("capture", capture_ends_with_an_undocumented_status),
}
"""By name: the process that has the defect, and what puts it there."""
