"""What lets others watch the relay: the page of figures, and the message for Home Assistant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from edge.config import LARGEST, Settings
from edge.errors import RelayError
from edge.home_assistant.publisher import Announcement, Publisher
from edge.metrics.endpoint import open_endpoint
from edge.metrics.relay import RelayFigures, relay_text
from edge.promise import plan_of
from edge.sections import MetricsSettings
from wire.events import Connected, Disconnected, Event, Published
from wire.schema import CaptureReport, Health
from wire.topics import Topics

OFF = MetricsSettings(port=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Who may watch, and what the relay is told for them alone.

    windows: seconds of a window by level. epsilon: of the privacy unit over all levels. outbox_limit: bytes.
    certificate: the relay's own, in PEM.
    """

    metrics: MetricsSettings = OFF
    home_assistant: Announcement | None = None
    windows: Mapping[str, float] = field(default_factory=dict)
    epsilon: float | None = None
    outbox_limit: int | None = None
    certificate: Path | None = None


class Watch:
    """Sees what the relay does, and tells it to who asks. Nothing here raises, and nothing waits for a reader."""

    def __init__(
        self,
        options: WatchOptions,
        *,
        topics: Topics,
        software: str,
        clock: Callable[[], float],
        publish: Callable[[str, bytes], int],
    ) -> None:
        """`publish` sends a retained message with QoS 1 and gives its number."""
        self._options = options
        self._software = software
        self._clock = clock
        self._endpoint = open_endpoint(options.metrics.host, options.metrics.port, clock)
        announced = options.home_assistant
        self._publisher = Publisher(announced, topics, software, publish) if announced else None
        self._accepted_at = self._apart_since = clock()
        self._connected = False
        self._connections = 0

    @property
    def descriptor(self) -> int | None:
        """Readable when somebody asks for figures; None where nobody can."""
        return self._endpoint.descriptor if self._endpoint else None

    def accepted(self) -> None:
        """An observation is on the disk that was not there before."""
        self._accepted_at = self._clock()

    def note(self, event: Event) -> None:
        """Something has happened on the connection to the broker."""
        match event:
            case Connected():
                self._connected = True
                self._connections += 1
                if self._publisher:
                    self._publisher.connected()
            case Disconnected() if self._connected:
                self._connected, self._apart_since = False, self._clock()
            case Published() if self._publisher:
                self._publisher.published(event)
            case _:
                pass

    def serve(
        self, health: Callable[[], Health], word: CaptureReport | None, fill: Callable[[], tuple[int, int]]
    ) -> None:
        """Answer who has asked. `health` and `fill` are called when somebody has.

        fill: bytes that the outbox holds, and seconds that the oldest in it has waited.
        """

        def text() -> str | None:
            try:
                return relay_text(self.figures(health(), word, fill()))
            except RelayError:  # delivery meets the same trouble, and knows what to do
                return None

        if self._endpoint:
            self._endpoint.serve(text)

    def figures(self, health: Health, word: CaptureReport | None, fill: tuple[int, int]) -> RelayFigures:
        """This moment."""
        now = self._clock()
        return RelayFigures(
            software=self._software,
            health=health,
            word=word,
            since_accepted=now - self._accepted_at,
            absent=0.0 if self._connected else max(now - self._apart_since, 1e-3),
            connections=self._connections,
            outbox_bytes=fill[0],
            outbox_limit=self._options.outbox_limit,
            oldest=fill[1],
            certificate_expiry=_expiry(self._options.certificate),
            windows=self._options.windows,
        )

    def close(self) -> None:
        """Hang up on who is asking."""
        if self._endpoint:
            self._endpoint.close()


def watch_options(settings: Settings, state: Path) -> WatchOptions:
    """From the settings, and the relay's state directory. What the camera adds to a plan changes neither ε nor N."""
    plan = plan_of(settings.privacy, width=LARGEST, height=LARGEST, max_value=255)
    pace = plan.frame_rate * settings.simulation.speedup
    windows = {level.name: float(level.frames / pace) for level in plan.levels}
    certificate = settings.mqtt.certificate_file
    return WatchOptions(
        metrics=settings.metrics,
        home_assistant=Announcement(settings.home_assistant, state, tuple(windows)),
        windows=windows,
        epsilon=float(plan.epsilon),
        outbox_limit=settings.relay.outbox_mb * 2**20,
        certificate=Path(certificate) if certificate else None,
    )


def _expiry(certificate: Path | None) -> float | None:
    """Unix time in seconds; None without a certificate that can be read. It is read anew each time: it is renewed."""
    if certificate is None:
        return None
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None
