"""Where the files of systemd/ lie: beside an installed program, or in a checkout."""

import sysconfig
from pathlib import Path

from edge.errors import ConfigError, Reason

SHARE = "share/speckled/systemd"
PROGRAM = "/opt/speckled/venv/bin/speckled"
"""The program that the units of the repository name."""
PROBE = "speckled-capture.service"


def unit_folder(data: Path | None = None, checkout: Path | None = None) -> Path:
    """The folder with units, users and rules that belongs to this program.

    Args:
        data: where this Python keeps what packages share; by default its own.
        checkout: the root of a checkout that is looked at where nothing is shared.

    Raises:
        ConfigError: INSTALL, where this program was installed without them.
    """
    data = Path(sysconfig.get_path("data")) if data is None else data
    checkout = Path(__file__).resolve().parents[2] if checkout is None else checkout
    for folder in (data / SHARE, checkout / "systemd"):
        if (folder / PROBE).is_file():
            return folder
    raise ConfigError(
        Reason.INSTALL, f"{data / SHARE}: no units", "install speckled from its wheel or its Debian package"
    )
