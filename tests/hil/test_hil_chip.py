"""A chip behaves the same on every rung, as far as the driver and the daemon can see."""

import pytest

FAULTS = [
    ("eio@700", "bus-error", "EIO"),
    ("unplug@700", "unplugged", "ENODEV"),
    ("short@700", "short-read", "fewer bytes"),
    ("slip@700", "link-test-failed", "counter"),
    ("status@700", "device-reports-fault", "0x01"),
    ("stuck-ff@700", "implausible-bytes", "all ones"),
    ("wrong-chip", "link-test-failed", "counter"),
]


def test_a_chip_says_what_it_is_and_gives_as_many_samples_as_were_asked_for(rung):
    got = rung.sample(3000)
    assert got["count"] == 3000
    assert got["values"] > 200
    assert 0 < got["credit"] <= 0.9 * got["sample_bits"]
    assert got["simulated"] is rung.chip_is_simulated


@pytest.mark.parametrize(("fault", "reason", "detail"), FAULTS)
def test_a_chip_that_breaks_has_its_reason_and_a_remedy(rung, fault, reason, detail):
    got = rung.sample(3000, fault)
    assert got["reason"] == reason
    assert detail in got["detail"]
    assert got["remedy"].endswith(".")


def test_a_chip_gives_other_samples_each_time(rung):
    assert rung.sample(64)["digest"] != rung.sample(64)["digest"]
