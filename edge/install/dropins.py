"""Lines of a unit that depend on this machine or on its settings, each in a file of its own beside the unit."""

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from edge.config import Settings

NEWER = "50-newer-systemd.conf"
BROKER = "60-broker.conf"
CREDENTIALS = "60-credentials.conf"
NEWER_FROM = 254
"""The first systemd that knows every line of NEWER: RestartSteps came with 254, MemoryZSwapMax with 253."""
DEVICE_KEY = Path("/etc/speckled/device.key")
COLLECTOR_KEY = Path("/etc/speckled/collector.key")
_COLLECTOR_SECRETS = (("keys", "key"), ("mqtt", "password_file"), ("mqtt", "key_file"))
_CREDENTIAL = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PLAIN = re.compile(r"/[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class DropIn:
    """One file `name` for `unit`, or, where `text` is empty, the reason why there is none."""

    unit: str
    name: str
    text: str = ""
    why_not: str = ""


def newer(root: Path) -> bool:
    """Whether the systemd below a root is at least NEWER_FROM. Told from the name of its library."""
    name = "systemd/libsystemd-shared-*.so"
    found = [*root.glob(f"usr/lib/*/{name}"), *root.glob(f"usr/lib/{name}")]
    versions = [int(match[1]) for path in found if (match := re.search(r"-(\d+)[^/]*\.so$", path.name))]
    return max(versions, default=0) >= NEWER_FROM


def broker(settings: Settings) -> DropIn:
    """The only addresses that the relay may exchange packets with: this machine's own, and the broker's.

    systemd takes addresses only, and the relay's resolver may ask anybody, so a broker with a name gets no list.
    """
    unit, host = "speckled-relay.service", settings.mqtt.host
    address = _address(host)
    if address is None:
        why = f"the broker {host} is a name, and IPAddressAllow= takes addresses only; name its address in [mqtt] host"
        return DropIn(unit, BROKER, why_not=why)
    listening = _address(settings.metrics.host)
    if settings.metrics.port and not (listening and listening.is_loopback):
        why = f"[metrics] is served at {settings.metrics.host}, to machines that are not known here"
        return DropIn(unit, BROKER, why_not=why)
    allowed = ["localhost"] + ([] if address.is_loopback else [str(address)])
    lines = ["[Service]", "IPAddressDeny=any", *(f"IPAddressAllow={each}" for each in allowed)]
    return DropIn(unit, BROKER, "\n".join(lines) + "\n")


def relay_credentials(settings: Settings, root: Path) -> DropIn:
    """The relay's secret files, which root may then keep to itself: systemd hands each over under its own name."""
    unit = "speckled-relay.service"
    secret = [Path(name) for name in (settings.mqtt.password_file, settings.mqtt.key_file) if name]
    if not secret:
        return DropIn(unit, CREDENTIALS, why_not="[mqtt] names no password_file and no key_file")
    return _credentials(unit, secret, root)


def capture_credentials(settings: Settings, root: Path) -> DropIn:
    """The device's key, where it is not the one that the unit names."""
    unit, key = "speckled-capture.service", Path(settings.device.key)
    if _seen_inside(key, root) == DEVICE_KEY:
        return DropIn(unit, CREDENTIALS, why_not=f"the unit names {DEVICE_KEY} already")
    return _credentials(unit, [key], root, "LoadCredential=\n")


def collector_credentials(settings: Path, root: Path) -> DropIn:
    """The collector's secret files, where there are others than the one that its unit names.

    collector.toml is another house's: three of its keys are read here, and whether the rest is right is not asked.

    Raises:
        OSError, ValueError: the settings cannot be read, or are no TOML.
    """
    unit = "speckled-collector.service"
    with settings.open("rb") as file:
        read = tomllib.load(file)
    named = [(read.get(table) or {}).get(key) for table, key in _COLLECTOR_SECRETS]
    secret = [settings.parent / name for name in named if isinstance(name, str)]
    other = [path for path in secret if _seen_inside(path, root) != COLLECTOR_KEY]
    if not other:
        return DropIn(unit, CREDENTIALS, why_not=f"the unit names {COLLECTOR_KEY} already")
    own = isinstance(named[0], str) and settings.parent / named[0] in other
    return _credentials(unit, other, root, "LoadCredential=\n" if own else "")


def _credentials(unit: str, files: list[Path], root: Path, first: str = "") -> DropIn:
    lines = ["[Service]\n", first]
    for path in files:
        inside = _seen_inside(path, root)
        if not _CREDENTIAL.fullmatch(path.name) or not _PLAIN.fullmatch(inside.as_posix()):
            why = f"{path}: in a unit it must be made of letters, digits and '._-/'"
            return DropIn(unit, CREDENTIALS, why_not=why)
        if not path.is_file():
            # A unit whose credential is missing does not start at all; the program would say what is the matter.
            return DropIn(unit, CREDENTIALS, why_not=f"{path} is not there yet; install again when it is")
        lines.append(f"LoadCredential={path.name}:{inside}\n")
    return DropIn(unit, CREDENTIALS, "".join(lines))


def _seen_inside(path: Path, root: Path) -> Path:
    """The path as the system will see it that is below `root`."""
    return Path("/") / path.relative_to(root) if path.is_relative_to(root) else path


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if host == "localhost":
        return ipaddress.ip_address("127.0.0.1")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
