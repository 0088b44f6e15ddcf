"""The whole daemon on the real spidev package, with an emulated chip behind /dev/spidev0.0."""

import shutil
from contextlib import closing

import pytest

from collector.reader import Reader
from drivers.emulated.faults import parse_fault
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.emulated.spidev import emulated_spidev
from wire.exit import Exit

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]
QRNG = 'driver = "microrng"\ndevice = "/dev/spidev0.0"\nspeed_hz = 1000000'


@pytest.fixture(autouse=True)
def _real_package():
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    pytest.importorskip("spidev", reason="needs spidev")


def test_observations_of_a_chip_behind_the_real_package_are_published_until_it_breaks(site):
    chip = EmulatedMicroRng()
    site.configure(qrng=QRNG)
    site.start("relay", "collector")
    with emulated_spidev(chip) as environment:
        site.start("capture", **environment)
        site.wait_for(lambda: len(site.stored()) >= 4)
        chip.inject(parse_fault("bias=0.6"))
        assert site.wait_for_exit("capture") == Exit.NO_ENTROPY
    assert "entropy-predictable-bits" in site.log("capture")
    with closing(Reader(site.folder / "store" / "observations.sqlite")) as reader:
        rows = [row for level in reader.levels("ward-3") for row in reader.latest("ward-3", level, 1000)]
        found = [reader.observation(row.id).statement.entropy for row in rows]
    assert {(entropy.source, entropy.model, entropy.simulated) for entropy in found} == {
        ("microrng", "TectroLabs MicroRNG", False)
    }
