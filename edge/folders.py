from pathlib import Path

from edge.errors import ConfigError, Reason


def state_folder(name: str, section: str) -> Path:
    """The state directory of one process, made where it is missing. Raises ConfigError."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            Reason.CONFIG, f"{folder}: {error.strerror}", f"name a state directory in {section} that this user may make"
        ) from None
    return folder
