"""Why a device node cannot be opened, as far as the kernel tells, and what to do about it."""

import grp
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.errors import QrngError, QrngReason


@dataclass(frozen=True, slots=True)
class Family:
    """Nodes that one kernel module serves. sign: what /sys has while that module is there; enable: what brings it."""

    pattern: str
    module: str
    sign: str
    enable: str


FAMILIES: Final = (
    Family(
        r"/dev/spidev\d+\.\d+",
        "spidev",
        "class/spidev",
        "add dtparam=spi=on to /boot/firmware/config.txt and reboot; without a reboot: sudo modprobe spidev",
    ),
    Family(
        r"/dev/i2c-\d+",
        "i2c-dev",
        "class/i2c-dev",
        "add dtparam=i2c_arm=on to /boot/firmware/config.txt and reboot; without a reboot: sudo modprobe i2c-dev",
    ),
    Family(
        r"/dev/ttyUSB\d+",
        "ftdi_sio",
        "bus/usb-serial/drivers/ftdi_sio",
        "plug the device in, and where that does not load the module: sudo modprobe ftdi_sio",
    ),
    Family(
        r"/dev/ttyACM\d+",
        "cdc_acm",
        "bus/usb/drivers/cdc_acm",
        "plug the device in, and where that does not load the module: sudo modprobe cdc_acm",
    ),
    Family(
        r"/dev/tpm(rm)?\d+",
        "tpm_tis_spi",
        "class/tpm",
        "for an SLB 9670 or 9672 add dtoverlay=tpm-slb9670 to /boot/firmware/config.txt and reboot",
    ),
    Family(
        r"/dev/hwrng",
        "rng-core",
        "class/misc/hw_random",
        "load the module of this board's generator, on a Raspberry Pi: sudo modprobe iproc-rng200",
    ),
)
"""The `sign` of a class exists for a module that is built in, too, which /sys/module does not always show."""


def check_node(node: str, *, sysfs: Path = Path("/sys")) -> None:
    """See that a node is there and that this user may read it, before a driver tries.

    Raises QrngError(NOT_FOUND) that tells a missing kernel module from a missing device, and QrngError(DENIED) that
    names the group to join.
    """
    try:
        Path(node).stat()
    except FileNotFoundError:
        raise _missing(node, sysfs) from None
    except OSError as error:
        raise QrngError(
            QrngReason.DENIED if isinstance(error, PermissionError) else QrngReason.NOT_FOUND,
            f"{node}: {error.strerror}",
            "Name the path of a device node.",
        ) from None
    if not os.access(node, os.R_OK, effective_ids=True):
        raise denied(node)


def describe_node(node: str) -> str:
    """Who may open a node, such as `group spi, mode 660`."""
    status = Path(node).stat()
    return f"group {_group(status.st_gid)}, mode {status.st_mode & 0o777:o}"


def denied(node: str) -> QrngError:
    """The error for a node that is there and may not be opened."""
    status = Path(node).stat()
    group = _group(status.st_gid)
    if status.st_gid != 0 and status.st_mode & 0o040:
        remedy = f"Join the group {group} (sudo usermod -aG {group} USER) and log in again."
    else:
        remedy = "No group may read this node: give it to one by a udev rule, and add the service's user to that group."
    return QrngError(QrngReason.DENIED, f"{node} may not be read by this user ({describe_node(node)})", remedy)


def _missing(node: str, sysfs: Path) -> QrngError:
    family = next((family for family in FAMILIES if re.fullmatch(family.pattern, node)), None)
    if family is None:
        return QrngError(QrngReason.NOT_FOUND, f"{node} does not exist", "Name a node that `speckled qrng list` shows.")
    if (sysfs / family.sign).exists():
        siblings = sorted(str(path) for path in Path(node).parent.glob(re.split(r"\d", Path(node).name)[0] + "[0-9]*"))
        return QrngError(
            QrngReason.NOT_FOUND,
            f"{node} does not exist, although the kernel module {family.module} is there",
            f"Name one of {', '.join(siblings)}." if siblings else f"Check the wiring, and {family.enable}.",
        )
    return QrngError(
        QrngReason.NOT_FOUND,
        f"{node} does not exist, and the kernel module {family.module} that would make it is not loaded",
        f"{family.enable[:1].upper()}{family.enable[1:]}.",
    )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
