import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).resolve().parents[2] / "systemd").glob("*.service"))
EXPOSURE = {"speckled-capture": 1.0, "speckled-relay": 1.5, "speckled-collector": 1.5}
"""Exposure levels of `systemd-analyze security`, at most; 10 is the worst, and below 2 it calls a unit OK or SAFE."""


@pytest.fixture
def analyze():
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    return lambda *arguments: subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(params=UNITS, ids=lambda path: path.stem)
def unit(request, tmp_path):
    """A unit whose program exists on every machine."""
    path = tmp_path / request.param.name
    path.write_text(request.param.read_text().replace("/opt/speckled/venv/bin/speckled", "/bin/true"))
    return path


def test_there_is_a_unit_for_each_process():
    assert {path.stem for path in UNITS} == set(EXPOSURE)


def test_systemd_understands_every_line_of_a_unit(unit, analyze):
    result = analyze("verify", str(unit))
    lines = [line for line in result.stderr.splitlines() if unit.name in line]
    assert result.returncode == 0
    assert not lines


def test_a_unit_is_as_closed_as_the_design_says(unit, analyze):
    threshold = str(int(EXPOSURE[unit.stem] * 10))
    result = analyze("security", "--offline=yes", f"--threshold={threshold}", str(unit))
    assert result.returncode == 0, result.stdout[-400:]


def test_capture_has_no_network_and_relay_has_no_devices():
    text = {path.stem: path.read_text() for path in UNITS}
    assert "PrivateNetwork=yes" in text["speckled-capture"]
    assert "RestrictAddressFamilies=AF_UNIX\n" in text["speckled-capture"]
    assert "PrivateDevices=yes" in text["speckled-relay"]


def test_every_group_that_a_unit_joins_is_made_where_it_is_missing():
    made = set(re.findall(r"^[gu] (\S+)", (UNITS[0].parent / "speckled.sysusers").read_text(), re.MULTILINE))
    for unit in UNITS:
        joined = re.findall(r"^(?:Supplementary)?Groups?=(.*)$", unit.read_text(), re.MULTILINE)
        assert set(" ".join(joined).split()) <= made
