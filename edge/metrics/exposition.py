"""Prometheus' text format, version 0.0.4, made from values that are already known."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Narrower than what Prometheus allows: no colons, which are for rules, and no capitals."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure is called and means. `help` is one line with the unit.

    independent: for figures of the process that sees pixels, why this one does not depend on them; empty for others.

    Raises ValueError for a name that breaks the rules: a counter ends in `_total` and nothing else does.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    independent: str = ""

    def __post_init__(self) -> None:
        """Check the name."""
        if not NAME.fullmatch(self.name) or (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name} cannot name a {self.kind}")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its samples: the value of each set of labels. No samples: the figure is not known."""

    metric: Metric
    samples: tuple[tuple[Mapping[str, str], float], ...]


def one(metric: Metric, value: float | None) -> Family:
    """A metric without labels; None where the value is not known."""
    return Family(metric, () if value is None else (({}, value),))


def each(metric: Metric, label: str, values: Mapping[str, float]) -> Family:
    """A metric with one label, in the order of its values."""
    return Family(metric, tuple(({label: name}, value) for name, value in sorted(values.items())))


def one_of(metric: Metric, label: str, states: Iterable[str], current: str | None) -> Family:
    """A state as one sample for each state there is: 1 for the current one, 0 for the others. None: not known."""
    return each(metric, label, {} if current is None else {state: float(state == current) for state in states})


def render(families: Iterable[Family]) -> str:
    """All families that have samples, each with its HELP and TYPE, ending in a line feed."""
    return "".join(_family(family) for family in families if family.samples)


def _family(family: Family) -> str:
    metric = family.metric
    lines = [f"# HELP {metric.name} {_escape(metric.help)}", f"# TYPE {metric.name} {metric.kind}"]
    lines += [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escape(value, quote=True)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
