import logging
from pathlib import Path

from edge.errors import Reason, SpeckledError
from edge.privacy.window import Release
from wire.exit import Exit

log = logging.getLogger("speckled.capture")


class ReleaseStoreError(SpeckledError):
    """Past releases cannot be kept."""

    exit = Exit.IO


class ReleaseStore:
    """The last releases of each level, as files. A release is safe for the world, so a disk may hold it.

    They let a map continue after a restart. `<root>/<level>/<position>.cbor`; only the newest `keep` stay. Releases
    of another epoch are not given out: that one may have had another camera, grid or place.
    """

    def __init__(self, root: Path, keep: int, *, epoch: bytes) -> None:
        """`epoch`: of the ledger that is open, 16 bytes."""
        self._root = root
        self._keep = keep
        self._epoch = epoch

    def add(self, level: str, release: Release) -> None:
        """Keep one release, atomically, and let the oldest go. Raises ReleaseStoreError."""
        folder = self._root / level
        path = folder / f"{release.receipt.position:012d}.cbor"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_bytes(release.to_bytes())
            partial.replace(path)
            # Positions only grow, so a later one is of a ledger that was taken away.
            files = self._paths(level)
            newest = files.index(path) + 1
            for other in files[: max(0, newest - self._keep)] + files[newest:]:
                other.unlink(missing_ok=True)
        except OSError as error:
            raise ReleaseStoreError(
                Reason.LEDGER_IO, f"{folder}: {error.strerror}", "make room on the disk of the capture state directory"
            ) from None

    def kept(self, level: str) -> list[Release]:
        """The newest releases of a level, oldest first, back to the first that is damaged or of another epoch."""
        releases: list[Release] = []
        for path in reversed(self._paths(level)):
            try:
                release = Release.from_bytes(path.read_bytes())
            except (OSError, ValueError):
                log.warning("%s is damaged: the map goes on without it and those before it", path)
                break
            if release.receipt.epoch != self._epoch:
                break
            releases.insert(0, release)
        return releases

    def _paths(self, level: str) -> list[Path]:
        return sorted((self._root / level).glob("*.cbor"))
