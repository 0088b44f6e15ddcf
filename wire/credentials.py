import os
from collections.abc import Mapping
from pathlib import Path


def locate(path: str | Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Where a secret file that the settings name is to be read from.

    A service manager may hand it over in a folder of its own (systemd.exec(5), LoadCredential= and
    LoadCredentialEncrypted=): what lies in $CREDENTIALS_DIRECTORY under the same name goes before the path itself.
    """
    path = Path(path)
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder:
        handed_over = Path(folder) / path.name
        if handed_over.exists():
            return handed_over
    return path
