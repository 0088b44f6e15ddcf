import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drivers.qrng.character import NOTHING, rng_current

Driver = Literal["microrng", "qcicada", "idq250", "tpm", "character"]
_FTDI = "0403"
"""USB vendor of the serial chip in a QCicada (amenti-labs/qcicada); in many other things, too."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device node that may be an entropy source. Only opening it tells: a name proves nothing.

    driver: which driver to try. note: what the kernel says about it, or that it says nothing. main: whether it can be
    the main source; what cannot is for a partner of one.
    """

    driver: Driver
    path: str
    note: str
    main: bool = True


def discover(
    *,
    partners: bool = False,
    idq250_address: int | None = None,
    dev: Path = Path("/dev"),
    sysfs: Path = Path("/sys"),
) -> list[Candidate]:
    """List the nodes of this machine that may be hardware sources; empty where there is none. Opens nothing.

    partners: list also what can only be combined with another source. idq250_address: where an IDQ250C2 is
    configured; without it no I2C bus is listed, for nothing on it can be told apart without asking, and asking a
    stranger may do harm. Emulated and software sources are never listed: they run only when they are asked for by name.
    """
    found = [
        *(Candidate("microrng", str(node), _spi(node, sysfs)) for node in _sorted(dev, "spidev*.*")),
        *(_qcicada(node, sysfs) for node in _sorted(dev / "serial/by-id", "*") if _may_be_qcicada(node, sysfs)),
        *_idq250(dev, sysfs, idq250_address),
        *_hwrng(dev, sysfs),
        *(Candidate("character", str(node), _vendor(node, sysfs)) for node in _vendors(dev)),
        *(Candidate("tpm", str(node), _tpm(node, sysfs), main=False) for node in _sorted(dev, "tpmrm*")),
    ]
    return [candidate for candidate in found if candidate.main or partners]


def _spi(node: Path, sysfs: Path) -> str:
    alias = _read(sysfs / "class/spidev" / node.name / "device/modalias").removeprefix("spi:")
    return f"SPI bus, {alias or 'unnamed'} in the device tree; open to identify"


def _may_be_qcicada(node: Path, sysfs: Path) -> bool:
    return _usb(node, sysfs)[0] == _FTDI


def _qcicada(node: Path, sysfs: Path) -> Candidate:
    vendor, product, words = _usb(node, sysfs)
    return Candidate("qcicada", str(node), f"USB serial {vendor}:{product} {words}; open to identify")


def _usb(node: Path, sysfs: Path) -> tuple[str, str, str]:
    """Vendor, product and the maker's words of the USB device behind a serial port; empty where it is none."""
    folder = (sysfs / "class/tty" / node.resolve().name / "device").resolve()
    for parent in (folder, *folder.parents[:3]):
        if vendor := _read(parent / "idVendor"):
            words = f"{_read(parent / 'manufacturer')} {_read(parent / 'product')}".strip()
            return vendor, _read(parent / "idProduct"), words or "without a name"
    return "", "", ""


def _idq250(dev: Path, sysfs: Path, address: int | None) -> list[Candidate]:
    if address is None:
        return []
    return [
        Candidate(
            "idq250",
            str(node),
            f"I2C bus {_read(sysfs / 'class/i2c-dev' / node.name / 'name') or 'without a name'}, "
            f"address {address:#04x}; open to identify",
        )
        for node in _sorted(dev, "i2c-*")
    ]


def _hwrng(dev: Path, sysfs: Path) -> list[Candidate]:
    node, current = dev / "hwrng", rng_current(sysfs)
    if not node.exists() or current == NOTHING:
        return []
    note = f"kernel source {current}"
    if _read(sysfs / "class/misc/hw_random/rng_selected") == "0":
        note += ", which the kernel may change: nobody pinned it"
    if current.startswith("tpm-rng"):
        note += "; it is the generator of the TPM"
    if current.startswith("virtio_rng"):
        note += "; it is whatever the host of this virtual machine gives"
    return [Candidate("character", str(node), note)]


def _vendors(dev: Path) -> list[Path]:
    return [*_sorted(dev, "qrandom*"), *_sorted(dev, "quantis*")]


def _vendor(node: Path, sysfs: Path) -> str:
    """Who serves a vendor's node: the driver that the kernel names, or nobody, as for a module without a device."""
    for event in sorted((sysfs / "dev/char").glob("*/uevent")):
        if f"DEVNAME={node.name}" in _read(event).splitlines():
            driver = event.parent / "device/driver"
            if driver.is_symlink():
                return f"vendor device, served by {driver.readlink().name}"
            break
    return "vendor device, behind which the kernel names no hardware: it may be fed by a program"


def _tpm(node: Path, sysfs: Path) -> str:
    number = re.sub(r"\D", "", node.name)
    version = _read(sysfs / "class/tpm" / f"tpm{number}" / "tpm_version_major")
    return f"TPM {version or 'of unknown version'}; a partner of another source, not a main source"


def _sorted(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
