from pathlib import Path

from edge.errors import Exit, Reason, SpeckledError
from edge.privacy.window import Release


class ReleaseStoreError(SpeckledError):
    """Past releases cannot be kept."""

    exit = Exit.IO


class ReleaseStore:
    """The last releases of each level, as files. A release is safe for the world, so a disk may hold it.

    They let a map continue after a restart. `<root>/<level>/<position>.cbor`; only the newest `keep` stay.
    """

    def __init__(self, root: Path, keep: int) -> None:
        self._root = root
        self._keep = keep

    def add(self, level: str, release: Release) -> None:
        """Keep one release, atomically, and let the oldest go. Raises ReleaseStoreError."""
        folder = self._root / level
        path = folder / f"{release.receipt.position:012d}.cbor"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_bytes(release.to_bytes())
            partial.replace(path)
            for old in self._paths(level)[: -self._keep]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise ReleaseStoreError(
                Reason.LEDGER_IO, f"{folder}: {error.strerror}", "make room on the disk of the capture state directory"
            ) from None

    def last(self, level: str, count: int) -> list[Release]:
        """Up to `count` newest releases of a level, oldest first. A damaged file ends the row: older ones only."""
        releases = []
        for path in self._paths(level)[-count:]:
            try:
                releases.append(Release.from_bytes(path.read_bytes()))
            except (OSError, ValueError):
                releases.clear()
        return releases

    def _paths(self, level: str) -> list[Path]:
        return sorted((self._root / level).glob("*.cbor"))
