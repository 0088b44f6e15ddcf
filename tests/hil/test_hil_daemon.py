"""The whole daemon on the chip and the camera of each rung."""

from contextlib import closing

import pytest

from collector.reader import Reader
from wire.exit import Exit

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]


def configure(site, daemon):
    """One observation of each frame, two frames a second: a live camera cannot be hurried."""
    site.configure(camera=daemon.camera, qrng=daemon.qrng)
    settings = site.folder / "speckled.toml"
    lines = settings.read_text().splitlines()
    new = {"profile": '"snapshot"', "frames_per_second": '"2"', "speedup": "1"}
    changed = [f"{key} = {new[key]}" if (key := line.partition(" = ")[0]) in new else line for line in lines]
    settings.write_text("\n".join(changed) + "\n")


def entropy_of(site):
    with closing(Reader(site.folder / "store" / "observations.sqlite")) as reader:
        rows = [row for level in reader.levels("ward-3") for row in reader.latest("ward-3", level, 1000)]
        found = [reader.observation(row.id).statement.entropy for row in rows]
    return {(entropy.source, entropy.simulated) for entropy in found}


def test_what_camera_and_chip_give_is_published_and_stored(site, rung):
    with rung.daemon() as daemon:
        configure(site, daemon)
        site.start("relay", "collector")
        site.start("capture", **daemon.environment)
        site.wait_for(lambda: len(site.stored()) >= 2, rung.patience)
        assert site.stop("capture") == Exit.OK
    assert {simulated for _, simulated in entropy_of(site)} == {rung.chip_is_simulated}


def test_a_chip_that_becomes_biased_ends_the_daemon_with_the_name_of_the_test(site, rung):
    with rung.daemon(breaks=True) as daemon:
        configure(site, daemon)
        site.start("relay", "collector")
        site.start("capture", **daemon.environment)
        site.wait_for(site.stored, rung.patience)
        daemon.bias()
        assert site.wait_for_exit("capture", rung.patience) == Exit.NO_ENTROPY
    assert "entropy-predictable-bits" in site.log("capture")
