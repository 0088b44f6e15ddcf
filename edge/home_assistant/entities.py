"""What Home Assistant shows of a device: counters, states and the budget. Sensors only, and never a camera or image."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from wire.schema import CaptureReport

STATES: tuple[str, ...] = get_args(CaptureReport.__annotations__["state"])
ENTROPY: tuple[str, ...] = get_args(CaptureReport.__annotations__["entropy"])


@dataclass(frozen=True, slots=True)
class Entity:
    """One value that is read from a topic of the device.

    key: names it for good, among the device's. topic: where the value is. template: Jinja over `value_json`; where it
    gives `None`, Home Assistant shows the value as unknown. options: further keys of the component's configuration.
    """

    key: str
    platform: Literal["sensor", "binary_sensor"]
    name: str
    topic: Literal["health", "state"]
    template: str
    options: Mapping[str, object] = field(default_factory=dict)


COUNTER: Mapping[str, object] = {"state_class": "total_increasing", "entity_category": "diagnostic"}
LEVEL: Mapping[str, object] = {"state_class": "measurement", "entity_category": "diagnostic"}
DIAGNOSTIC: Mapping[str, object] = {"entity_category": "diagnostic"}

ENTITIES: tuple[Entity, ...] = (
    Entity("waiting", "sensor", "Observations waiting", "health", "{{ value_json.waiting }}", LEVEL),
    Entity("acknowledged", "sensor", "Observations stored", "health", "{{ value_json.acknowledged }}", COUNTER),
    Entity("evicted", "sensor", "Observations evicted", "health", "{{ value_json.evicted.values() | sum }}", COUNTER),
    Entity("lost", "sensor", "Observations lost", "health", "{{ value_json.lost }}", LEVEL),
    Entity("epsilon", "sensor", "Privacy loss per visit (ε)", "health", "{{ value_json.epsilon }}", DIAGNOSTIC),
    Entity(
        "capture",
        "sensor",
        "Capture",
        "state",
        "{{ value_json.capture.state if value_json.capture else none }}",
        {"device_class": "enum", "options": list(STATES)},
    ),
    Entity(
        "camera_off",
        "binary_sensor",
        "Camera switched off",
        "state",
        "{{ ('ON' if value_json.capture.state == 'switched-off' else 'OFF') if value_json.capture else none }}",
    ),
    Entity(
        "entropy",
        "sensor",
        "Entropy",
        "state",
        "{{ value_json.capture.entropy if value_json.capture else none }}",
        {"device_class": "enum", "options": list(ENTROPY), **DIAGNOSTIC},
    ),
    Entity(
        "entropy_problem",
        "binary_sensor",
        "Entropy problem",
        "state",
        "{{ ('ON' if value_json.capture.entropy in ('suspect', 'failed') else 'OFF') "
        "if value_json.capture else none }}",
        {"device_class": "problem"},
    ),
)


def entities(levels: Iterable[str]) -> list[Entity]:
    """All entities of a device with these levels: the fixed ones, and how many releases of each level left it.

    The levels' names are those of the settings: a-z, 0-9 and '-'.
    """
    released = (
        Entity(
            f"released_{level.replace('-', '_')}",
            "sensor",
            f"Releases of level {level}",
            "health",
            f"{{{{ value_json.released['{level}'] | default(0) }}}}",
            COUNTER,
        )
        for level in levels
    )
    return [*ENTITIES, *released]
