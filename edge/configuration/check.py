"""Everything that can be found wrong with the settings of a device without its hardware."""

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.config import Settings, check_promise, layers_of, load
from edge.errors import ConfigError
from wire.credentials import locate
from wire.faults import Fault, find_faults
from wire.keys import read_private_key, read_public_key
from wire.layers import Layers
from wire.options import read_password, tls_context, warnings
from wire.settings import SettingsError, settings_from

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def faults_of(path: Path, *, environment: Mapping[str, str], assignments: Sequence[str]) -> list[Fault]:
    """All faults: of the keys first; only where there are none, of the promise and of the files that are named.

    Raises:
        ConfigError: a layer cannot be read, or is not TOML.
    """
    layers = layers_of(path, environment=environment, assignments=assignments)
    faults = find_faults(layers, Settings)
    if faults:
        return faults
    settings = settings_from(layers, Settings)
    try:
        check_promise(layers, settings)
    except ConfigError as error:
        faults.append(_refused(error))
    return faults + list(_of_files(layers, load(path, environment=environment, assignments=assignments, promise=False)))


def _refused(error: ConfigError) -> Fault:
    where, _, rest = error.detail.partition(": ")
    what, _, place = rest.rpartition(" - at `$.")
    return Fault(where, place.strip("`"), what, error.remedy)


def _of_files(layers: Layers, settings: Settings) -> Iterator[Fault]:
    """Keys, passwords and certificates that are named and cannot be used."""
    device, mqtt = settings.device, settings.mqtt
    attempts: dict[str, Callable[[], object]] = {
        "device.key": lambda: read_private_key(locate(device.key)),
        "device.public_key": lambda: read_public_key(Path(device.public_key)),
        "mqtt.collector_key": lambda: read_public_key(Path(mqtt.collector_key)),
        "mqtt.password_file": lambda: read_password(mqtt),
        "mqtt.ca_file": lambda: tls_context(mqtt),
    }
    sound = {}
    for place, attempt in attempts.items():
        try:
            sound[place] = attempt()
        except SettingsError as error:
            yield Fault(layers.where(place), place, error.detail, error.remedy)
    private, public = sound.get("device.key"), sound.get("device.public_key")
    if isinstance(private, Ed25519PrivateKey) and isinstance(public, Ed25519PublicKey):
        yield from _of_pair(layers, private, public)


def _of_pair(layers: Layers, private: Ed25519PrivateKey, public: Ed25519PublicKey) -> Iterator[Fault]:
    if private.public_key().public_bytes_raw() != public.public_bytes_raw():
        place, remedy = "device.public_key", "put both files of one pair there"
        yield Fault(layers.where(place), place, "the public key is not that of the private key", remedy)


def warnings_of(settings: Settings) -> list[str]:
    """What works and should be otherwise, a sentence each."""
    found = list(warnings(settings.mqtt))
    key = locate(settings.device.key)
    try:
        if key.stat().st_mode & OTHERS:
            found.append(f"{key} can be read by others than its owner: chmod 600 {key}")
    except OSError:
        pass
    if not settings.capture.require_locked_memory:
        found.append("frames may be swapped to a disk: require_locked_memory = false is for trials")
    return found
