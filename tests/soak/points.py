"""The named places between a frame and its acknowledgement at which a process can be killed.

The product knows nothing of them: they are put around its functions in the forked process. A name that no longer
exists fails tests/soak/test_soak_points.py.
"""

import functools
import importlib
import inspect
import os
import signal
import sqlite3
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from soak.control import Control

COMMIT = "COMMIT"


@dataclass(frozen=True, slots=True)
class Point:
    """One place. target: `module:Class.function`; sql: a statement inside of it, instead of its own begin and end.

    often: passed with each frame or turn of a loop, so that the n-th passing is drawn from a wider range.
    """

    name: str
    process: str
    when: Literal["before", "after"]
    target: str
    sql: str = ""
    often: bool = False


POINTS = (
    Point("noise to be drawn", "capture", "before", "edge.privacy.noise:Noise.draw"),
    Point("noise drawn", "capture", "after", "edge.privacy.noise:Noise.draw"),
    Point("charge asked for", "capture", "before", "edge.privacy.ledger:Ledger.charge"),
    Point("ledger entry to be written", "capture", "before", "edge.privacy.ledger:write_all"),
    Point("ledger entry written, not synced", "capture", "after", "edge.privacy.ledger:write_all"),
    Point("ledger entry synced, not marked", "capture", "before", "edge.privacy.head:HeadFile.write"),
    Point("mark written, not synced", "capture", "before", "os:fdatasync"),
    Point("mark synced", "capture", "after", "edge.privacy.head:HeadFile.write"),
    Point("charged", "capture", "after", "edge.privacy.ledger:Ledger.charge"),
    Point("frame to be taken", "capture", "before", "edge.frame:Frame.fill", often=True),
    Point("frame taken", "capture", "after", "edge.frame:Frame.fill", often=True),
    Point("frame added", "capture", "after", "edge.privacy.window:Window.add", often=True),
    Point("window to be closed", "capture", "before", "edge.privacy.window:Window.close"),
    Point("window closed", "capture", "after", "edge.privacy.window:Window.close"),
    Point("described", "capture", "after", "edge.capture:Capture._observe"),
    Point("signed", "capture", "after", "edge.capture:sign"),
    Point("to be spooled", "capture", "before", "edge.spool:Spool.write"),
    Point("spooled, its name not synced", "capture", "before", "edge.spool:sync_directory"),
    Point("spooled", "capture", "after", "edge.spool:Spool.write"),
    Point("handed to the courier", "capture", "after", "edge.courier:Courier.hand_over"),
    Point("release to be kept", "capture", "before", "edge.releases:ReleaseStore.add"),
    Point("release kept", "capture", "after", "edge.releases:ReleaseStore.add"),
    Point("to be sent to the relay", "capture", "before", "edge.history:CollectorHistory.send"),
    Point("accepted by the relay", "capture", "after", "edge.history:CollectorHistory.send"),
    Point("spooled file to be deleted", "capture", "before", "edge.spool:Spool.delivered"),
    Point("spooled file deleted", "capture", "after", "edge.spool:Spool.delivered"),
    Point("datagram received", "relay", "before", "edge.relay.service:Relay._take"),
    Point("admitted by the guard", "relay", "after", "edge.relay.guard:Guard.admit"),
    Point("outbox row to be written", "relay", "before", "edge.relay.outbox:Outbox.put"),
    Point("outbox row written, not committed", "relay", "before", "edge.relay.outbox:Outbox.put", COMMIT),
    Point("outbox row committed", "relay", "after", "edge.relay.outbox:Outbox.put", COMMIT),
    Point("to be answered", "relay", "after", "edge.relay.service:Relay._take"),
    Point("answered", "relay", "after", "edge.relay.link:Listener._hear"),
    Point("to be published", "relay", "after", "edge.relay.outbox:Outbox.envelope"),
    Point("published, not noted", "relay", "before", "edge.relay.deliver:Delivery.sent"),
    Point("published", "relay", "after", "edge.relay.deliver:Delivery.sent"),
    Point("PUBACK received", "relay", "before", "edge.relay.deliver:Delivery.published"),
    Point("PUBACK noted", "relay", "after", "edge.relay.deliver:Delivery.published"),
    Point("message received", "collector", "before", "collector.ingest:Ingest.take"),
    Point("message checked", "collector", "after", "collector.ingest:check"),
    Point("row added, not committed", "collector", "after", "collector.store:Store.add"),
    Point("row to be committed", "collector", "before", "collector.store:Store.commit", COMMIT),
    Point("row committed", "collector", "after", "collector.store:Store.commit", COMMIT),
    Point("acknowledgement signed", "collector", "after", "collector.ingest:sign"),
    Point("PUBACK to be sent", "collector", "before", "wire.broker:Broker.acknowledge"),
    Point("PUBACK sent", "collector", "after", "wire.broker:Broker.acknowledge"),
    Point("acknowledgement to be published", "collector", "before", "wire.broker:Broker.publish"),
    Point("acknowledgement published", "collector", "after", "wire.broker:Broker.publish"),
    Point("acknowledgement received", "relay", "before", "edge.relay.deliver:Delivery.acknowledge"),
    Point("outbox row deleted, not committed", "relay", "before", "edge.relay.outbox:Outbox.acknowledged", COMMIT),
    Point("deletion committed", "relay", "after", "edge.relay.outbox:Outbox.acknowledged", COMMIT),
    Point("acknowledgement noted", "relay", "after", "edge.relay.deliver:Delivery.acknowledge"),
)


def owner(target: str) -> tuple[Any, str]:
    """The object that has the function of this name, and the function's own name. Raises LookupError."""
    module, _, path = target.partition(":")
    *outer, name = path.split(".")
    found: Any = importlib.import_module(module)
    for part in outer:
        found = getattr(found, part, None)
    if found is None or not callable(getattr(found, name, None)):
        raise LookupError(f"{target} is not there any more: name what took its place in tests/soak/points.py")
    return found, name


def wrap(target: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put `make(original)` in the place of a function, of whichever kind it is."""
    place, name = owner(target)
    raw = inspect.getattr_static(place, name)
    if isinstance(raw, classmethod | staticmethod):
        setattr(place, name, type(raw)(make(raw.__func__)))
    else:
        setattr(place, name, make(raw))


def replace_everywhere(old: object, new: object) -> None:
    """Under whatever name and in whichever module that has been imported it is known."""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is old:
                setattr(module, name, new)


def install(process: str, control: Control) -> None:
    """Put every point of this process in place. Called in the forked process, before the product runs."""

    def passed(number: int) -> None:
        if control.armed != number:
            return
        control.left -= 1
        if control.left <= 0:
            control.fired = number
            os.kill(os.getpid(), signal.SIGKILL)

    around: dict[str, dict[str, list[Callable[[], None]]]] = defaultdict(lambda: {"before": [], "after": []})
    statements: dict[tuple[str, str], dict[str, list[Callable[[], None]]]] = defaultdict(
        lambda: {"before": [], "after": []}
    )
    for number, point in enumerate(POINTS, 1):
        if point.process == process:
            hooks = statements[point.target, point.sql] if point.sql else around[point.target]
            hooks[point.when].append(functools.partial(passed, number))
    inside = threading.local()
    for target in {*around, *(target for target, _ in statements)}:
        wrap(target, functools.partial(_hooked, around[target], target, inside))
    if statements:
        _follow_sql(statements, inside)


def _hooked(
    hooks: dict[str, list[Callable[[], None]]], target: str, inside: threading.local, function: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(function)
    def hooked(*arguments: Any, **named: Any) -> Any:
        for hook in hooks["before"]:
            hook()
        outer, inside.name = getattr(inside, "name", ""), target
        try:
            result = function(*arguments, **named)
        finally:
            inside.name = outer
        for hook in hooks["after"]:
            hook()
        return result

    return hooked


def _follow_sql(
    statements: dict[tuple[str, str], dict[str, list[Callable[[], None]]]], inside: threading.local
) -> None:
    nothing: dict[str, list[Callable[[], None]]] = {"before": [], "after": []}

    class Followed(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            hooks = statements.get((getattr(inside, "name", ""), sql.strip().upper()), nothing)
            for hook in hooks["before"]:
                hook()
            cursor = super().execute(sql, *arguments)
            for hook in hooks["after"]:
                hook()
            return cursor

    connect = sqlite3.connect

    @functools.wraps(connect)
    def followed(*arguments: Any, **named: Any) -> sqlite3.Connection:
        return connect(*arguments, **{"factory": Followed, **named})

    sqlite3.connect = followed
