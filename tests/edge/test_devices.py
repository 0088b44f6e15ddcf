import sys

import pytest

from drivers.qrng.discover import Candidate
from edge.config import DiscoverSettings, EmulatedSettings, SoftwareSettings
from edge.devices import make_qrng
from edge.errors import EntropyUnavailable
from wire.exit import Exit


def test_discovery_passes_over_what_does_not_open_and_names_everything_it_tried(monkeypatch):
    nodes = [Candidate("microrng", "/dev/spidev9.9", ""), Candidate("character", "/dev/absent", "")]
    monkeypatch.setattr(sys.modules["drivers.qrng.discover"], "discover", lambda: nodes)
    with pytest.raises(EntropyUnavailable) as caught:
        make_qrng(DiscoverSettings())
    assert "/dev/spidev9.9" in str(caught.value)
    assert "/dev/absent" in str(caught.value)
    assert caught.value.exit is Exit.NO_ENTROPY


def test_discovery_never_falls_back_to_a_software_or_emulated_source(monkeypatch):
    monkeypatch.setattr(sys.modules["drivers.qrng.discover"], "discover", list)
    with pytest.raises(EntropyUnavailable, match="none was found"):
        make_qrng(DiscoverSettings())


@pytest.mark.parametrize("settings", [SoftwareSettings(), EmulatedSettings()])
def test_a_source_that_is_not_hardware_runs_when_it_is_named_and_says_so(settings):
    source = make_qrng(settings)
    assert source.open().simulated
    source.close()
