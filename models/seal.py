"""Write sizes and hashes into a model's manifest, and tell the line for models/pinned.py.

    python -m models.seal NAME [FOLDER]

For who has made a model again. Nothing that runs on a device calls it.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

from models.load import FOLDER
from models.manifest import read_manifest


def seal(path: Path) -> str:
    """Fill in `sha256` and `bytes` of the network and the codebook of a manifest, and write it back.

    Returns:
        SHA-256 of the manifest in hex.

    Raises:
        msgspec.ValidationError: it is no manifest then either.
    """
    tree = json.loads(path.read_text(encoding="utf-8"))
    for part in filter(None, (tree["network"], tree.get("codebook"))):
        data = (path.parent / part["file"]).read_bytes()
        part |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    sealed = (json.dumps(tree, indent=2) + "\n").encode()
    read_manifest(sealed)
    path.write_bytes(sealed)
    return hashlib.sha256(sealed).hexdigest()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Write sizes and hashes into a model's manifest.")
    parser.add_argument("name")
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    given = parser.parse_args()
    sys.stdout.write(f'    "{given.name}": "{seal(given.folder / f"{given.name}.json")}",\n')


if __name__ == "__main__":
    main()
