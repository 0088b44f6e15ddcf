from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from drivers.camera.base import Camera
from drivers.camera.ladder import Ladder
from edge.entropy import EntropyPool
from edge.metrics.capture import CaptureFigures
from edge.metrics.textfile import Textfile, resident_bytes
from edge.stopping import StoppableQrng
from wire.service.watchdog import Watchdog

Sink = Callable[[CaptureFigures], object]


def figures_sink(
    textfile: str | None, *, camera: Camera, pool: EntropyPool, sources: Sequence[StoppableQrng], watchdog: Watchdog
) -> Sink:
    """What takes capture's figures, adds those of the devices and of the process, and writes them where it is told to.

    Without `textfile` it does nothing.
    """
    if textfile is None:
        return lambda _: None
    file = Textfile(Path(textfile))

    def write(figures: CaptureFigures) -> None:
        file.write(
            replace(
                figures,
                recoveries=camera.recoveries if isinstance(camera, Ladder) else None,
                entropy=pool.state,
                credit=pool.credit,
                retests=pool.startups,
                drawn=sum(source.drawn for source in sources),
                resident=resident_bytes(),
                pings=watchdog.signs,
            )
        )

    return write
