"""Taking an installation away: what it brought, and with `--purge` also what it made since."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from edge.attest.programs import Program
from edge.install.change import remove_file
from edge.install.manifest import MANIFEST, digest, read_manifest
from edge.install.plan import read

SERVICES = ("speckled-capture.service", "speckled-relay.service", "speckled-relay.socket", "speckled-collector.service")
HELD = ("etc/speckled", "var/lib/speckled")
WORD = "forget"


def remove(root: Path, run: Program | None, *, everything: bool = False) -> Iterator[str]:
    """Stop the units and remove what was installed and not changed since. Settings, keys, ledger and outbox stay.

    Args:
        root: `/`, or the root of an image.
        run: runs commands of the running system; None for an image.
        everything: say nothing of what stays: it is going to be deleted.

    Raises:
        OSError: a file cannot be removed.
    """
    installed = read_manifest(root)
    if run:
        units = [name for name in SERVICES if any(path.endswith(f"/{name}") for path in installed)]
        if units and (answer := run(("systemctl", "disable", "--now", *units))) and answer.status == 0:
            yield f"stopped and disabled {', '.join(units)}"
    for path, known in sorted(installed.items()):
        there = read(root / path)
        if there is None:
            continue
        if digest(there) != known:
            yield f"kept {root / path}: it was changed after it was installed"
            continue
        remove_file(root / path)
        yield f"removed {root / path}"
    (root / MANIFEST).unlink(missing_ok=True)
    if run and installed:
        run(("systemctl", "daemon-reload"))
    kept = [str(root / name) for name in HELD if (root / name).exists()]
    if kept and not everything:
        yield f"kept {' and '.join(kept)}: settings, keys, ledger, outbox"


def purge(root: Path) -> Iterator[str]:
    """Delete settings, keys, ledger and outbox. Raises OSError."""
    for name in HELD:
        if (root / name).exists():
            shutil.rmtree(root / name)
            yield f"deleted {root / name}"
