"""Is this a machine on which the program can work: processor, Python, clock, power?"""

import re

from edge.attest.tree import number
from edge.config import Picamera2Settings
from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, skip, warn

MACHINES = ("aarch64", "x86_64")
SYNCHRONISED = 16.0
"""Seconds of possible error from which on timedatectl too calls a clock not synchronised."""
EARLIEST = 1_735_689_600
"""2025-01-01: a clock before that was never set."""


def sixty_four_bits(device: Device) -> Outcome:
    """The libraries come for 64 bits only; Raspberry Pi OS also exists with a 64-bit kernel below 32-bit programs."""
    python = device.system.interpreter
    found = f"{python.machine}, Python of {python.bits} bits"
    if python.bits == 64 and python.machine in MACHINES:
        return ok(found)
    return fail(found, "install the 64-bit image of Raspberry Pi OS")


def system_python(device: Device) -> Outcome:
    """picamera2 and libcamera come with the system, and only the system's own Python can import them."""
    if device.known.camera is not None and not isinstance(device.known.camera, Picamera2Settings):
        return skip("the camera is not a Raspberry Pi camera")
    python = device.system.interpreter
    remedy = "make the venv anew: /usr/bin/python3 -m venv --system-site-packages /opt/speckled/venv"
    if python.base != "/usr":
        return fail(f"Python is from {python.base}, which cannot see the system's picamera2", remedy)
    if not python.is_venv:
        return ok("the system's Python, without a venv")
    settings = device.system.tree.text(f"{python.prefix}/pyvenv.cfg") or ""
    if re.search(r"(?mi)^include-system-site-packages\s*=\s*true\s*$", settings):
        return ok("the system's Python, in a venv that sees the system's packages")
    return fail(f"the venv {python.prefix} does not see the system's packages", remedy)


def clock(device: Device) -> Outcome:
    """The ledger refuses a clock that goes back, and TLS one that is wrong by years."""
    remedy = "let a time service run: sudo timedatectl set-ntp true, and see that it reaches a server"
    if device.system.now() < EARLIEST:
        return fail("the clock was never set", remedy)
    error = device.system.clock_error()
    if error is None:
        return warn("the kernel does not tell how exact its clock is", remedy)
    if error >= SYNCHRONISED:
        return warn("the clock is not synchronised", remedy)
    return ok(f"synchronised, to {error:.3g} s at worst")


def hardware_clock(device: Device) -> Outcome:
    """Without one the clock stands still while the power is off: capture waits for the time service at every start."""
    remedy = (
        "fit a clock chip (Raspberry Pi 5: its battery), or accept that capture starts once the network has the time"
    )
    names = device.system.tree.names("/sys/class/rtc")
    if not names:
        return warn("there is none", remedy)
    seconds = [device.system.tree.line(f"/sys/class/rtc/{name}/since_epoch") for name in names]
    if any((number(text) or 0) >= EARLIEST for text in seconds):
        return ok(", ".join(names))
    return warn(f"{', '.join(names)}: not set, as one without a battery", remedy)


def power(device: Device) -> Outcome:
    """A Raspberry Pi notices when its supply sags; cameras and cards fail first then."""
    tree = device.system.tree
    for name in tree.names("/sys/class/hwmon"):
        if tree.line(f"/sys/class/hwmon/{name}/name") == "rpi_volt":
            if tree.line(f"/sys/class/hwmon/{name}/in0_lcrit_alarm") == "1":
                return warn(
                    "the supply has been too low", "use the supply that is made for this board, and a short cable"
                )
            return ok("no undervoltage")
    return skip("this machine does not measure its supply")
