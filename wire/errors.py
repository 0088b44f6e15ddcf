from enum import StrEnum


class WireReason(StrEnum):
    """Why a message was not accepted. The text is stable: dead letters and counters are keyed by it."""

    OVERSIZE = "oversize"
    MALFORMED = "malformed"
    NOT_DETERMINISTIC = "not-deterministic"
    UNSUPPORTED = "unsupported-version"
    SCHEMA = "schema"
    SIGNATURE = "signature"
    TOPIC = "topic"


_REMEDY = {
    WireReason.OVERSIZE: "send at most 65536 bytes in one message",
    WireReason.MALFORMED: "send one COSE_Sign1 envelope as described in wire/observation.cddl",
    WireReason.NOT_DETERMINISTIC: "encode CBOR deterministically (RFC 8949, section 4.2)",
    WireReason.UNSUPPORTED: "upgrade the receiver, or make the sender speak version 1",
    WireReason.SCHEMA: "make the message agree with wire/observation.cddl",
    WireReason.SIGNATURE: "check that the public key belongs to this device and that the topic is the signed one",
    WireReason.TOPIC: "use <root>/v1/<bucket>/<device>/<kind> with the bucket of the device",
}


class WireError(ValueError):
    """A message that breaks the contract. It never quotes the message."""

    def __init__(self, reason: WireReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.remedy = _REMEDY[reason]
