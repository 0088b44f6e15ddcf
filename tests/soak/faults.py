"""The kinds of fault, each as something that is done to one life and is explained to it."""

import contextlib
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass

from collector.errors import Reason
from soak.child import CAMERA_FAULTS, CHIP_FAULTS
from soak.copies import (
    DEVICE,
    old_ledger,
    old_outbox,
    old_store,
    power_cut_of_the_collector,
    power_cut_of_the_device,
    spoil_the_outbox,
)
from soak.life import Life
from soak.points import POINTS
from soak.proxy import BLACKHOLE, CORRUPT, CUT, DELAY, REFUSE, THROUGH
from soak.site import NAMES
from wire.errors import WireReason
from wire.exit import Exit

HOUR_MS = 3_600_000
LETTERS_OF_GARBAGE = {*WireReason, Reason.UNKNOWN_DEVICE, Reason.OTHER_DEVICE}
"""What the collector may say of bytes that the network altered."""
POINT_PATIENCE = 3.0
EXIT_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind; its name stands in the table.

    weight: how often it is chosen. run: does it, and says whether it took place. gentle: no file is lost or put back.
    """

    name: str
    weight: int
    run: Callable[[Life], bool]
    gentle: bool = True


def at_a_point(life: Life) -> bool:
    """kill -9 at the n-th passing of a named point."""
    number = life.pick.randrange(len(POINTS)) + 1
    return at_this_point(life, number, life.pick.randint(1, 12 if POINTS[number - 1].often else 3))


def at_this_point(life: Life, number: int, passing: int) -> bool:
    point = POINTS[number - 1]
    process = life.site.processes[point.process]
    life.until(lambda: process.pid is not None and not process.own.fired, f"{point.process} did not start")
    life.last_point = point.name
    life.note(f"{point.process} is to die at passing {passing} of: {point.name}")
    process.own.left = passing
    process.own.armed = number
    reached = life.waits_for(lambda: process.own.fired == number, POINT_PATIENCE)
    process.own.armed = 0
    return reached or process.own.fired == number


def _kill(name: str) -> Callable[[Life], bool]:
    def run(life: Life) -> bool:
        life.wait(life.pick.uniform(0, 0.15))
        life.note(f"kill -9 {name}")
        life.kill(name)
        return True

    return run


def kill_the_device(life: Life) -> bool:
    """Both of its processes at once."""
    life.note("kill -9 capture and relay")
    for name in DEVICE:
        life.site.send(name, signal.SIGSTOP)
    for name in DEVICE:
        life.kill(name)
    return True


def restart(life: Life) -> bool:
    """SIGTERM, and the promised end."""
    name = life.pick.choice(NAMES)
    process = life.site.processes[name]
    life.until(lambda: process.pid is not None, f"{name} did not start")
    life.note(f"SIGTERM {name}")
    life.allow(name, Exit.OK, -signal.SIGTERM)  # the signal itself, where it comes before its handler is in place
    life.site.send(name, signal.SIGTERM)
    life.until(lambda: process.pid is None or Exit.OK not in process.allowed, f"{name} did not end after SIGTERM")
    return True


def pause(life: Life) -> bool:
    """SIGSTOP for a while."""
    name = life.pick.choice(NAMES)
    process = life.site.processes[name]
    pid = process.pid
    if pid is None:
        return False
    life.note(f"SIGSTOP {name}")
    process.stopped = True
    life.site.send(name, signal.SIGSTOP)
    life.wait(life.pick.choice((0.05, 0.2, 0.6, 1.2)))
    if process.pid == pid:
        life.site.send(name, signal.SIGCONT)
    process.stopped = False
    return True


def kill_the_broker(life: Life) -> bool:
    """The broker forgets sessions, retained messages and queues."""
    life.note("kill -9 broker; it forgets everything")
    life.site.broker.kill()
    life.wait(life.pick.choice((0, 0.02, 0.3, 0.8)))
    life.site.broker.start()
    return True


def _network(how: int, name: str) -> Callable[[Life], bool]:
    def run(life: Life) -> bool:
        life.note(f"network: {name}")
        if how == CORRUPT:  # what the collector says of garbage, and what the relay counts then
            life.books.explained |= LETTERS_OF_GARBAGE | {"forked"}
        life.site.network.turn(how)
        life.wait(life.pick.choice((0.05, 0.2, 0.6)))
        if how == BLACKHOLE and life.pick.random() < 0.1:
            life.wait(8.0)  # longer than the keepalive
        if how == CORRUPT:  # the rest of a stream of which bytes were altered is worth nothing
            life.site.network.turn(CUT)
            life.wait(0.02)
        life.site.network.turn(THROUGH)
        return True

    return run


def fill_the_disk(life: Life) -> bool:
    """No byte can be written to the device's or the collector's file system for a while."""
    if not life.site.disks:
        return False
    which = life.pick.randrange(2)
    names = DEVICE if which == 0 else ("collector",)
    life.note(f"disk of {' and '.join(names)} full")
    for name in names:
        life.standing[name].add(Exit.IO)
        life.allow(name, Exit.IO)
    life.site.disks[which].fill(life.pick.choice((0, 0, 4096, 16384, 65536)))
    life.wait(life.pick.choice((0.1, 0.4, 1.0)))
    life.site.disks[which].empty()
    for name in names:
        life.standing[name].discard(Exit.IO)
    return True


def refuse_writes(life: Life) -> bool:
    """The kernel refuses what would make a file longer than a limit (RLIMIT_FSIZE), to one process."""
    name = life.pick.choice(NAMES)
    process = life.site.processes[name]
    pid = process.pid
    if pid is None:
        return False
    limit = life.pick.choice((0, 0, 4096, 65536))
    life.note(f"{name} may not write beyond {limit} bytes")
    life.allow(name, Exit.IO)
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        life.wait(life.pick.choice((0.05, 0.3, 0.8)))
        if process.pid == pid:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


def clock_forward(life: Life) -> bool:
    """The wall clock jumps ahead, and stays there."""
    by = life.pick.choice((1_000, 60_000, HOUR_MS, 24 * HOUR_MS))
    life.note(f"clock {by} ms ahead")
    life.site.world.clock_ms += by
    life.newest_clock = max(life.newest_clock, life.site.world.clock_ms)
    return True


def clock_back(life: Life) -> bool:
    """The wall clock jumps back: a little is borne, more stops all charges until somebody sets it."""
    by = life.pick.choice((500, 4_000, 60_000, HOUR_MS))
    life.newest_clock = max(life.newest_clock, life.site.world.clock_ms)
    process = life.site.processes["capture"]
    charged = _entries(life)
    life.until(lambda: _entries(life) > charged + 1, "nothing was charged")  # the ledger has seen this clock
    life.until(lambda: process.pid is not None, "capture did not start")
    life.note(f"clock {by} ms back")
    life.standing["capture"].add(Exit.RETRY)
    life.allow("capture", Exit.RETRY)
    before = process.starts
    life.site.world.clock_ms -= by
    if by > 5_000:
        life.until(
            lambda: process.starts > before or process.pid is None, "capture went on charging with its clock set back"
        )
    else:
        life.wait(0.3)
    life.until(lambda: process.pid is not None, "capture did not start")
    life.site.world.clock_ms = max(life.newest_clock, life.site.world.clock_ms)
    life.standing["capture"].discard(Exit.RETRY)
    return True


def _entries(life: Life) -> int:
    return life.books.ledger.read_bytes().count(b"\n")


def switch_off(life: Life) -> bool:
    """A person closes the camera, and opens it again."""
    life.note("privacy switch off")
    file = life.site.device / "camera-off"
    file.touch()
    life.wait(life.pick.choice((0.05, 0.4, 1.0)))
    file.unlink(missing_ok=True)
    return True


def break_the_camera(life: Life) -> bool:
    """Unplugged, hanging, its requests cancelled, changed by itself: for a moment, or until capture gives up."""
    number = life.pick.randrange(len(CAMERA_FAULTS)) + 1
    process = life.site.processes["capture"]
    life.note(f"camera: {CAMERA_FAULTS[number - 1].value}")
    life.standing["capture"].add(Exit.NO_CAMERA)
    life.allow("capture", Exit.NO_CAMERA)
    life.site.world.camera = number
    if life.pick.random() < 0.5:
        life.wait(life.pick.uniform(0.02, 0.4))
    else:
        before = process.starts
        life.waits_for(lambda: process.starts > before or not life.site.world.camera, EXIT_PATIENCE)
    life.site.world.camera = 0
    life.standing["capture"].discard(Exit.NO_CAMERA)
    return True


def break_the_chip(life: Life) -> bool:
    """One fault of the entropy source; the device is repaired, and the latch cleared, when capture has given up."""
    number = life.pick.randrange(len(CHIP_FAULTS))
    process = life.site.processes["capture"]
    life.until(lambda: process.pid is not None, "capture did not start")
    life.note(f"entropy source: {CHIP_FAULTS[number]}")
    life.allow("capture", Exit.NO_ENTROPY)
    life.broken_chip = True  # killed after it has written the latch, capture ends with that at its next start
    before = process.starts
    life.site.world.chip = number
    life.site.world.chips += 1
    life.waits_for(lambda: process.pid is None or process.starts > before, life.pick.choice((0.3, 1.5)))
    return True


KINDS = (
    Kind("kill -9 at a named point", 45, at_a_point),
    Kind("kill -9 of capture", 6, _kill("capture")),
    Kind("kill -9 of the relay", 6, _kill("relay")),
    Kind("kill -9 of the collector", 6, _kill("collector")),
    Kind("kill -9 of capture and relay", 3, kill_the_device),
    Kind("restart (SIGTERM)", 4, restart),
    Kind("pause (SIGSTOP)", 4, pause),
    Kind("broker killed, session lost", 5, kill_the_broker),
    Kind("network cut", 3, _network(CUT, "cut")),
    Kind("network refuses", 2, _network(REFUSE, "refuses")),
    Kind("network late", 1, _network(DELAY, "late")),
    Kind("network swallows all", 3, _network(BLACKHOLE, "swallows all")),
    Kind("privacy switch off and on", 2, switch_off),
    Kind("network alters bytes", 3, _network(CORRUPT, "alters bytes")),
    Kind("disk full", 4, fill_the_disk),
    Kind("writes refused", 4, refuse_writes),
    Kind("clock ahead", 3, clock_forward),
    Kind("clock back", 3, clock_back),
    Kind("camera", 4, break_the_camera),
    Kind("entropy source", 4, break_the_chip),
    Kind("power cut of the device", 5, power_cut_of_the_device),
    Kind("power cut of the collector", 3, power_cut_of_the_collector),
    Kind("outbox put back", 2, old_outbox, gentle=False),
    Kind("store put back", 2, old_store, gentle=False),
    Kind("ledger put back", 1, old_ledger, gentle=False),
    Kind("outbox damaged", 2, spoil_the_outbox, gentle=False),
)


def one(life: Life) -> Kind | None:
    """Choose a fault and do it; None where it did not come about."""
    kinds = [kind for kind in KINDS if kind.gentle or not life.gentle]
    kind = life.pick.choices(kinds, [kind.weight for kind in kinds])[0]
    done = kind.run(life)
    life.wait(life.pick.choice((0, 0, 0.05, 0.2)))
    return kind if done else None
