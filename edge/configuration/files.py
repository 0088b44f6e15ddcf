"""The files that settings name: whether they can be used, and who else can read them."""

import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.config import FolderSettings, OpenCvSettings, Settings
from edge.devices import commissioned_credit
from edge.errors import ConfigError
from edge.sources import EmulatedProfileSettings, ProfileSettings, QCicadaSettings
from wire.credentials import locate
from wire.faults import Fault
from wire.keys import read_private_key, read_public_key
from wire.layers import Layers
from wire.options import read_password, tls_context
from wire.settings import SettingsError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PASSWORD = re.compile(r"://[^/@]+:[^/@]*@")

_REMEDIES = {"mqtt.collector_key": "copy collector.pub from the collector, and name it there"}
"""Where the file is somebody else's to make."""


def faults_of_files(layers: Layers, settings: Settings) -> Iterator[Fault]:
    """Keys, passwords, certificates, profiles and folders that are named and cannot be used. Paths are absolute."""
    sound = {}
    for place, attempt in _attempts(settings).items():
        try:
            sound[place] = attempt()
        except (SettingsError, ConfigError) as error:
            yield Fault(layers.where(place), place, error.detail, _REMEDIES.get(place, error.remedy))
    private, public = sound.get("device.key"), sound.get("device.public_key")
    if (
        isinstance(private, Ed25519PrivateKey)
        and isinstance(public, Ed25519PublicKey)
        and private.public_key().public_bytes_raw() != public.public_bytes_raw()
    ):
        place, remedy = "device.public_key", "put both files of one pair there"
        yield Fault(layers.where(place), place, "the public key is not that of the private key", remedy)


def open_to_others(settings: Settings, files: Iterator[str]) -> Iterator[str]:
    """Secrets that others than their owner can read, a sentence each. files: that name the camera's address."""
    secret = (settings.device.key, settings.mqtt.password_file, settings.mqtt.key_file)
    for path in (locate(name) for name in secret if name):
        if _mode(path) & _OTHERS:
            yield f"{path} can be read or written by others than its owner: chmod 600 {path}"
    camera = settings.camera
    if isinstance(camera, OpenCvSettings) and _PASSWORD.search(str(camera.source)):
        for name in files:
            if _mode(Path(name)) & stat.S_IROTH:
                yield f"{name} can be read by everybody, and camera.source has a password: chmod o-r {name}"


def _attempts(settings: Settings) -> dict[str, Callable[[], object]]:
    device, mqtt, camera, qrng = settings.device, settings.mqtt, settings.camera, settings.qrng
    attempts: dict[str, Callable[[], object]] = {
        "device.key": lambda: read_private_key(locate(device.key)),
        "device.public_key": lambda: read_public_key(Path(device.public_key)),
        "mqtt.collector_key": lambda: read_public_key(Path(mqtt.collector_key)),
        "mqtt.password_file": lambda: read_password(mqtt),
        "mqtt.ca_file": lambda: tls_context(mqtt),
        "entropy.commissioned": lambda: commissioned_credit(settings.entropy),
    }
    if isinstance(camera, FolderSettings):
        attempts["camera.path"] = lambda: _look(Path(camera.path), folder=True)
    if isinstance(camera, OpenCvSettings) and isinstance(camera.source, str) and "://" not in camera.source:
        attempts["camera.source"] = lambda: _look(Path(str(camera.source)))
    for place, source in {
        "qrng": qrng,
        **{f"entropy.partners[{i}]": each for i, each in enumerate(settings.entropy.partners)},
    }.items():
        if isinstance(source, ProfileSettings | EmulatedProfileSettings):
            attempts[f"{place}.file"] = lambda name=source.file: _look(Path(name))  # type: ignore[misc]  # a default binds it now
        if isinstance(source, QCicadaSettings) and source.public_key:
            attempts[f"{place}.public_key"] = lambda name=source.public_key: _look(Path(name))  # type: ignore[misc]  # as above
    return attempts


def _look(path: Path, *, folder: bool = False) -> None:
    """Raises SettingsError where a file or folder is not there, or may not be read."""
    try:
        if folder:
            next(path.iterdir(), None)
        else:
            path.open("rb").close()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", f"name a readable {'folder' if folder else 'file'}") from None


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0
