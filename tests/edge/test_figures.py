import threading
from fractions import Fraction

import pytest

from drivers.emulated.place import PlaceCamera
from drivers.qrng.software import SoftwareQrng
from edge.entropy import EntropyPool, Latch, State
from edge.figures import figures_sink
from edge.metrics.capture import CaptureFigures
from edge.stopping import StoppableQrng
from wire.service.notify import Notifier
from wire.service.progress import Progress
from wire.service.watchdog import Watchdog


@pytest.fixture
def devices(tmp_path):
    progress = Progress()
    source = StoppableQrng(SoftwareQrng(), threading.Event(), progress)
    pool = EntropyPool(source, clock=lambda: 0.0, latch=Latch(tmp_path / "latch"))
    watchdog = Watchdog(Notifier(""), progress, None)
    pool.start()
    yield {"camera": PlaceCamera(width=64, height=64), "pool": pool, "sources": [source], "watchdog": watchdog}
    pool.stop()


def test_what_devices_and_process_know_is_added_and_written(tmp_path, devices):
    file = tmp_path / "capture.prom"
    devices["watchdog"].look()
    figures_sink(str(file), **devices)(CaptureFigures(software="speckled 1", frames=3, epsilon={"place": Fraction(1)}))
    lines = file.read_text().splitlines()
    assert "speckled_frames_taken_total 3" in lines
    assert f'speckled_entropy_state{{state="{State.HEALTHY.value}"}} 1' in lines
    drawn = next(line for line in lines if line.startswith("speckled_entropy_drawn_bytes_total "))
    assert int(drawn.split()[1]) >= 4096


def test_without_a_file_nothing_is_written(tmp_path, devices):
    figures_sink(None, **devices)(CaptureFigures(software="speckled 1", frames=3))
    assert not list(tmp_path.glob("*.prom"))
