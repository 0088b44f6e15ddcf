"""One process of the product, forked from a rig that has imported everything, with what the rig may break in it."""

import ctypes
import functools
import hashlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import edge.assemble
import edge.cli
import edge.commands
import edge.relay.assemble
from drivers.emulated.faults import parse_fault
from drivers.emulated.picamera2 import CameraFault, EmulatedPicamera2
from soak.control import Control
from soak.points import install, wrap

PR_SET_PDEATHSIG = 1
CAMERA_FAULTS = tuple(CameraFault)
CHIP_FAULTS = (
    *("eio", "etimedout", "drop", "duplicate", "short", "bit-slip+64", "unplug", "stuck-00", "stuck-ff", "echo"),
    *("stuck", "dead", "repeat", "bias=0.9", "correlated=0.95", "lfsr", "status", "slip", "not-ready"),
)
RETRY = (0.05, 0.4)
"""Seconds between two attempts of a client at the broker: the product's own would make a soak wait."""
COURIER = 0.05
"""Seconds between two attempts of the courier at the relay."""
OPENING = 0.3
"""Seconds that the ladder gives an opening or closing of the camera, and a camera that hangs in it."""
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Spawn:
    """What a forked process is given. log, witness: descriptors it inherits; the witness takes lines of what it did."""

    name: str
    settings: Path
    log: int
    witness: int
    own: Control
    world: Control
    more: Sequence[str] = ()
    plant: Callable[[], None] | None = field(default=None)


def fork(spawn: Spawn) -> int:
    """Start the process; its id."""
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # the rig's own handler is not the product's
    process = os.fork()
    if not process:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if process:
        return process
    status = 70
    try:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(70)
        status = _run(spawn)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 70
    except BaseException:  # the border of the process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
    return 0


def _run(spawn: Spawn) -> int:
    os.dup2(spawn.log, 1)
    os.dup2(spawn.log, 2)
    os.chdir(spawn.settings.parent)
    signal.set_wakeup_fd(-1)
    _turn_the_clock(spawn.world)
    _hurry()
    if spawn.name == "capture":
        _break_the_camera(spawn.world)
        _break_the_chip(spawn.world)
    if spawn.plant is not None:
        spawn.plant()
    _witness(spawn)
    install(spawn.name, spawn.own)
    settings = spawn.settings / ("collector.toml" if spawn.name == "collector" else "speckled.toml")
    sys.argv = ["speckled", spawn.name, "--config", str(settings), *spawn.more]
    return edge.cli.main()


def _turn_the_clock(world: Control) -> None:
    real_ns, real = time.time_ns, time.time
    time.time_ns = lambda: real_ns() + world.clock_ms * 1_000_000
    time.time = lambda: real() + world.clock_ms / 1000


def _hurry() -> None:
    """Shorter pauses, by the arguments that the product's own classes have for them."""
    for target, name, value in (
        ("wire.broker:Broker.__init__", "retry", RETRY),
        ("edge.courier:Courier.__init__", "retry_seconds", COURIER),
        ("drivers.camera.ladder:Ladder.__init__", "open_deadline", OPENING),
    ):
        wrap(target, functools.partial(_with_argument, name, value))


def _with_argument(name: str, value: object, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def given(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **{name: value, **named})

    return given


class _BreakableCamera(EmulatedPicamera2):
    """The emulated camera, whose fault the rig sets from outside."""

    world: Control

    def __setattr__(self, name: str, value: object) -> None:
        if name != "fault":
            super().__setattr__(name, value)

    @property
    def _fault(self) -> CameraFault | None:
        number = self.world.camera
        return CAMERA_FAULTS[number - 1] if number else None


_BreakableCamera.fault = _BreakableCamera._fault  # type: ignore[assignment]  # a field of the base, read only here


def _break_the_camera(world: Control) -> None:
    module = _BreakableCamera()
    module.world = world
    wrap("drivers.camera.picamera2:Picamera2Camera.__init__", functools.partial(_with_argument, "module", module))


def _break_the_chip(world: Control) -> None:
    seen = world.chips

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def transfer(chip: Any, tx: bytes) -> bytes:
            nonlocal seen
            if world.chips != seen:
                seen = world.chips
                chip.inject(parse_fault(CHIP_FAULTS[world.chip]))
            return function(chip, tx)

        return transfer

    wrap("drivers.emulated.microrng:EmulatedMicroRng.each", watched)


def _witness(spawn: Spawn) -> None:
    """Lines that do not trust what the product writes down: what was released, and what the relay said it took."""

    def say(text: str) -> None:
        os.write(spawn.witness, text.encode() + b"\n")

    def closed(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def close(window: Any) -> Any:
            release = function(window)
            say(f"released {release.receipt.epoch.hex()} {release.receipt.position}")
            return release

        return close

    def sent(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def send(history: Any, envelope: bytes) -> Any:
            word = function(history, envelope)
            say(f"accepted {hashlib.sha256(envelope).hexdigest()}")
            return word

        return send

    def written(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def write(spool: Any, number: int, envelope: bytes) -> None:
            function(spool, number, envelope)
            say(f"spooled {hashlib.sha256(envelope).hexdigest()}")

        return write

    def signed(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def hand_over(courier: Any, envelope: bytes) -> None:
            say(f"signed {hashlib.sha256(envelope).hexdigest()}")
            function(courier, envelope)

        return hand_over

    if spawn.name == "capture":
        wrap("edge.privacy.window:Window.close", closed)
        wrap("edge.spool:Spool.write", written)
        wrap("edge.courier:Courier.hand_over", signed)
        wrap("edge.history:CollectorHistory.send", sent)
