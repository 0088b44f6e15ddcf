"""Carrying a plan out: whole files or none, each on the disk before the next."""

import os
from pathlib import Path

from edge.install.manifest import MANIFEST, manifest_text
from edge.install.plan import Plan, read
from edge.privacy.files import sync_directory, write_all

MODE = 0o644


def carry_out(plan: Plan, root: Path) -> list[str]:
    """Write and remove what the plan says, and tell each. The manifest comes last. Raises OSError."""
    told = []
    for write in plan.writes:
        put(root / write.path, write.text)
        told.append(f"{'wrote' if write.before is None else 'replaced'} {root / write.path}")
    for drop in plan.drops:
        remove_file(root / drop.path)
        told.append(f"removed {root / drop.path}")
    text, before = manifest_text(plan.manifest), read(root / MANIFEST)
    if before != text and (before is not None or plan.manifest):
        put(root / MANIFEST, text)
    return told


def put(path: Path, text: str) -> None:
    """Put a file in its place in one step, with its folders, readable by everybody. Raises OSError."""
    _make_folders(path.parent)
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, MODE)
    try:
        try:
            os.fchmod(descriptor, MODE)
            write_all(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path)


def remove_file(path: Path) -> None:
    """Remove a file, and its folder if that was a unit's folder of drop-ins and is empty now. Raises OSError."""
    path.unlink(missing_ok=True)
    if path.parent.name.endswith(".d") and path.parent.name.startswith("speckled-") and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _make_folders(folder: Path) -> None:
    """As mkdir -p, readable by everybody whatever the umask: systemd's own folders are."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir()
    folder.chmod(0o755)
