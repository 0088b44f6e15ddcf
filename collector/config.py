"""The settings of one collector, as they stand in collector.toml."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from collector.errors import ConfigError, Reason
from wire.options import BrokerOptions
from wire.settings import SettingsError, read_layers, settings_from
from wire.topics import ROOT_PATTERN

DROP_INS, PREFIX = "collector.d", "SPECKLED_COLLECTOR_"
PRIVATE_KEY, PUBLIC_KEY, DEVICES, STORE = "collector.key", "collector.pub", "devices", "collector.db"

EXAMPLE = f"""\
# Settings of `speckled collector`. Relative paths are relative to this file.

[mqtt]
host = "127.0.0.1"
port = 1883
# protocol = "3.1.1"            # MQTT 5 unless the broker cannot speak it
# username = "collector"
# password_file = "password"
# ca_file = "ca.pem"             # turns TLS on, usually on port 8883: docs/broker.md
# certificate_file = "collector.crt"
# key_file = "tls.key"
root = "speckled"
client_id = "speckled-collector"

[store]
path = "{STORE}"

[keys]
key = "{PRIVATE_KEY}"           # secret: it signs the acknowledgements
devices = "{DEVICES}"             # one <device>.pub for each device that is listened to

[page]
host = "127.0.0.1"              # the page asks for no password: keep it local or behind a proxy that does
port = 8080
"""


class MqttSettings(BrokerOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The broker, the root of the topics, and the name under which the broker keeps this collector's session."""

    root: Annotated[str, Meta(pattern=ROOT_PATTERN)] = "speckled"
    client_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "speckled-collector"


class StoreSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the observations are kept."""

    path: str = STORE


class KeySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The collector's private key, and the directory of the devices' public keys."""

    key: str = PRIVATE_KEY
    devices: str = DEVICES


class PageSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the page is served; `port` 0 takes a free one."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """collector.toml as a whole. Without [page] no page is served."""

    mqtt: MqttSettings = MqttSettings()
    store: StoreSettings = StoreSettings()
    keys: KeySettings = KeySettings()
    page: PageSettings | None = None


def load(path: Path | None, *, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read collector.toml, collector.d/*.toml beside it and SPECKLED_COLLECTOR_SECTION__KEY; make paths absolute.

    Without a file they are relative to the working directory.

    Raises:
        ConfigError: CONFIG, with the file, the key, what is wrong with it and a suggestion.
    """
    try:
        layers = read_layers(path, Settings, drop_ins=DROP_INS, prefix=PREFIX, environment=environment)
        settings = settings_from(layers, Settings)
    except SettingsError as error:
        raise ConfigError(Reason.CONFIG, error.detail, error.remedy) from None
    return _absolute(settings, Path.cwd() if path is None else path.resolve().parent)


def _absolute(settings: Settings, base: Path) -> Settings:
    """The same settings with every relative path taken from `base`."""

    def fix(path: str | None) -> str | None:
        return None if path is None else str(base / path)

    files = ("password_file", "ca_file", "certificate_file", "key_file")
    mqtt = msgspec.structs.replace(settings.mqtt, **{name: fix(getattr(settings.mqtt, name)) for name in files})
    store = StoreSettings(path=str(base / settings.store.path))
    keys = KeySettings(key=str(base / settings.keys.key), devices=str(base / settings.keys.devices))
    return msgspec.structs.replace(settings, mqtt=mqtt, store=store, keys=keys)
