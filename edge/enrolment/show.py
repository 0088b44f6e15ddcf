"""What the keys of a device are, in lines for people; never a private byte."""

import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from edge.config import Settings
from wire.certificates import read_certificate
from wire.credentials import locate
from wire.keys import before, read_public_key
from wire.rotation import fingerprint
from wire.settings import SettingsError


def key_lines(settings: Settings, now: datetime) -> Iterator[str]:
    """One line for each key, certificate and password that the settings name, and for what comes with them."""
    public = Path(settings.device.public_key)
    yield f"device            {settings.device.id}"
    yield f"signing key       {_mode(locate(settings.device.key))}"
    yield f"public key        {_public(public)}"
    if before(public).exists():
        yield f"key before        {_public(before(public))}: the exchange is not over"
    yield f"collector's key   {_public(Path(settings.mqtt.collector_key))}"
    if before(Path(settings.mqtt.collector_key)).exists():
        yield f"collector before  {_public(before(Path(settings.mqtt.collector_key)))}"
    if settings.mqtt.certificate_file:
        yield f"certificate       {_certificate(locate(settings.mqtt.certificate_file), now)}"
    if settings.mqtt.key_file:
        yield f"TLS key           {_mode(locate(settings.mqtt.key_file))}"
    if settings.mqtt.password_file:
        yield f"password          {_mode(locate(settings.mqtt.password_file))}"


def _mode(path: Path) -> str:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return f"{path}, mode {mode:o}" + (": others may read it" if mode & 0o077 else "")


def _public(path: Path) -> str:
    try:
        return f"{fingerprint(read_public_key(path))}  {path}"
    except SettingsError as error:
        return error.detail


def _certificate(path: Path, now: datetime) -> str:
    try:
        found = read_certificate(path)
    except SettingsError as error:
        return error.detail
    days = (found.ends - now).days
    left = f"{days} days left" if days >= 0 else f"expired {-days} days ago"
    return f"{found.name}, by {found.issuer}, until {found.ends:%Y-%m-%d} ({left})  {path}"
