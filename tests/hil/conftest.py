"""The real spidev package in a child process, and behind its node an emulated chip: by the shim, or by umockdev."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hil.programs import program, run
from hil.rungs import make_rung
from system.conftest import make_site, site

from drivers.emulated import spidev as package
from drivers.emulated.spidev import emulated_spidev, served

__all__ = ["make_site", "site"]
FORWARD = Path(package.__file__).with_name("umockdev_forward.py")
DISTRIBUTION = "/usr/bin/python3"
OF_SPIDEV = ("test_hil_node.py", "test_hil_spidev.py")


def pytest_generate_tests(metafunc):
    if "rung" in metafunc.fixturenames:
        metafunc.parametrize("rung", metafunc.config.getoption("hil"), indirect=True)


def pytest_collection_modifyitems(config, items):
    """What is about the spidev package alone runs where its rung was asked for."""
    if "spidev" not in config.getoption("hil"):
        gone = [item for item in items if item.path.name in OF_SPIDEV]
        items[:] = [item for item in items if item not in gone]
        config.hook.pytest_deselected(items=gone)


@pytest.fixture
def rung(request):
    """Chip, camera and daemon of a rung that `--hil` names."""
    return make_rung(request.param, request.config.getoption("hil_device"))


def by_shim(bus, text):
    with emulated_spidev(bus) as environment:
        return run(program(text), environment)


def by_umockdev(bus, text, folder):
    preloaded = subprocess.run(["umockdev-wrapper", "env"], capture_output=True, text=True, check=True).stdout
    environment = dict(line.split("=", 1) for line in preloaded.splitlines() if line.startswith("LD_PRELOAD="))
    with served(bus, folder / "chip.sock") as path:
        return run([DISTRIBUTION, str(FORWARD), str(path), *program(text)], environment)


@pytest.fixture(params=["shim", "umockdev"])
def run_with(request, tmp_path):
    """A function that runs a program with a chip at /dev/spidev0.0, and returns the program's `answer`."""
    if request.param == "shim":
        return by_shim
    if (
        shutil.which("umockdev-wrapper") is None
        or subprocess.run(
            [DISTRIBUTION, "-c", "import gi; gi.require_version('UMockdev', '1.0')"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("needs umockdev: apt install umockdev gir1.2-umockdev-1.0 python3-gi")
    return lambda bus, text: by_umockdev(bus, text, tmp_path)


@pytest.fixture(autouse=True)
def _real_package(request):
    if request.path.name not in OF_SPIDEV:
        return
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    pytest.importorskip("spidev", reason="needs spidev")
