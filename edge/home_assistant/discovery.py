"""The one retained message by which Home Assistant finds a device (MQTT integration, device discovery payload)."""

from collections.abc import Sequence

import msgspec

from edge.home_assistant.entities import Entity, entities
from wire.topics import Topics


def discovery_topic(prefix: str, device: str) -> str:
    """Where the message is retained. A device id has the characters that a discovery topic allows."""
    return f"{prefix}/device/{device}/config"


def discovery_payload(topics: Topics, software: str, levels: Sequence[str]) -> bytes:
    """The configuration of all entities of the device, as JSON. It says where values are, and holds none itself."""
    name, _, version = software.partition(" ")
    payload = {
        "dev": {
            "ids": [f"speckled-{topics.device}"],
            "name": f"speckled {topics.device}",
            "mf": "speckled",
            "mdl": "private descriptors",
            "sw": version,
        },
        "o": {"name": name, "sw": version},
        "cmps": {entity.key: _component(topics, entity) for entity in entities(levels)},
        "availability_topic": topics.state,
        "availability_template": "{{ value_json.state }}",
    }
    return msgspec.json.encode(payload)


def _component(topics: Topics, entity: Entity) -> dict[str, object]:
    return {
        "p": entity.platform,
        "name": entity.name,
        "unique_id": f"speckled_{topics.device}_{entity.key}",
        "state_topic": topics.of(entity.topic),
        "value_template": entity.template,
        **entity.options,
    }
