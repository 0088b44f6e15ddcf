"""A look at a device node before its driver opens it: is it there, and may this user read it?"""

import errno
import grp
import os
import re
from pathlib import Path
from typing import Final

from drivers.errors import QrngError, QrngReason
from drivers.qrng.character import RNG_CORE
from drivers.qrng.i2c import I2C
from drivers.qrng.node import Family, node_error
from drivers.qrng.serial_port import FTDI
from drivers.qrng.spi import SPI
from drivers.qrng.tpm import TPM

ACM: Final = Family(
    module="cdc_acm",
    sign="bus/usb/drivers/cdc_acm",
    load="plug the device in; where that does not load the module: sudo modprobe cdc_acm",
    group="dialout",
)
FAMILIES: Final = {
    r"/dev/spidev\d+\.\d+": SPI,
    r"/dev/i2c-\d+": I2C,
    r"/dev/ttyUSB\d+": FTDI,
    r"/dev/serial/by-id/.+": FTDI,
    r"/dev/ttyACM\d+": ACM,
    r"/dev/tpm(rm)?\d+": TPM,
    r"/dev/hwrng": RNG_CORE,
}
"""By the pattern of a node's path."""


def check_node(node: str, *, sysfs: Path = Path("/sys")) -> None:
    """See that a node is there and that this user may read it, before a driver tries.

    A driver may ask for its Python package first, and a person should hear of a missing device before that.
    Raises QrngError(NOT_FOUND) that tells a missing kernel module from a missing device, and QrngError(DENIED) that
    names the group to join.
    """
    try:
        Path(node).stat()
    except PermissionError as error:
        raise QrngError(
            QrngReason.DENIED, f"{node}: {error.strerror}", "Ask for the right to enter that folder."
        ) from None
    except OSError:
        family = next((family for pattern, family in FAMILIES.items() if re.fullmatch(pattern, node)), None)
        missing = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        raise node_error(missing, node, family, sysfs) from None
    if not os.access(node, os.R_OK, effective_ids=True):
        raise denied(node)


def describe_node(node: str) -> str:
    """Who may open a node, such as `group spi, mode 660`."""
    status = Path(node).stat()
    return f"group {_group(status.st_gid)}, mode {status.st_mode & 0o777:o}"


def denied(node: str) -> QrngError:
    """The error for a node that is there and may not be read."""
    status = Path(node).stat()
    group = _group(status.st_gid)
    if status.st_gid != 0 and status.st_mode & 0o040:
        remedy = f"Join the group {group} (sudo usermod -aG {group} USER) and log in again."
    else:
        remedy = "No group may read this node: give it to one by a udev rule, and add the service's user to that group."
    return QrngError(QrngReason.DENIED, f"{node} may not be read by this user ({describe_node(node)})", remedy)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
