"""What capture tells about itself in a file. None of it depends on a pixel; each metric says why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from edge.entropy.source import State
from edge.metrics.exposition import Family, Metric, each, one, one_of, render

SCHEDULE = "follows from the schedule"
CAMERA = "follows from the camera's health"
ENTROPY = "follows from the entropy source, which sees no pixel"
RELEASED = "follows from the schedule and from releases, which are public"

BUILD = Metric("speckled_capture_build_info", "gauge", "1, with the version of the program as a label.", "a constant")
FRAMES = Metric("speckled_frames_taken_total", "counter", "Frames taken since capture started.", SCHEDULE)
GAPS = Metric(
    "speckled_frame_gaps_total",
    "counter",
    "Frames that came two periods or more after the one before, since capture started.",
    CAMERA,
)
LAST_FRAME = Metric("speckled_frame_timestamp_seconds", "gauge", "Unix time when the last frame was taken.", SCHEDULE)
RECOVERIES = Metric(
    "speckled_camera_recoveries_total", "counter", "Times the camera was opened anew since capture started.", CAMERA
)
OPENED = Metric("speckled_windows_opened_total", "counter", "Windows opened since capture started, by level.", SCHEDULE)
RELEASES = Metric(
    "speckled_windows_released_total", "counter", "Windows released since capture started, by level.", SCHEDULE
)
CHARGED = Metric(
    "speckled_ledger_charges", "gauge", "Windows that the ledger's epoch has been charged for, by level.", SCHEDULE
)
POSITION = Metric("speckled_ledger_position", "gauge", "The ledger's last entry.", SCHEDULE)
EPSILON = Metric(
    "speckled_visit_epsilon",
    "gauge",
    "ε of the privacy unit over all levels, by profile.",
    "a setting",
)
STATE = Metric("speckled_entropy_state", "gauge", "State of the entropy source: 1 for the current one.", ENTROPY)
DRAWN = Metric(
    "speckled_entropy_drawn_bytes_total",
    "counter",
    "Bytes read from the sources since capture started.",
    "each window takes the same amount; the rest are tests",
)
CREDIT = Metric(
    "speckled_entropy_sample_credit", "gauge", "Bits of min-entropy that one sample of the source counts for.", ENTROPY
)
STARTUPS = Metric(
    "speckled_entropy_startup_tests_total",
    "counter",
    "Start-up tests run, over all sources, since capture started.",
    ENTROPY,
)
RESIDENT = Metric(
    "speckled_capture_resident_memory_bytes", "gauge", "Memory of the capture process that is in RAM.", RELEASED
)
PINGS = Metric(
    "speckled_watchdog_pings_total", "counter", "Signs of life to the service manager since capture started.", SCHEDULE
)

CAPTURE_METRICS: tuple[Metric, ...] = (
    *(BUILD, FRAMES, GAPS, LAST_FRAME, RECOVERIES, OPENED, RELEASES, CHARGED, POSITION, EPSILON),
    *(STATE, DRAWN, CREDIT, STARTUPS, RESIDENT, PINGS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureFigures:
    """One moment of capture. None, or nothing in a mapping: not known, and not shown.

    frame_time: Unix time in seconds of the last frame. opened, released: by level since the start. charged: by level in
    this epoch of the ledger. epsilon: of the privacy unit, over all levels, by the name of the profile. entropy: state
    of the pool. drawn: bytes. credit: bits of min-entropy in a sample. retests: start-up tests, the first among them.
    resident: bytes.
    """

    software: str
    frames: int
    frame_time: float | None = None
    gaps: int | None = None
    recoveries: int | None = None
    opened: Mapping[str, int] = field(default_factory=dict)
    released: Mapping[str, int] = field(default_factory=dict)
    charged: Mapping[str, int] = field(default_factory=dict)
    position: int | None = None
    epsilon: Mapping[str, Fraction] = field(default_factory=dict)
    entropy: State | None = None
    drawn: int | None = None
    credit: Fraction | None = None
    retests: int | None = None
    resident: int | None = None
    pings: int | None = None


def capture_text(figures: CaptureFigures) -> str:
    """The content of the file, in the order of CAPTURE_METRICS."""
    return render(capture_families(figures))


def capture_families(figures: CaptureFigures) -> list[Family]:
    """The figures under their names."""
    states = (state.value for state in State)
    return [
        each(BUILD, "version", {figures.software: 1}),
        one(FRAMES, figures.frames),
        one(GAPS, figures.gaps),
        one(LAST_FRAME, figures.frame_time),
        one(RECOVERIES, figures.recoveries),
        each(OPENED, "level", figures.opened),
        each(RELEASES, "level", figures.released),
        each(CHARGED, "level", figures.charged),
        one(POSITION, figures.position),
        each(EPSILON, "profile", {name: float(value) for name, value in figures.epsilon.items()}),
        one_of(STATE, "state", states, None if figures.entropy is None else figures.entropy.value),
        one(DRAWN, figures.drawn),
        one(CREDIT, None if figures.credit is None else float(figures.credit)),
        one(STARTUPS, figures.retests),
        one(RESIDENT, figures.resident),
        one(PINGS, figures.pings),
    ]
