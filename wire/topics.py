import hashlib
import re
from dataclasses import dataclass
from typing import Literal, get_args

from wire.errors import WireError, WireReason

Kind = Literal["observation", "state", "health", "ack"]

KINDS: tuple[str, ...] = get_args(Kind)
VERSION = "v1"
QOS: dict[Kind, Literal[0, 1]] = {"observation": 1, "state": 1, "health": 0, "ack": 1}
RETAIN: dict[Kind, bool] = {"observation": False, "state": True, "health": False, "ack": True}
SIGNED = 'application/cose; cose-type="cose-sign1"'
"""RFC 9052, section 11.3.1."""
CONTENT_TYPE: dict[Kind, str] = {
    "observation": SIGNED,
    "state": "application/json",
    "health": "application/json",
    "ack": SIGNED,
}
"""As wire/asyncapi.yaml has it; MQTT 5 carries it, and nobody needs it to read a message."""
# Python's $ also matches before a last line feed, which no topic may have.
DEVICE_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(?!\n)$"
ROOT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,31}(/[a-z0-9][a-z0-9-]{0,31}){0,3}(?!\n)$"


def bucket(device: str) -> str:
    """Two hexadecimal digits by which collectors share devices: the first byte of SHA-256(device id)."""
    return hashlib.sha256(device.encode()).hexdigest()[:2]


@dataclass(frozen=True, slots=True)
class Topics:
    """The four topics of one device: `<root>/v1/<bucket>/<device>/{observation,state,health,ack}`."""

    root: str
    device: str

    def __post_init__(self) -> None:
        """Raise WireError(TOPIC) where the root or the device id cannot be a topic level."""
        if not re.match(ROOT_PATTERN, self.root) or not re.match(DEVICE_PATTERN, self.device):
            raise WireError(WireReason.TOPIC, "the topic root or the device id has characters a topic cannot have")

    def of(self, kind: Kind) -> str:
        """The topic on which messages of this kind travel."""
        return f"{self.root}/{VERSION}/{bucket(self.device)}/{self.device}/{kind}"

    @property
    def observation(self) -> str:
        """Signed observations, from the device."""
        return self.of("observation")

    @property
    def state(self) -> str:
        """Retained birth and last will, from the device."""
        return self.of("state")

    @property
    def health(self) -> str:
        """Delivery counters, from the device."""
        return self.of("health")

    @property
    def ack(self) -> str:
        """Retained signed acknowledgement, from the collector."""
        return self.of("ack")


def parse(topic: str) -> tuple[Topics, Kind]:
    """Take a topic apart. Raises WireError(TOPIC) unless root, version, bucket, device and kind all agree."""
    parts = topic.rsplit("/", 4)
    if len(parts) != 5 or parts[1] != VERSION or parts[4] not in KINDS:
        raise WireError(WireReason.TOPIC, "this is not a topic of version 1")
    topics = Topics(parts[0], parts[3])
    kind: Kind = parts[4]  # type: ignore[assignment]
    if topics.of(kind) != topic:
        raise WireError(WireReason.TOPIC, "the bucket is not that of the device")
    return topics, kind


def subscription(root: str, kind: Kind) -> str:
    """The topic filter that covers every device's messages of one kind."""
    return f"{root}/{VERSION}/+/+/{kind}"
