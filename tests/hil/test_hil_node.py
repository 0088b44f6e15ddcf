"""The node itself: missing, forbidden, taken; and the command that runs anything with a chip behind it."""

import os
import subprocess
import sys

from drivers.emulated.faults import parse_fault
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.emulated.spidev import emulated_spidev


def with_chip(*arguments, timeout=60):
    command = [sys.executable, "-m", "drivers.emulated.spidev", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def speckled(*arguments):
    return [sys.executable, "-m", "edge", *arguments]


def test_a_node_that_is_not_there_says_what_to_switch_on():
    done = subprocess.run(
        speckled("qrng", "probe", "--device", "microrng:/dev/spidev7.3"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 71
    assert "dtparam=spi=on" in done.stderr


def test_a_person_can_probe_an_emulated_chip_through_the_real_package():
    done = with_chip("--", *speckled("qrng", "probe", "--device", "microrng:/dev/spidev0.0"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TectroLabs MicroRNG: raw samples" in done.stdout
    assert "3.75 MHz" in done.stdout


def test_a_person_is_told_what_is_wrong_with_a_chip_behind_the_real_package():
    device = ("--device", "microrng:/dev/spidev0.0")
    done = with_chip("--fault", "bias=0.6", "--", *speckled("qrng", "test", *device, "--samples", "20000"))
    assert done.returncode == 71
    assert "entropy-predictable-bits" in done.stderr


def test_a_profile_drives_its_chip_through_the_real_package(tmp_path):
    from drivers.qrng.profile import SHIPPED

    profile = SHIPPED / "microrng.toml"
    done = with_chip("--chip", f"profile:{profile}", "--", *speckled("qrng", "probe", "--device", f"profile:{profile}"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_chip_that_is_not_plugged_in_does_not_open():
    code = "from drivers.qrng.spi import SpidevBus; SpidevBus().open()"
    with emulated_spidev(EmulatedMicroRng(faults=(parse_fault("unplug"),))) as environment:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    assert "unplugged" in done.stderr


def test_a_chip_or_a_fault_that_does_not_exist_is_named():
    assert "there is no chip" in with_chip("--chip", "tea", "--", "true").stderr
    assert "invalid parse_fault value" in with_chip("--fault", "tea", "--", "true").stderr
