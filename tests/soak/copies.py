"""Faults of whole disks: power cuts, older copies that are put back, damaged files."""

import shutil
import signal
import time
from pathlib import Path

from soak.books import Violation
from soak.life import Life
from wire.exit import Exit

DEVICE = ("capture", "relay")


def _stopped(life: Life, *names: str) -> None:
    """Stop these where they stand, at one moment, and have them killed there."""
    life.hold(*names)
    for name in names:
        life.site.send(name, signal.SIGSTOP)
    time.sleep(0.005)


def copy_of(folder: Path, aside: Path) -> Path:
    """What a disk holds; the index of a write-ahead log is memory, and is not kept."""
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(folder, aside, ignore=shutil.ignore_patterns("*.sock", "*-shm"))
    return aside


def put_back(copy: Path, folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.copytree(copy, folder, dirs_exist_ok=True)


def _tear(life: Life, folder: Path) -> None:
    """What a disk may show of writes that were not synced when the power went."""
    if life.pick.random() < 0.5:
        return
    for path in sorted(folder.rglob("*-wal")):
        with path.open("ab") as log:
            log.write(life.pick.randbytes(life.pick.randint(1, 5000)))
    for path in sorted(folder.rglob("ledger.jsonl")):
        with path.open("ab") as ledger:
            ledger.write(b'{"cell":16,"columns":6,"cost":"1/'[: life.pick.randint(1, 33)])
    releases = sorted(folder.rglob("*.cbor"))
    if releases:
        newest = max(releases, key=lambda path: path.stat().st_mtime_ns)
        newest.write_bytes(newest.read_bytes()[: life.pick.randint(0, 40)])


def power_cut_of_the_device(life: Life) -> bool:
    """Both processes end at one moment, and their disk is what a copy of that moment holds, with torn ends."""
    life.note("power cut of the device")
    _stopped(life, *DEVICE)
    copy = copy_of(life.site.device, life.site.folder / "copy")
    for name in DEVICE:
        life.kill(name)
    life.books.read_outbox()
    _tear(life, copy)
    put_back(copy, life.site.device)
    life.release(*DEVICE)
    return True


def power_cut_of_the_collector(life: Life) -> bool:
    life.note("power cut of the collector")
    _stopped(life, "collector")
    copy = copy_of(life.site.store, life.site.folder / "copy")
    life.kill("collector")
    _tear(life, copy)
    put_back(copy, life.site.store)
    life.release("collector")
    return True


def old_outbox(life: Life) -> bool:
    """The outbox goes back to an older copy: what it took in between and nobody stored is destroyed, and no more."""
    life.until(life.running, "a process did not stay up")
    life.note("the outbox goes back in time")
    life.site.send("relay", signal.SIGSTOP)
    copy = copy_of(life.site.device / "relay", life.site.folder / "copy")
    life.site.send("relay", signal.SIGCONT)
    life.wait(life.pick.uniform(0.1, 1.5))
    life.hold("relay")
    life.kill("relay")
    life.books.read_outbox()
    before = set(life.books.waiting)
    put_back(copy, life.site.device / "relay")
    life.books.new_outbox()
    _destroyed(life, before - life.books.waiting, "outbox put back")
    life.release("relay")
    return True


def old_store(life: Life) -> bool:
    """The collector's store goes back to an older copy: what it took in between is destroyed where it was freed."""
    life.until(life.running, "a process did not stay up")
    life.note("the store goes back in time")
    life.site.send("collector", signal.SIGSTOP)
    copy = copy_of(life.site.store, life.site.folder / "copy")
    life.site.send("collector", signal.SIGCONT)
    life.wait(life.pick.uniform(0.1, 1.5))
    life.hold("collector")
    life.kill("collector")
    life.books.check()
    put_back(copy, life.site.store)
    _destroyed(life, set(life.books.new_store()), "store put back")
    life.release("collector")
    return True


def old_ledger(life: Life) -> bool:
    """The ledger goes back to an older copy: capture refuses it, and a person begins a new epoch."""
    life.mend()
    life.until(life.running, "a process did not stay up")
    life.note("the ledger goes back in time")
    capture = life.site.device / "capture"
    life.site.send("capture", signal.SIGSTOP)
    time.sleep(0.005)
    copy = copy_of(capture, life.site.folder / "copy")
    life.site.send("capture", signal.SIGCONT)
    life.books.read_outbox()
    known = set(life.books.committed)
    life.until(lambda: _newly_committed(life) - known, "nothing new was committed")
    life.wait(life.pick.uniform(0.5, 1.0))
    life.hold("capture")
    life.kill("capture")
    life.until(life.site.relay_listens, "the relay does not listen")
    life.books.check()
    pending = life.books.pending()
    put_back(copy, capture)
    life.books.spool_put_back(pending)
    life.books.new_ledger()
    process = life.site.processes["capture"]
    life.release("capture")
    life.until(lambda: process.pid is not None, "capture did not start")
    life.standing["capture"].add(Exit.DATA)
    life.allow("capture", Exit.DATA)
    epochs = _epochs(life)
    life.until(lambda: _epochs(life) > epochs, "capture took an old copy of its ledger")
    life.standing["capture"].discard(Exit.DATA)
    return True


def _epochs(life: Life) -> int:
    """How many whole entries of the ledger begin an epoch."""
    lines = life.books.ledger.read_bytes().splitlines(keepends=True)
    return sum(line.endswith(b"\n") and b'"kind":"epoch"' in line for line in lines)


def _newly_committed(life: Life) -> set[tuple[str, int]]:
    life.books.read_outbox()
    return set(life.books.committed)


def spoil_the_outbox(life: Life) -> bool:
    """Bytes of the outbox are overwritten, or its end is lost. What could not be read any more is destroyed."""
    life.until(life.running, "a process did not stay up")
    life.note("the outbox is damaged")
    life.hold("relay")
    life.kill("relay")
    life.books.read_outbox()
    waiting = set(life.books.waiting)
    outbox = life.books.outbox
    aside = _set_aside(outbox)
    bare = life.pick.random() < 0.5
    if bare:  # also what would have replaced the damaged pages
        outbox.with_name(outbox.name + "-wal").unlink(missing_ok=True)
    data = bytearray(outbox.read_bytes())
    how = life.pick.choice(("header", "page", "end"))
    if how == "end":
        data = data[: life.pick.randrange(len(data))]
    else:
        first = 0 if how == "header" else life.pick.randrange(0, max(1, len(data)), 4096)
        data[first : first + 4096] = life.pick.randbytes(len(data[first : first + 4096]))
    outbox.write_bytes(data)
    (life.site.device / "relay.sock").unlink(missing_ok=True)
    life.release("relay")
    life.until(life.site.relay_listens, "the relay did not start with a damaged outbox")
    life.books.new_outbox()
    lost = waiting - life.books.waiting - life.books.freed
    if lost and not bare and _set_aside(outbox) == aside:
        raise Violation(f"{len(lost)} observations were in a damaged outbox that was not set aside")
    _destroyed(life, lost, "outbox damaged")
    return True


def _set_aside(outbox: Path) -> int:
    """The number of the last damaged file that was set aside."""
    found = outbox.parent.glob(f"{outbox.name}.corrupt-*[0-9]")
    return max((int(path.name.rpartition("-")[2]) for path in found), default=0)


def _destroyed(life: Life, places: set[tuple[str, int]], why: str) -> None:
    for place in places:
        life.books.gone[place] = why
    life.note(f"{why}: {len(places)} observations")
