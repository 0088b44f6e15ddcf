"""The real spidev package in a child process, and behind its node an emulated chip: by the shim, or by umockdev."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from drivers.emulated import spidev as package
from drivers.emulated.spidev import emulated_spidev, served

FORWARD = Path(package.__file__).with_name("umockdev_forward.py")
DISTRIBUTION = "/usr/bin/python3"


def run(command, environment):
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def program(text):
    """A program that ends by printing `answer` as JSON."""
    return [sys.executable, "-c", textwrap.dedent(text) + "\nimport json; print(json.dumps(answer))"]


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
def _real_package():
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt install gcc libc6-dev")
    pytest.importorskip("spidev", reason="needs spidev")
