"""`speckled aim`: edges of what the camera sees, in the terminal, for a limited time."""

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from drivers.errors import DriverError
from drivers.switch.base import PrivacySwitch
from edge.aim.record import Record
from edge.aim.session import Aiming, Session, close
from edge.aim.terminal import Terminal
from edge.config import Settings, load
from edge.devices import make_camera
from edge.errors import CameraUnavailable, ConfigError, LedgerError, Reason
from edge.folders import state_folder
from edge.memory import MemoryNotLockable, lock_memory, overwrite_freed_arrays
from edge.promise import plan_of
from edge.switch.make import make_switch
from wire.exit import Exit
from wire.service.journal import SOCKET, JournalHandler
from wire.stopping import stop_on_signals

log = logging.getLogger("speckled.aim")


def main(arguments: Sequence[str]) -> int:
    """Draw edges until the time is over or somebody ends it.

    Raises:
        ConfigError: it is not enabled, not on a terminal, or cannot be recorded.
        LedgerError: LEDGER_LOCKED, while capture runs.
        CameraUnavailable: the camera gives no frames, or the privacy switch is off.
    """
    options = _parse(arguments)
    settings = load(options.config)
    if not settings.aim.enabled:
        raise ConfigError(
            Reason.CONFIG,
            "aiming is not enabled",
            "set `enabled = true` in [aim] while the camera is installed, and take it out afterwards",
        )
    if not os.isatty(sys.stdout.fileno()):
        raise ConfigError(
            Reason.CONFIG, "the output is not a terminal", "run this in a terminal, without a pipe or a file behind it"
        )
    _log_to_journal()
    stop = stop_on_signals(signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
    aim(settings, seconds=options.seconds, grid=options.grid, stop=stop)
    return Exit.OK


def aim(settings: Settings, *, seconds: int | None, grid: bool, stop: threading.Event) -> None:
    """Everything in its order: memory, lock, switch, record, camera, terminal; and back."""
    _protect_memory(settings)
    state = state_folder(settings.capture.state, "[capture]")
    limit = min(seconds or settings.aim.seconds, settings.aim.seconds)
    with ExitStack() as stack:
        stack.callback(overwrite_freed_arrays)
        stack.enter_context(_alone(state / "ledger.jsonl"))
        switch = make_switch(settings.switch)
        stack.callback(switch.close)
        _refuse_while_off(switch)
        stack.enter_context(_recorded(Record(state, _wall_ms), limit))
        _draw(settings, switch, Aiming(limit, _cell(settings) if grid else None), stop, stack)


def _draw(settings: Settings, switch: PrivacySwitch, aiming: Aiming, stop: threading.Event, stack: ExitStack) -> None:
    terminal = Terminal(sys.stdout.fileno())
    stack.callback(terminal.close)
    ended: list[Callable[[], bool]] = [stop.is_set]
    camera = make_camera(settings.camera, lambda: any(each() for each in ended))
    try:
        identity = camera.open()
    except DriverError as error:
        raise CameraUnavailable(Reason.CAMERA, str(error), error.remedy) from None
    stack.callback(close, camera)
    session = Session(camera, switch, terminal, aiming)
    ended.append(session.over)
    session.run(identity, stop)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "speckled aim",
        description="draw edges of what the camera sees in the terminal, to aim it. This is outside the privacy "
        "guarantee: it works only with `enabled = true` in [aim], not while capture runs, and is recorded",
    )
    parser.add_argument(
        "--config", type=Path, default=Path("/etc/speckled/speckled.toml"), help="settings (default %(default)s)"
    )
    parser.add_argument("--seconds", type=_seconds, help="end earlier than `seconds` in [aim] says")
    parser.add_argument("--grid", action="store_true", help="show where the largest cells of the profile begin")
    return parser.parse_args(arguments)


def _seconds(text: str) -> int:
    if not 1 <= (seconds := int(text)) <= 600:
        raise ValueError
    return seconds


@contextmanager
def _alone(ledger: Path) -> Iterator[None]:
    """Hold the ledger's lock, so that capture neither runs nor starts meanwhile. A ledger is not made here."""
    try:
        descriptor = os.open(ledger, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    except OSError as error:
        remedy = "run this as root: `sudo speckled aim`"
        raise ConfigError(Reason.CONFIG, f"{ledger}: {error.strerror}", remedy) from None
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerError(
            Reason.LEDGER_LOCKED, "capture is running", "stop it first: `systemctl stop speckled-capture`"
        ) from None


@contextmanager
def _recorded(record: Record, limit: int) -> Iterator[None]:
    user = f"user {os.getuid()}"
    if (by := os.environ.get("SUDO_UID", "")).isdigit():
        user += f", by sudo from user {by}"
    record.began()
    began = time.monotonic()
    log.warning("aiming has begun: %s, for at most %d s", user, limit, extra={"fields": {"SPECKLED_AIM": "began"}})
    try:
        yield
    finally:
        record.ended()
        seconds = time.monotonic() - began
        log.warning("aiming has ended: %s, after %.0f s", user, seconds, extra={"fields": {"SPECKLED_AIM": "ended"}})


def _refuse_while_off(switch: PrivacySwitch) -> None:
    if switch.off():
        raise CameraUnavailable(
            Reason.CAMERA, "the privacy switch is off", "turn it on first: `speckled camera on`, or the switch itself"
        )


def _protect_memory(settings: Settings) -> None:
    try:
        lock_memory()
    except MemoryNotLockable:
        if settings.capture.require_locked_memory:
            raise


def _cell(settings: Settings) -> int:
    """Pixels of the side of the largest cells: those that are told apart on a screen of dots."""
    plan = plan_of(settings.privacy, width=8192, height=8192, max_value=255)
    return max(level.cell for level in plan.levels)


def _log_to_journal() -> None:
    """The journal alone: a line on the terminal would stand in the picture."""
    there = Path(SOCKET).exists()
    logging.basicConfig(handlers=[JournalHandler("speckled-aim") if there else logging.NullHandler()])


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
