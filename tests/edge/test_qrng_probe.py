import json

import pytest

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.discover import Candidate
from drivers.qrng.software import SoftwareQrng
from edge.errors import ConfigError, EntropyUnavailable
from edge.qrng import listing, probe
from edge.qrng.command import main
from wire.exit import Exit


def steps(capsys, *words):
    """What each step said, and the error that ended it."""
    error = None
    try:
        assert main(["probe", *words, "--json"]) == Exit.OK
    except (ConfigError, EntropyUnavailable) as caught:
        error = caught
    told = json.loads(capsys.readouterr().out)
    assert told["answers"] is (error is None)
    return {step["name"]: step for step in told["steps"]}, error


def test_a_device_that_answers_passes_every_step(capsys):
    told, error = steps(capsys, "--device", "emulated:microrng")
    assert error is None
    assert list(told) == list(probe.STEPS)
    assert {step["outcome"] for step in told.values()} == {"ok"}
    assert "emulated MicroRNG" in told["identity"]["detail"]


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        ("unplug", "link"),
        ("stuck-00", "link"),
        ("wrong-chip", "link"),
        ("status", "status"),
        ("eio@100", "samples"),
    ],
)
def test_a_fault_is_found_in_the_step_that_it_belongs_to(capsys, fault, step):
    told, error = steps(capsys, "--device", "emulated:microrng", "--fault", fault)
    outcomes = [told[name]["outcome"] for name in probe.STEPS]
    failed = probe.STEPS.index(step)
    assert outcomes == ["ok"] * failed + ["FAILED"] + ["skipped"] * (len(outcomes) - failed - 1)
    assert told[step]["remedy"]
    assert error.exit is Exit.NO_ENTROPY
    assert told[step]["remedy"] == error.remedy


def test_every_reason_of_a_driver_belongs_to_a_step():
    assert set(QrngReason) - set(probe._STEP_OF) <= {QrngReason.BAD_PROFILE, QrngReason.CLOSED}
    assert set(probe._STEP_OF.values()) <= set(probe.STEPS)


def test_settings_that_cannot_be_used_fail_the_first_step(capsys, tmp_path):
    told, error = steps(capsys, "--device", f"emulated:profile:{tmp_path / 'absent.toml'}")
    assert told["settings"]["outcome"] == "FAILED"
    assert error.exit is Exit.CONFIG


def test_a_missing_node_fails_before_the_driver_is_tried(capsys, tmp_path):
    told, error = steps(capsys, "--device", f"microrng:{tmp_path / 'spidev'}")
    assert told["node"]["outcome"] == "FAILED"
    assert told["driver"]["outcome"] == "skipped"
    assert "does not exist" in str(error)


def test_the_clock_that_the_driver_found_is_shown(capsys, monkeypatch):
    class Clocked(SoftwareQrng):
        speed_hz = 1_250_000

    monkeypatch.setattr(probe, "make_qrng", lambda _: Clocked())
    told, _ = steps(capsys, "--device", "software")
    assert "1.25 MHz" in told["link"]["detail"]


def test_a_driver_that_needs_a_missing_package_fails_in_the_step_of_the_driver(capsys, monkeypatch):
    class Bare(SoftwareQrng):
        def open(self) -> QrngIdentity:
            raise QrngError(QrngReason.NOT_INSTALLED, "no spidev", "Install it.")

    monkeypatch.setattr(probe, "make_qrng", lambda _: Bare())
    told, _ = steps(capsys, "--device", "software")
    assert told["driver"] == {"name": "driver", "outcome": "FAILED", "detail": "driver-not-installed: no spidev"} | {
        "remedy": "Install it."
    }


def test_a_source_is_closed_however_the_probe_ends(monkeypatch):
    closed = []

    class Watched(SoftwareQrng):
        def read(self, count):
            raise QrngError(QrngReason.BUS, "error", "Try again.")

        def close(self):
            closed.append(True)

    monkeypatch.setattr(probe, "make_qrng", lambda _: Watched())
    with pytest.raises(EntropyUnavailable):
        main(["probe", "--device", "software"])
    assert closed


def test_the_list_names_the_driver_that_would_be_tried_and_the_next_command(capsys, monkeypatch):
    found = [Candidate("character", "/dev/hwrng", "kernel source bcm2835")]
    monkeypatch.setattr(listing, "discover", lambda: found)
    assert main(["list"]) == Exit.OK
    out = capsys.readouterr().out
    assert '/dev/hwrng  driver = "character"  kernel source bcm2835\n' in out
    assert "speckled qrng probe --device character:/dev/hwrng" in out
    assert main(["list", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == [
        {"driver": "character", "path": "/dev/hwrng", "note": "kernel source bcm2835", "main": True}
    ]


def test_a_machine_without_a_source_says_so_and_what_can_be_connected(capsys, monkeypatch):
    monkeypatch.setattr(listing, "discover", list)
    assert main(["list"]) == Exit.UNAVAILABLE
    assert "docs/devices" in capsys.readouterr().out
    assert main(["list", "--json"]) == Exit.UNAVAILABLE
    assert json.loads(capsys.readouterr().out) == []


def test_a_software_device_of_the_kernel_is_not_taken_for_hardware(capsys):
    told, error = steps(capsys, "--device", "character:/dev/null")
    assert told["identity"]["outcome"] == "FAILED"
    assert "wrong-device" in str(error)
