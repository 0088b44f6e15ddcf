"""The sections of speckled.toml that say how the two processes run on a device, and how they are watched."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class CaptureSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where capture keeps its ledger and its past releases, and how many of those."""

    state: str = "/var/lib/speckled/capture"
    keep_releases: Annotated[int, Meta(ge=1, le=4096)] = 64
    require_locked_memory: bool = True


class RelaySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the relay listens for capture and keeps its outbox, and how much of it.

    outbox_mb: MiB that observations may take on the disk; where a new one would need more, the oldest give way.
    outbox_days: days that the relay has run while an observation waited, after which it is given up. message_expiry:
    seconds after which a broker drops an observation that it could not hand on; the outbox sends it again.
    """

    socket: str = "/run/speckled/relay.sock"
    state: str = "/var/lib/speckled/relay"
    outbox_mb: Annotated[int, Meta(ge=1, le=65536)] = 256
    outbox_days: Annotated[int, Meta(ge=1, le=36500)] = 90
    health_seconds: Annotated[float, Meta(gt=0, le=86400)] = 30.0
    resend_seconds: Annotated[float, Meta(gt=0, le=86400)] = 30.0
    message_expiry: Annotated[int, Meta(ge=60, le=2**32 - 1)] = 7 * 86400


class FeaturesSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How maps are described; none of it changes what is promised.

    method: learned is the network of models/, sift needs none. fallback: what may take the place of a network that is
    refused. expected_false: keypoints that learned finds in a map of pure noise, on average. most: keypoints of a map
    that learned describes.
    """

    method: Literal["learned", "sift"] = "learned"
    fallback: Literal["none", "sift"] = "none"
    expected_false: Annotated[float, Meta(ge=0.01, le=64)] = 4.0
    most: Annotated[int, Meta(ge=1, le=256)] = 256


class SwitchSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The privacy switch: while it is off, the camera is closed.

    file: where it exists, the switch is off (`speckled camera off` makes it). gpio: a line of a GPIO chip, such as
    gpiochip0:17, with a switch to ground; gpio_off: the level that means off.
    """

    file: str = "/var/lib/speckled/camera-off"
    gpio: Annotated[str, Meta(pattern=r"^(/dev/)?gpiochip\d+:\d+$")] | None = None
    gpio_off: Literal["high", "low"] = "high"


class MetricsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where figures about the running processes can be read, in Prometheus' text format.

    host, port: where the relay answers; port 0 turns it off. textfile: a file that capture, which has no network,
    writes for node_exporter's textfile collector; none is written without it.
    """

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 9464
    textfile: str | None = None


class HomeAssistantSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Device discovery for Home Assistant: health, budget and entropy, never a camera."""

    enabled: bool = False
    prefix: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "homeassistant"


class AimSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`speckled aim`, which draws edges of what the camera sees in the terminal: off unless enabled."""

    enabled: bool = False
    seconds: Annotated[int, Meta(ge=1, le=600)] = 120
