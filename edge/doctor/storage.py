"""Where ledger and outbox are: is there room, does it last, and is it written to a disk at all?"""

import re
from pathlib import Path

from edge.attest.machine import Mount, is_root_read_only, mounts
from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, skip, warn

MIB = 1 << 20
LEAST = 64 * MIB
"""Below this neither a ledger nor a log has room for long."""
LEAST_FILES = 1000
IN_MEMORY = frozenset({"tmpfs", "ramfs"})
WORN = 9
"""Tenths of its life that an eMMC has used up (JEDEC JESD84-B51, EXT_CSD 268 and 269); 11 is beyond it."""


def state_directories(device: Device) -> Outcome:
    """Capture's ledger and the relay's outbox must outlive a power cut, on a file system that takes writes."""
    table = mounts(device.system.tree.text("/proc/self/mountinfo") or "")
    if not table:
        return fail("/proc/self/mountinfo cannot be read", "mount /proc")
    places = {"[capture] state": device.known.capture.state, "[relay] state": device.known.relay.state}
    for name, folder in places.items():
        mount = mount_of(table, folder)
        if mount is None:
            continue
        if mount.kind in IN_MEMORY or _overlay_in_memory(table, mount):
            return fail(
                f"{name} {folder} is in memory ({mount.kind} at {mount.point}): a power cut loses it",
                "put it on a writable partition of its own, which a read-only root leaves out of its overlay",
            )
        if "ro" in mount.own or "ro" in mount.super_block:
            return fail(
                f"{name} {folder} is on a read-only file system ({mount.point})",
                "mount a writable partition there, such as one for /var/lib/speckled",
            )
    missing = [folder for folder in places.values() if not device.system.tree.at(folder).is_dir()]
    if missing and device.system.is_root:
        return warn(
            f"not there yet: {', '.join(missing)}", "run `speckled install --apply`, or start the services once"
        )
    return ok(", ".join(places.values()))


def disk_space(device: Device) -> Outcome:
    """The outbox may take as much as its settings allow; the ledger and releases want a little beside it."""
    wanted = LEAST + device.known.relay.outbox_mb * MIB
    remedy = "make room on that file system, or lower outbox_mb in [relay]"
    tightest = None
    for folder in (device.known.capture.state, device.known.relay.state):
        there = _nearest(device, folder)
        room = device.system.room(there)
        if room.free < LEAST or (room.files is not None and room.files < LEAST_FILES):
            what = f"{room.free // MIB} MiB and {room.files if room.files is not None else 'any number of'} files"
            return fail(f"{folder}: room for {what}", remedy)
        if tightest is None or room.free < tightest:
            tightest = room.free
    free = tightest or 0
    if free < wanted:
        return warn(f"{free // MIB} MiB free, and a full outbox takes {device.known.relay.outbox_mb} MiB", remedy)
    return ok(f"{free // MIB} MiB free")


def root_file_system(device: Device) -> Outcome:
    """A root that is not written to outlasts power cuts; it is a choice, and both work."""
    read_only = is_root_read_only(device.system.tree.text("/proc/self/mountinfo"))
    return ok("read-only, or an overlay in memory" if read_only else "writable")


def card_wear(device: Device) -> Outcome:
    """An eMMC tells how much of its life is used up; SD cards do not."""
    worst = 0
    for name in device.system.tree.names("/sys/block"):
        life = device.system.tree.line(f"/sys/block/{name}/device/life_time") if name.startswith("mmcblk") else None
        used = [int(each, 16) for each in re.findall(r"0x[0-9a-fA-F]{2}\b", life or "")]
        worst = max([worst, *used])
    if worst == 0:
        return skip("no storage here tells its wear; SD cards do not")
    found = f"at most {10 * worst} % of its life used" if worst <= 10 else "its life is used up"
    return warn(found, "replace the storage soon, and copy /var/lib/speckled first") if worst >= WORN else ok(found)


def mount_of(table: list[Mount], folder: str) -> Mount | None:
    """The mount that a path is on: of the longest points above it the last."""
    above = [mount for mount in table if mount.point == "/" or f"{folder}/".startswith(f"{mount.point}/")]
    longest = max((len(mount.point) for mount in above), default=0)
    return next((mount for mount in reversed(above) if len(mount.point) == longest), None)


def _overlay_in_memory(table: list[Mount], mount: Mount) -> bool:
    upper = mount.super_block.get("upperdir") if mount.kind == "overlay" else None
    below = mount_of([each for each in table if each.kind != "overlay"], upper) if upper else None
    return below is not None and below.kind in IN_MEMORY


def _nearest(device: Device, folder: str) -> Path:
    path = device.system.tree.at(folder)
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
