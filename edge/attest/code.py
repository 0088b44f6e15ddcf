import hashlib
import importlib.util
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOMS = ("audit", "collector", "drivers", "edge", "models", "wire")
"""The packages that the program is made of."""
COMPILED = "__pycache__"


def installed_rooms() -> dict[str, Path]:
    """The folder of each room as this Python would import it; a room that is not installed is left out."""
    found = {}
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        if folders:
            found[room] = Path(folders[0])
    return found


def code_hash(rooms: Mapping[str, Path]) -> bytes:
    """SHA-256 over the files of these packages, in a form that coreutils can recompute.

    It is the hash of what `sha256sum` prints for every regular file outside __pycache__, by its path from the folder
    in which the packages are, in the byte order of these paths. So, in that folder:

        find audit collector drivers edge models wire -name __pycache__ -prune -o -type f -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum

    Raises:
        OSError: a file or a folder cannot be read.
    """
    files = {f"{room}/{name}": path for room, folder in rooms.items() for name, path in _files(folder)}
    digest = hashlib.sha256()
    for name in sorted(files, key=os.fsencode):
        content = hashlib.sha256(files[name].read_bytes()).hexdigest()
        digest.update(os.fsencode(f"{content}  {name}\n"))
    return digest.digest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if name != COMPILED]
        for name in names:
            path = Path(place, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path.relative_to(folder).as_posix(), path


def _raise(error: OSError) -> None:
    raise error
