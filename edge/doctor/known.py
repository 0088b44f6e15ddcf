"""What of the settings can be used, also where not all of them can: so that one fault does not hide the others."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from edge.config import CameraSettings, DeviceSettings, MqttSettings, Settings, check_promise, layers_of, load
from edge.errors import ConfigError
from edge.sections import CaptureSettings, FeaturesSettings, RelaySettings, SwitchSettings
from edge.sources import DiscoverSettings, QrngSettings, absolute, absolute_source
from wire.faults import find_faults

S = TypeVar("S", bound=msgspec.Struct)
UNKNOWN = "unknown"
_MOST_FAULTS = 64


class Fault(NamedTuple):
    """What is wrong with the settings, and what to do."""

    detail: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The sections that the checks ask for, with the defaults for what cannot be used. Paths are absolute.

    identified: whether the device has a name. camera: None where none can be known.
    """

    device: DeviceSettings
    identified: bool
    camera: CameraSettings | None
    qrng: QrngSettings
    features: FeaturesSettings
    capture: CaptureSettings
    relay: RelaySettings
    switch: SwitchSettings
    mqtt: MqttSettings
    faults: tuple[Fault, ...] = ()


def read_known(path: Path) -> Known:
    """Settings as `edge.config.load` reads them; where it refuses, what can be used of them, with every fault."""
    try:
        layers = layers_of(path)
    except ConfigError as error:
        return _rest_of({}, path, (Fault(error.detail, error.remedy),))
    faults = tuple(Fault(fault.detail, fault.remedy) for fault in find_faults(layers, Settings))
    if faults:
        return _rest_of(layers.tree, path, faults)
    settings = load(path, promise=False)
    try:
        check_promise(layers, settings)
    except ConfigError as error:
        faults = (Fault(error.detail, error.remedy),)
    return Known(
        device=settings.device,
        identified=True,
        camera=settings.camera,
        qrng=settings.qrng,
        features=settings.features,
        capture=settings.capture,
        relay=settings.relay,
        switch=settings.switch,
        mqtt=settings.mqtt,
        faults=faults,
    )


def _rest_of(sections: dict[str, Any], path: Path, faults: tuple[Fault, ...]) -> Known:
    base = path.absolute().parent
    camera: CameraSettings | None = _converted(sections.get("camera"), CameraSettings)
    qrng: QrngSettings | None = _converted(sections.get("qrng"), QrngSettings)
    device = _usable(sections, "device", DeviceSettings, DeviceSettings(id=UNKNOWN))
    return Known(
        device=absolute(device, base, "key", "public_key"),
        identified=device.id != UNKNOWN,
        camera=camera,
        qrng=absolute_source(qrng or DiscoverSettings(), base),
        features=_usable(sections, "features", FeaturesSettings, FeaturesSettings()),
        capture=absolute(_usable(sections, "capture", CaptureSettings, CaptureSettings()), base, "state"),
        relay=absolute(_usable(sections, "relay", RelaySettings, RelaySettings()), base, "socket", "state"),
        switch=absolute(_usable(sections, "switch", SwitchSettings, SwitchSettings()), base, "file"),
        mqtt=absolute(
            _usable(sections, "mqtt", MqttSettings, MqttSettings()),
            base,
            *("collector_key", "password_file", "ca_file", "certificate_file", "key_file"),
        ),
        faults=faults,
    )


def _usable(sections: dict[str, Any], name: str, kind: type[S], default: S) -> S:
    """One section without the keys that do not fit; the default where it does not fit without them either."""
    section = sections.get(name, {})
    keys = dict(section) if isinstance(section, dict) else {}
    for _ in range(_MOST_FAULTS):
        try:
            return msgspec.convert(keys, kind)
        except msgspec.ValidationError as error:
            wrong = re.search(r"unknown field `(.+?)`|at `\$\.([^.`\[]+)", str(error))
            if wrong is None or keys.pop(wrong[1] or wrong[2], None) is None:
                return default
    return default


def _converted(section: Any, kind: Any) -> Any:
    """The section as one of a union of structs, or None."""
    try:
        return msgspec.convert(section, kind)
    except msgspec.ValidationError:
        return None
