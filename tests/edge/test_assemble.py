import os
import threading
from fractions import Fraction

import pytest

from drivers.camera.base import CameraIdentity
from drivers.qrng.base import QrngIdentity
from edge import assemble
from edge.config import load
from edge.errors import ConfigError, EntropyUnavailable
from edge.init import make_device
from edge.privacy.ledger import Ledger

SETTINGS = """
[device]
id = "ward-3"
[camera]
driver = "synthetic"
[capture]
state = "capture"
require_locked_memory = false
[simulation]
speedup = {speedup}
{more}
"""


class Camera:
    def __init__(self, *, simulated):
        self.identity = CameraIdentity("test", "test", 640, 480, 255, "luma", simulated=simulated)

    def open(self):
        return self.identity

    def close(self):
        pass


class Qrng:
    def __init__(self, *, simulated):
        self.identity = QrngIdentity("test", "test", 8, Fraction(4), raw=True, simulated=simulated)

    def open(self):
        return self.identity

    def read(self, count):
        return bytearray(os.urandom(count))

    def close(self):
        pass


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Build capture over such devices, and give what it was built from."""
    make_device(tmp_path, "ward-3")
    built = {}

    class Recorder:
        def __init__(self, **parts):
            built.update(parts)

        def run(self, stop):
            pass

    def go(*, camera=True, qrng=True, speedup=1, more=""):
        monkeypatch.setattr(assemble, "lock_memory", lambda: None)
        monkeypatch.setattr(assemble, "Capture", Recorder)
        monkeypatch.setattr(assemble, "make_camera", lambda *_: Camera(simulated=camera))
        monkeypatch.setattr(assemble, "make_qrng", lambda _: Qrng(simulated=qrng))
        (tmp_path / "speckled.toml").write_text(SETTINGS.format(speedup=speedup, more=more))
        assemble.run_capture(load(tmp_path / "speckled.toml"), new_epoch=True, stop=threading.Event())
        return built

    return go


@pytest.mark.parametrize(
    ("camera", "qrng", "speedup", "simulated"),
    [(False, False, 1, False), (True, False, 1, True), (False, True, 1, True), (True, False, 60, True)],
)
def test_observations_say_simulated_where_camera_entropy_or_time_is(run, camera, qrng, speedup, simulated):
    assert run(camera=camera, qrng=qrng, speedup=speedup)["origin"].simulated is simulated


def test_a_live_camera_cannot_be_hurried(run):
    with pytest.raises(ConfigError, match="speedup"):
        run(camera=False, qrng=False, speedup=2)


def test_a_source_that_an_earlier_run_condemned_stays_condemned(run, tmp_path):
    run(camera=True, qrng=True)
    (tmp_path / "capture" / "entropy-failed").write_text("entropy-repetition-count\n")
    with pytest.raises(EntropyUnavailable, match="entropy-failed-earlier"):
        run(camera=True, qrng=True)


def test_noise_is_full_entropy_of_the_chip_alone_unless_settings_say_otherwise(run):
    said = run()["pool"].provenance()
    assert (said.construction, said.partners, said.credit) == ("rbg3-xor", [], 4)


def test_rate_partners_and_commissioning_are_what_the_settings_say_and_every_observation_tells_them(run):
    more = '[entropy]\nrate = "drbg"\ncommissioned = 2.5\npartners = [{driver = "tpm"}, {driver = "character"}]'
    said = run(more=more)["pool"].provenance()
    assert (said.construction, len(said.partners), said.credit) == ("drbg", 2, Fraction(5, 2))


def test_the_very_first_frame_need_not_wait(run):
    assert run(camera=True, qrng=True)["pace"].wait(threading.Event())


def test_the_first_frame_after_a_restart_waits_a_period_where_frames_were_charged_before(run, monkeypatch):
    monkeypatch.setattr(Ledger, "next_frame", property(lambda _: 7))
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    assert not run(camera=True, qrng=True)["pace"].wait(stop)
