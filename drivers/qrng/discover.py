from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device node that may be an entropy source. Only opening it tells: a name proves nothing.

    driver: which driver to try. note: what the kernel says about it, or that it says nothing.
    """

    driver: Literal["microrng", "character"]
    path: str
    note: str


def discover(*, dev: Path = Path("/dev"), sysfs: Path = Path("/sys")) -> list[Candidate]:
    """List the nodes of this machine that may be hardware sources; empty where there is none. Opens nothing.

    Emulated and software sources are never listed: they run only when they are asked for by name.
    """
    found = [Candidate("microrng", str(node), "SPI bus; open to identify") for node in sorted(dev.glob("spidev*.*"))]
    hwrng = dev / "hwrng"
    if hwrng.exists():
        current = _rng_current(sysfs)
        if current != "none":
            found.append(Candidate("character", str(hwrng), f"kernel source {current}"))
    found += [Candidate("character", str(node), "vendor device") for node in sorted(dev.glob("qrandom*"))]
    return found


def _rng_current(sysfs: Path) -> str:
    try:
        return (sysfs / "class/misc/hw_random/rng_current").read_text(encoding="utf-8").strip() or "none"
    except OSError:
        return "none"
