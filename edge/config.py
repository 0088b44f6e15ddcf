"""The settings of one device, as they stand in speckled.toml."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from edge.errors import ConfigError, Reason
from edge.promise import PrivacySettings, PromiseRefused, plan_of
from edge.sections import (
    AimSettings,
    CaptureSettings,
    FeaturesSettings,
    HomeAssistantSettings,
    MetricsSettings,
    RelaySettings,
    SwitchSettings,
)
from edge.sources import DiscoverSettings, EntropySettings, QrngSettings, absolute, absolute_source
from wire.layers import Layers
from wire.options import BrokerOptions
from wire.schema import DeviceId
from wire.settings import SettingsError, read_layers, settings_from
from wire.topics import ROOT_PATTERN

DROP_INS = "conf.d"
PREFIX, COLLECTOR_PREFIX = "SPECKLED_", "SPECKLED_COLLECTOR_"
"""Of environment variables with settings of the device, and of the collector."""
LARGEST = 8192
Size = Annotated[int, Meta(ge=16, le=LARGEST)]


class DeviceSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who the device is. `key` is secret and read by capture only; the relay reads `public_key`."""

    id: DeviceId
    key: str = "device.key"
    public_key: str = "device.pub"


class Picamera2Settings(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="picamera2"
):
    """A Raspberry Pi camera. `stream`: `raw` sums sensor pixels ourselves, `luma` trusts the image processor.

    With `raw`, width and height are half of a mode of the sensor; the defaults are Camera Module 2's 1640 x 1232.
    """

    width: Size = 820
    height: Size = 616
    number: Annotated[int, Meta(ge=0)] = 0
    stream: Literal["luma", "raw"] = "raw"
    exposure_us: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    gain: Annotated[float, Meta(ge=1, le=64)] = 1.0


class OpenCvSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="opencv"):
    """A webcam (`source` is its number), a video file, or an RTSP address.

    `exposure_fixed`: the operator's word that the exposure of a live source does not follow the scene.
    """

    source: int | str
    width: Size | None = None
    height: Size | None = None
    live: bool = True
    exposure_fixed: bool = False


class FolderSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="folder"):
    """A folder of images, in the order of their names."""

    path: str
    repeat: bool = False


class SyntheticSettings(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="synthetic"
):
    """A drawn place with people walking through it. `seed` chooses the place, `people` who comes."""

    width: Size = 640
    height: Size = 480
    seed: int = 1
    people: int = 1
    visit_frames: Annotated[int, Meta(ge=1)] = 2
    frames: Annotated[int, Meta(ge=1)] | None = None


CameraSettings = Picamera2Settings | OpenCvSettings | FolderSettings | SyntheticSettings


class MqttSettings(BrokerOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The broker, the root of the topics, and the key of the collector whose word frees the outbox."""

    root: Annotated[str, Meta(pattern=ROOT_PATTERN)] = "speckled"
    collector_key: str = "collector.pub"


class SimulationSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many times faster than life frames are taken. Only a simulated camera may be hurried."""

    speedup: Annotated[int, Meta(ge=1, le=10**9)] = 1


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """speckled.toml as a whole. Relative paths are relative to the file."""

    device: DeviceSettings
    camera: CameraSettings
    qrng: QrngSettings = DiscoverSettings()
    entropy: EntropySettings = EntropySettings()
    privacy: PrivacySettings = PrivacySettings()
    features: FeaturesSettings = FeaturesSettings()
    capture: CaptureSettings = CaptureSettings()
    relay: RelaySettings = RelaySettings()
    mqtt: MqttSettings = MqttSettings()
    switch: SwitchSettings = SwitchSettings()
    metrics: MetricsSettings = MetricsSettings()
    home_assistant: HomeAssistantSettings = HomeAssistantSettings()
    aim: AimSettings = AimSettings()
    simulation: SimulationSettings = SimulationSettings()


def layers_of(path: Path, *, environment: Mapping[str, str] = os.environ, assignments: Sequence[str] = ()) -> Layers:
    """What speckled.toml is made of: the file, conf.d/*.toml beside it, SPECKLED_SECTION__KEY, and --set.

    Raises:
        ConfigError: one of them cannot be read.
    """
    try:
        return read_layers(
            path,
            Settings,
            drop_ins=DROP_INS,
            prefix=PREFIX,
            but=(COLLECTOR_PREFIX,),
            environment=environment,
            assignments=assignments,
        )
    except SettingsError as error:
        raise ConfigError(Reason.CONFIG, error.detail, error.remedy) from None


def load(
    path: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    assignments: Sequence[str] = (),
    promise: bool = True,
) -> Settings:
    """Read the settings and make their paths absolute; relative ones are relative to the folder of `path`.

    Whether the promise can be kept is looked at, unless `promise` says that somebody else does.

    Raises:
        ConfigError: with the key, what is wrong with it and a suggestion.
    """
    layers = layers_of(path, environment=environment, assignments=assignments)
    try:
        settings = settings_from(layers, Settings, lister="speckled config check")
    except SettingsError as error:
        raise ConfigError(Reason.CONFIG, error.detail, error.remedy) from None
    if promise:
        check_promise(layers, settings)
    return with_absolute_paths(settings, path.resolve().parent)


def check_promise(layers: Layers, settings: Settings) -> None:
    """Whether the promise can be kept, as far as that is known before the camera tells how large its frames are.

    Raises:
        ConfigError: it cannot; where that is said, why, and what could be.
    """
    for refused in refusals(layers, settings):
        raise refused


def refusals(layers: Layers, settings: Settings, size: tuple[int, int] | None = None) -> Iterator[ConfigError]:
    """Each reason why the promise cannot be kept. size: of frames, in pixels, where somebody knows it."""
    camera = settings.camera
    width, height = size or (getattr(camera, "width", None) or LARGEST, getattr(camera, "height", None) or LARGEST)
    try:
        plan_of(settings.privacy, width=width, height=height, max_value=255)
    except PromiseRefused as refused:
        yield _at(layers, f"privacy.{refused.key}", refused.detail, refused.remedy)
    if settings.privacy.fuse > settings.capture.keep_releases:
        remedy = "keep at least as many as `fuse` says"
        yield _at(layers, "capture.keep_releases", "more releases are fused than kept", remedy)


def _at(layers: Layers, place: str, what: str, remedy: str) -> ConfigError:
    return ConfigError(Reason.CONFIG, f"{layers.where(place)}: {what} - at `$.{place}`", remedy)


def configuration_hash(settings: Settings) -> bytes:
    """SHA-256 over what the promise depends on: camera, privacy and time; a ledger epoch is bound to it.

    It is published, so no password is in it: whoever guesses one could tell from the hash that they are right.
    """
    camera: Struct = settings.camera
    if isinstance(camera, OpenCvSettings) and isinstance(camera.source, str):
        camera = msgspec.structs.replace(camera, source=_without_password(camera.source))
    parts = msgspec.to_builtins([settings.device.id, camera, settings.privacy, settings.simulation])
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).digest()


def _without_password(source: str) -> str:
    scheme, mark, rest = source.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + mark + host.rpartition("@")[2] + slash + path if mark else source


def with_absolute_paths(settings: Settings, base: Path) -> Settings:
    """The same settings with every relative path taken from `base`."""
    camera: CameraSettings = settings.camera
    if isinstance(camera, FolderSettings):
        camera = absolute(camera, base, "path")
    elif isinstance(camera, OpenCvSettings) and isinstance(camera.source, str) and "://" not in camera.source:
        camera = absolute(camera, base, "source")
    entropy = absolute(settings.entropy, base, "commissioned")
    partners = tuple(absolute_source(partner, base) for partner in entropy.partners)
    return msgspec.structs.replace(
        settings,
        device=absolute(settings.device, base, "key", "public_key"),
        camera=camera,
        qrng=absolute_source(settings.qrng, base),
        entropy=msgspec.structs.replace(entropy, partners=partners),
        capture=absolute(settings.capture, base, "state"),
        relay=absolute(settings.relay, base, "socket", "state"),
        switch=absolute(settings.switch, base, "file"),
        metrics=absolute(settings.metrics, base, "textfile"),
        mqtt=absolute(settings.mqtt, base, "collector_key", "password_file", "ca_file", "certificate_file", "key_file"),
    )
