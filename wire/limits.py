"""What a broker says of itself that a client has to keep to."""

from paho.mqtt.properties import Properties


def lacking(properties: Properties | None) -> str:
    """What delivery needs and the broker says that it has not (MQTT 5, sections 3.2.2.3.4 and 3.2.2.3.5)."""
    if getattr(properties, "MaximumQoS", 1) < 1:
        return "it takes no QoS 1, without which nothing is known to arrive: allow QoS 1 on the broker"
    if getattr(properties, "RetainAvailable", 1) == 0:
        return "it retains nothing, and acknowledgements are retained: allow retained messages on the broker"
    return ""


def packet_size(topic: str, payload: bytes, qos: int, properties: Properties) -> int:
    """Bytes of a PUBLISH packet, which a broker's Maximum Packet Size counts: MQTT 5, sections 2.1.4 and 3.3."""
    packed = len(properties.pack())  # type: ignore[no-untyped-call]  # paho has not annotated this one
    rest = 2 + len(topic.encode()) + (2 if qos else 0) + packed + len(payload)
    digits = 1 + (rest >= 2**7) + (rest >= 2**14) + (rest >= 2**21)
    return 1 + digits + rest
