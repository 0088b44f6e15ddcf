"""Why a device node cannot be opened: one clear line for each cause that the kernel tells apart."""

from dataclasses import dataclass
from pathlib import Path

from drivers.errors import QrngError, QrngReason
from drivers.qrng.bus_error import bus_error


@dataclass(frozen=True, slots=True)
class Family:
    """Nodes that one kernel module serves.

    module: its name. sign: what /sys has while it is there, built in or loaded. load: how to get it. group: whose
    members may usually open the nodes; empty where only root may.
    """

    module: str
    sign: str
    load: str
    group: str = ""


def node_error(error: OSError, path: str, family: Family | None, sysfs: Path = Path("/sys")) -> QrngError:
    """What it means that `path` cannot be opened; a missing module and a missing node are told apart."""
    if isinstance(error, FileNotFoundError):
        return _missing(path, family, sysfs)
    if isinstance(error, PermissionError):
        group = f"the group {family.group}" if family and family.group else "the group that owns the node"
        return QrngError(
            QrngReason.DENIED,
            f"{path} may not be opened by this user",
            f"Add the service's user to {group}; where no group may read the node, a udev rule gives it to one.",
        )
    return bus_error(error, path)


def _missing(path: str, family: Family | None, sysfs: Path) -> QrngError:
    if is_served(path, sysfs):
        detail = f"{path} does not exist, although the kernel serves it"
        remedy = "Hand the node to the container, or see why udev did not make it."
    elif family is None:
        detail = f"{path} does not exist, and no kernel module serves it"
        remedy = "Load the maker's kernel module; if it is loaded, its device is missing or has another name."
    elif (sysfs / family.sign).exists():
        detail = f"{path} does not exist, although the kernel module {family.module} is there"
        remedy = f"Check the wiring and the number of the node; {family.load}."
    else:
        detail = f"{path} does not exist, and the kernel module {family.module} is not loaded"
        remedy = f"{family.load[:1].upper()}{family.load[1:]}."
    return QrngError(QrngReason.NOT_FOUND, detail, remedy)


def is_served(path: str, sysfs: Path = Path("/sys")) -> bool:
    """Whether the kernel has a character device of this name, wherever its node may be."""
    wanted = f"DEVNAME={path.removeprefix('/dev/')}"
    for event in (sysfs / "dev/char").glob("*/uevent"):
        try:
            if wanted in event.read_text(encoding="utf-8", errors="replace").splitlines():
                return True
        except OSError:  # a device may go away while its siblings are read
            continue
    return False
