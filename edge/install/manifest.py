"""What was installed here: the hash of each file, so that what a person has changed since is told apart."""

import hashlib
import json
from pathlib import Path

MANIFEST = "var/lib/speckled/installed.json"


def read_manifest(root: Path) -> dict[str, str]:
    """SHA-256 in hexadecimal by path below the root. Empty where nothing is known."""
    try:
        found = json.loads((root / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {path: value for path, value in found.items() if isinstance(value, str) and _inside(path)}


def manifest_text(installed: dict[str, str]) -> str:
    """The file as it is written."""
    return json.dumps(installed, indent=1, sort_keys=True) + "\n"


def digest(text: str) -> str:
    """What stands in the manifest for a file that holds `text`."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _inside(path: str) -> bool:
    """Files are removed by this list, so it must name none but such as are installed."""
    return path.startswith("etc/") and ".." not in Path(path).parts
