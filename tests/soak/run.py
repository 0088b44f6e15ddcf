"""The command: lives side by side, a line of progress, and the table at the end."""

import argparse
import ctypes
import json
import os
import random
import selectors
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak import faults
from soak.books import Violation
from soak.child import PR_SET_PDEATHSIG
from soak.life import CALM_EVERY, CHECK_EVERY, Life
from soak.plants import PLANTS
from soak.table import show

PER_LIFE = 200
"""Faults until a site has come to its end and another one begins: ledgers are read whole at each start."""
PROGRESS = 10.0


@dataclass
class Tally:
    """What all lives have come to so far."""

    faults: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    lives: int = 0
    violations: list[str] = field(default_factory=list)
    cpu: float = 0.0


def main() -> int:
    """Status 0 where no promise was broken, 1 where one was, 2 for arguments that make no sense."""
    options = _arguments()
    work = Path(tempfile.mkdtemp(prefix="speckled-soak-", dir=options.dir))
    began = time.monotonic()
    tally = Tally()
    _say(f"soak: seed {options.seed}, {options.jobs} sites at a time, in {work}")
    _supervise(options, work, tally, began)
    _say(show(tally, time.monotonic() - began))
    for text in tally.violations:
        sys.stderr.write(text)
    if tally.violations:
        return 1
    shutil.rmtree(work, ignore_errors=True)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("soak", description="Random faults on whole devices, and the account of each.")
    parser.add_argument("--faults", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--minutes", type=float, help="go on for this long instead")
    parser.add_argument("--seed", type=int, default=None, help="of the choice of faults; a new one by default")
    parser.add_argument("--jobs", type=int, default=3 * (os.cpu_count() or 1), help="sites side by side")
    parser.add_argument("--life", type=int, help="this life of the seed only")
    parser.add_argument("--per-life", type=int, default=PER_LIFE, help="faults of one site (default %(default)s)")
    parser.add_argument("--dir", type=Path, default=Path("/dev/shm") if Path("/dev/shm").is_dir() else None)
    parser.add_argument("--plant", choices=sorted(PLANTS), help="put a defect into the product, which must be found")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    return options


def _supervise(options: argparse.Namespace, work: Path, tally: Tally, began: float) -> None:
    """Fork lives, read what they tell, until all is done or one of them has failed."""
    selector = selectors.DefaultSelector()
    running: dict[int, tuple[int, bytearray]] = {}
    numbers = iter(range(options.life, options.life + 1) if options.life is not None else range(1, 10**9))
    asked, said = 0, began

    def more() -> bool:
        if tally.violations:
            return False
        if options.minutes is not None:
            return time.monotonic() - began < 60 * options.minutes
        return asked < options.faults

    while True:
        while len(running) < options.jobs and more() and (number := next(numbers, None)) is not None:
            count = min(options.per_life, options.faults - asked) if options.minutes is None else options.per_life
            asked += count
            reader = _fork_life(options, work, number, count, began)
            running[reader] = (number, bytearray())
            selector.register(reader, selectors.EVENT_READ)
        if not running:
            return
        for key, _ in selector.select(1.0):
            number, held = running[key.fd]
            data = os.read(key.fd, 1 << 16)
            held += data
            *lines, rest = bytes(held).split(b"\n")
            held[:] = rest
            for line in lines:
                asked -= _enter(tally, json.loads(line))
            if not data:
                selector.unregister(key.fd)
                os.close(key.fd)
                del running[key.fd]
        _reap()
        if time.monotonic() - said > PROGRESS:
            said = time.monotonic()
            _say(_progress(tally, said - began))


def _enter(tally: Tally, told: dict[str, Any]) -> int:
    """One line of a life; how many of the faults asked for it did not make."""
    if "kind" in told:
        tally.faults[told["kind"]] += 1
        if point := told.get("point"):
            tally.points[point] += 1
        return 0
    tally.restarts.update(told["restarts"])
    tally.totals.update(told["totals"])
    tally.missed += told["missed"]
    tally.lives += 1
    tally.cpu += told["cpu"]
    if told["violation"]:
        tally.violations.append(told["violation"])
    return int(told["short"])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _progress(tally: Tally, seconds: float) -> str:
    made = tally.faults.total()
    ended = f"{tally.lives} lives ended, {len(tally.violations)} violations"
    return f"soak: {seconds:6.0f} s, {made} faults, {made / seconds:.1f} a second, {ended}"


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _fork_life(options: argparse.Namespace, work: Path, number: int, count: int, began: float) -> int:
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        return reader
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it has started ends with it
        os.close(reader)
        _live(options, work, number, count, began, writer)
        status = 0
    except SystemExit:
        status = 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
    return 0


def _live(options: argparse.Namespace, work: Path, number: int, count: int, began: float, writer: int) -> None:
    """One life from its beginning to its account."""

    def tell(**what: object) -> None:
        os.write(writer, json.dumps(what).encode() + b"\n")

    def goes_on(made: int) -> bool:
        over = options.minutes is not None and time.monotonic() - began > 60 * options.minutes
        return made < count and not over

    folder = work / f"life-{number}"
    plants: dict[str, Callable[[], None]] = {}
    if options.plant:
        process, plant = PLANTS[options.plant]
        plants[process] = plant
    life = Life(folder, random.Random(f"{options.seed}/{number}"), plants)
    life.gentle = number % 2 == 0
    violation, made, missed = "", 0, 0
    try:
        life.begin()
        while goes_on(made):
            kind = faults.one(life)
            if kind is None:
                missed += 1
            else:
                made += 1
                tell(kind=kind.name, point=life.last_point if kind.run is faults.at_a_point else "")
            if (made + missed) % CHECK_EVERY == 0:
                life.books.check()
            if made and made % CALM_EVERY == 0 and kind is not None:
                life.calm()
        life.finish()
    except Exception as error:  # whatever it is, the run has failed, and what it needs to be understood is kept
        violation = _report(options, life, number, error, work)
    finally:
        life.site.close()
    tell(
        restarts=life.restarts,
        totals=life.books.totals(),
        missed=missed,
        short=count - made if not violation else 0,
        violation=violation,
        cpu=_cpu(),
    )


def _report(options: argparse.Namespace, life: Life, number: int, error: Exception, work: Path) -> str:
    kept = work / f"kept-{number}"
    life.site.keep(kept)
    what = str(error) if isinstance(error, Violation) else "".join(traceback.format_exception(error))
    history = "\n".join(life.history)
    (kept / "history.txt").write_text(f"{history}\n\n{what}\n")
    recent = "\n".join(life.history[-15:])
    return f"VIOLATION in life {number} of seed {options.seed}; everything is in {kept}\n{recent}\n{what}\n"


def _cpu() -> float:
    own, children = os.times(), os.times()
    return own.user + own.system + children.children_user + children.children_system
