"""The exposure of each unit, as systemd-analyze says, in a file that passes it to processes which may not ask."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

UNITS = ("speckled-capture", "speckled-relay", "speckled-collector")
EXPOSURE_FILE = Path("/var/lib/speckled/exposure.json")
LARGEST = 100
"""Ten times the worst score."""
_MOST_BYTES = 4096


def read_exposure(path: Path | None) -> dict[str, int]:
    """Ten times the exposure of each unit; nothing where the file is missing, is not such a file, or is not ours.

    Only a file of root or of this user counts that nobody else can write: the folder may belong to the relay, and
    capture signs what stands here.
    """
    if path is None:
        return {}
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not _trustworthy(os.fstat(file.fileno())):
                return {}
            found = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {unit: found[unit] for unit in UNITS if type(found.get(unit)) is int and 0 <= found[unit] <= LARGEST}


def write_exposure(path: Path, exposure: Mapping[str, int]) -> None:
    """Put the file in its place in one step, readable by all. Raises OSError.

    Run by root in a folder of the relay's, it must follow no link that somebody left there: the new file is made
    under a name nobody can know, and takes the place of whatever has the name.
    """
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)  # whatever the umask of the unit
            json.dump(dict(exposure), file, sort_keys=True)
            file.write("\n")
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _trustworthy(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid in {0, os.geteuid()} and not found.st_mode & 0o022
