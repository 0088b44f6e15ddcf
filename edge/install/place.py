"""Whether the units may start a program that lies where this one does."""

import sys
from pathlib import Path

from edge.errors import ConfigError, Reason

HIDDEN = ("/home", "/root", "/run", "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - named in order to be refused
"""Folders that a unit does not see (ProtectHome, PrivateTmp), or may execute nothing from (NoExecPaths)."""
NO_EXEC = ("/etc", "/var")


def this_program() -> Path:
    """The `speckled` of the environment that runs now."""
    return Path(sys.executable).with_name("speckled")


def refuse_hidden(program: Path, *others: Path) -> None:
    """Raises ConfigError, INSTALL, where a unit could not execute the program, or read what it is made of.

    others: what it is made of besides, such as the folder of its Python and of its packages.
    """
    for path in (program, *others):
        hidden = next((name for name in (*HIDDEN, *NO_EXEC) if _below(path, name)), None)
        if hidden:
            raise ConfigError(
                Reason.INSTALL,
                f"{path}: the units cannot execute what is below {hidden}",
                "make the environment with the system's Python and elsewhere, "
                "such as `/usr/bin/python3 -m venv --system-site-packages /opt/speckled/venv`",
            )


def made_of() -> tuple[Path, ...]:
    """The folders of this Python and of these packages."""
    return Path(sys.base_prefix).resolve(), Path(__file__).resolve().parents[2]


def _below(path: Path, folder: str) -> bool:
    return any(Path(folder) in (each, *each.parents) for each in (path, path.resolve()))
