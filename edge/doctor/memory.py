"""Can frames stay in memory: limits, swap, and what a crash would write down?"""

from edge.attest.machine import swap_devices, swaps_to, zram_backing
from edge.attest.process import SELF, limits
from edge.attest.tree import number
from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, warn
from edge.doctor.units import unit_text

LOCKED = "Max locked memory"
ENOUGH = 1 << 30
"""Bytes: the limit counts what is reserved, not what is used (mlock(2)), and libraries reserve much."""


def memory_cgroup(device: Device) -> Outcome:
    """Raspberry Pi OS may boot with cgroup_disable=memory: then MemorySwapMax=0 of the units does nothing."""
    found = device.system.tree.line("/sys/fs/cgroup/cgroup.controllers")
    if found is not None and "memory" in found.split():
        return ok("present")
    words = device.system.tree.line("/proc/cmdline") or ""
    if "cgroup_disable=memory" in words.split():
        return warn(
            "the kernel was started with cgroup_disable=memory, so limits of memory and swap in units do nothing",
            "add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and reboot",
        )
    return warn(
        "limits of memory and swap in units do nothing here", "use a kernel with the memory controller, and cgroup 2"
    )


def swap(device: Device) -> Outcome:
    """Locked memory is never swapped. Where locking is not required, a swap on a disk would get frames."""
    tree = device.system.tree
    where = swaps_to(tree)
    text = tree.text("/proc/swaps")
    names = [name for name, _ in swap_devices(text or "")]
    if where == "none":
        return ok("none")
    if where == "memory":
        return ok(f"{', '.join(names)}: compressed memory, with no disk behind it")
    behind = [
        f"{name} writes back to {disk}"
        for name in names
        if "zram" in name and (disk := zram_backing(tree, name.rpartition("/")[2]))
    ]
    found = "; ".join(behind) or ", ".join(names) or "/proc/swaps cannot be read"
    remedy = (
        "turn it off: where dphys-swapfile makes it, sudo systemctl disable --now dphys-swapfile; where rpi-swap does, "
        "Mechanism=zram in a drop-in of swap.conf(5), and reboot"
    )
    if device.known.capture.require_locked_memory:
        return warn(f"on a disk ({found}); frames are kept from it by locked memory alone", remedy)
    return fail(f"on a disk ({found}), and [capture] does not require locked memory", remedy)


def locked_memory(device: Device) -> Outcome:
    """Capture locks all its memory at its start, and ends where it may not."""
    unit = unit_text(device.system.tree, "speckled-capture")
    if unit is not None and "LimitMEMLOCK=infinity" in unit.splitlines():
        return ok("the unit of capture has no limit")
    soft, _hard = limits(device.system.tree.text(f"{SELF}/limits")).get(LOCKED, ("0", "0"))
    remedy = "run `speckled install --apply`, whose unit has no limit; in a shell: ulimit -l unlimited"
    if device.system.is_root or soft == "unlimited" or (number(soft) or 0) >= ENOUGH:
        return ok("this user may lock enough")
    if not device.known.capture.require_locked_memory:
        return warn(f"this user may lock {soft} bytes, and [capture] does not require more", remedy)
    return fail(f"this user may lock {soft} bytes", remedy)


def core_dumps(device: Device) -> Outcome:
    """Capture makes itself undumpable; a handler behind a pipe is what a mistake there would feed."""
    pattern = device.system.tree.line("/proc/sys/kernel/core_pattern")
    if pattern is None:
        return warn("kernel.core_pattern cannot be read", "mount /proc")
    if pattern.startswith(("|", "@")):
        return warn(
            f"cores go to a program ({pattern[1:].split(' ')[0]}), which no limit of the unit stops",
            "remove the handler, such as the package systemd-coredump, or set kernel.core_pattern=core by sysctl",
        )
    return ok("cores would go to a file, which LimitCORE=0 stops")
