"""What the relay tells about itself: figures of delivery, none of what was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from edge.metrics.exposition import Family, Metric, each, one, one_of, render
from edge.relay.guard import GuardReason
from edge.relay.outbox import CAUSES
from wire.errors import WireReason
from wire.schema import CaptureReport, Health

STATES: tuple[str, ...] = get_args(CaptureReport.__annotations__["state"])
REASONS = (*WireReason, *GuardReason, "equivocation")
"""Every word that the guard has: a counter that is there from the beginning shows its first step."""
ENTROPY: tuple[str, ...] = get_args(CaptureReport.__annotations__["entropy"])

BUILD = Metric("speckled_relay_build_info", "gauge", "1, with the version of the program as a label.")
MADE = Metric(
    "speckled_observations_made_total",
    "counter",
    "Observations that capture signed since its state folder was made.",
)
DROPPED = Metric(
    "speckled_observations_dropped_total", "counter", "Observations that the relay never took and capture gave up."
)
ACCEPTED = Metric(
    "speckled_observations_accepted_total", "counter", "Observations on the disk since the outbox was made."
)
SENT = Metric("speckled_observations_sent_total", "counter", "Publishes of observations, each repetition counted.")
ACKNOWLEDGED = Metric(
    "speckled_observations_acknowledged_total", "counter", "Observations freed by the collector's signed word."
)
EVICTED = Metric(
    "speckled_observations_evicted_total", "counter", "Observations given up by the outbox's bounds, by cause."
)
LOST = Metric("speckled_observations_lost", "gauge", "Observations of which nobody knows; 0 unless something is wrong.")
SPOOLED = Metric("speckled_observations_spooled", "gauge", "Observations that capture still has to hand over.")
RELEASED = Metric(
    "speckled_releases_accepted_total", "counter", "Observations accepted since the outbox was made, by level."
)
EPSILON = Metric(
    "speckled_promised_epsilon", "gauge", "ε of the privacy unit over all levels, as the settings promise."
)
SET_ASIDE = Metric("speckled_outbox_set_aside_total", "counter", "Damaged files of the outbox that were replaced.")
WAITING = Metric("speckled_observations_waiting", "gauge", "Observations in the outbox.")
REFUSED = Metric("speckled_observations_refused_total", "counter", "What the guard turned away, by its word.")
FORKED = Metric(
    "speckled_acknowledgements_forked_total",
    "counter",
    "Acknowledgements of another history of the ledger, which free nothing.",
)
CAPTURE = Metric("speckled_capture_connected", "gauge", "1 while a capture process is connected to the relay.")
STATE = Metric("speckled_capture_state", "gauge", "What capture last said that it does: 1 for that state.")
ENTROPY_STATE = Metric(
    "speckled_capture_entropy_state", "gauge", "What capture last said of its entropy source: 1 for that state."
)
SINCE_ACCEPTED = Metric(
    "speckled_since_accepted_seconds",
    "gauge",
    "Seconds since an observation was accepted, or since the relay started where none was.",
)
WINDOW = Metric("speckled_window_seconds", "gauge", "Length of a window of each level at the full frame rate.")
BROKER = Metric("speckled_broker_connected", "gauge", "1 while the broker takes what is sent.")
SINCE_BROKER = Metric(
    "speckled_broker_absent_seconds", "gauge", "Seconds since there was a connection to the broker; 0 with one."
)
CONNECTIONS = Metric(
    "speckled_broker_connections_total", "counter", "Connections to the broker since the relay started."
)
OUTBOX = Metric("speckled_outbox_bytes", "gauge", "Bytes of the outbox's file that hold something.")
LIMIT = Metric("speckled_outbox_limit_bytes", "gauge", "Size that the outbox is kept below.")
OLDEST = Metric(
    "speckled_outbox_oldest_seconds",
    "gauge",
    "Seconds that relays ran while the oldest observation waited; 0 for none.",
)
CERTIFICATE = Metric(
    "speckled_certificate_expiry_timestamp_seconds", "gauge", "Unix time when the client certificate expires."
)

RELAY_METRICS: tuple[Metric, ...] = (
    *(BUILD, MADE, DROPPED, SPOOLED, ACCEPTED, RELEASED, SENT, ACKNOWLEDGED, WAITING, EVICTED, LOST, SET_ASIDE),
    *(REFUSED, FORKED, EPSILON, CAPTURE, STATE, ENTROPY_STATE, SINCE_ACCEPTED, WINDOW),
    *(BROKER, SINCE_BROKER, CONNECTIONS, OUTBOX, LIMIT, OLDEST, CERTIFICATE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayFigures:
    """One moment of the relay. None, or nothing in a mapping: not known, and not shown.

    health: the counters, as they are published. word: what capture last said of itself. since_accepted: seconds.
    absent: seconds without a broker, 0 with one. connections: to the broker. outbox_bytes, outbox_limit: bytes. oldest:
    seconds. windows: seconds by level. certificate_expiry: Unix time in seconds.
    """

    software: str
    health: Health
    since_accepted: float
    absent: float
    connections: int
    word: CaptureReport | None = None
    outbox_bytes: int | None = None
    outbox_limit: int | None = None
    oldest: float | None = None
    certificate_expiry: float | None = None
    windows: Mapping[str, float] = field(default_factory=dict)


def relay_text(figures: RelayFigures) -> str:
    """The page, in the order of RELAY_METRICS."""
    return render(relay_families(figures))


def relay_families(figures: RelayFigures) -> list[Family]:
    """The figures under their names."""
    health, word = figures.health, figures.word
    return [
        each(BUILD, "version", {figures.software: 1}),
        one(MADE, health.made),
        one(DROPPED, health.dropped),
        one(SPOOLED, health.spooled),
        one(ACCEPTED, health.accepted),
        each(RELEASED, "level", health.released),
        one(SENT, health.sent),
        one(ACKNOWLEDGED, health.acknowledged),
        one(WAITING, health.waiting),
        each(EVICTED, "cause", dict.fromkeys(CAUSES, 0) | health.evicted),
        one(LOST, health.lost),
        one(SET_ASIDE, health.set_aside),
        each(REFUSED, "reason", dict.fromkeys(REASONS, 0) | health.refused),
        one(FORKED, health.forked),
        one(EPSILON, health.epsilon),
        one(CAPTURE, health.capture),
        one_of(STATE, "state", STATES, word.state if word else None),
        one_of(ENTROPY_STATE, "state", ENTROPY, word.entropy if word else None),
        one(SINCE_ACCEPTED, figures.since_accepted),
        each(WINDOW, "level", figures.windows),
        one(BROKER, figures.absent == 0),
        one(SINCE_BROKER, figures.absent),
        one(CONNECTIONS, figures.connections),
        one(OUTBOX, figures.outbox_bytes),
        one(LIMIT, figures.outbox_limit),
        one(OLDEST, figures.oldest),
        one(CERTIFICATE, figures.certificate_expiry),
    ]
