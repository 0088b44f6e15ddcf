"""The gates between the broker and the store, cheapest first."""

from collections.abc import Callable

from collector.errors import Reason, Rejected
from collector.keys import ENROL
from wire.check import check as check_statement
from wire.codec import decode
from wire.cose import Keys, verify
from wire.errors import WireError, WireReason
from wire.schema import MAX_MESSAGE, Observation
from wire.topics import Topics, parse


def check(topic: str, envelope: bytes, root: str, key_of: Callable[[str], Keys | None]) -> Observation:
    """The observation in this envelope, if the device of this topic signed it and it keeps the contract.

    In order: size, topic, device known, signature over payload and topic, schema, device named inside, statement.
    Nothing of the payload is parsed before its signature holds.

    Raises:
        WireError: OVERSIZE, TOPIC, MALFORMED, SIGNATURE, NOT_DETERMINISTIC, UNSUPPORTED or SCHEMA.
        Rejected: UNKNOWN_DEVICE or OTHER_DEVICE.
    """
    if len(envelope) > MAX_MESSAGE:
        raise WireError(WireReason.OVERSIZE, f"{len(envelope)} bytes")
    device = _device_of(topic, root)
    key = key_of(device)
    if key is None:
        raise Rejected(Reason.UNKNOWN_DEVICE, f"no usable public key of `{device}`", ENROL)
    observation = decode(verify(envelope, key, topic), Observation)
    if observation.device != device:
        remedy = "give each device its own id and its own topic"
        raise Rejected(Reason.OTHER_DEVICE, f"`{device}` signed for another device", remedy)
    check_statement(observation)
    return observation


def _device_of(topic: str, root: str) -> str:
    topics, kind = parse(topic)
    if kind != "observation" or topics != Topics(root, topics.device):
        raise WireError(WireReason.TOPIC, "not an observation topic of this collector")
    return topics.device
