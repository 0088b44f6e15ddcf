import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
SOCKETS = sorted(SYSTEMD.glob("*.socket"))
PROGRAM = "/opt/speckled/venv/bin/speckled"
EXPOSURE = {"speckled-capture": 0.8, "speckled-relay": 1.2, "speckled-collector": 2.0}
"""Exposure levels of `systemd-analyze security`, at most; 10 is the worst, and below 2 it calls a unit OK or SAFE."""
OPEN = {
    "speckled-capture": {
        *("RootDirectoryOrRootImage", "SupplementaryGroups", "PrivateDevices", "PrivateUsers", "ProcSubset"),
        *("RestrictAddressFamilies_AF_UNIX", "DeviceAllow"),
    },
    "speckled-relay": {
        *("RootDirectoryOrRootImage", "PrivateNetwork", "IPAddressDeny", "DeviceAllow"),
        *("RestrictAddressFamilies_AF_UNIX", "RestrictAddressFamilies_AF_INET_INET6"),
    },
}
OPEN["speckled-collector"] = OPEN["speckled-relay"]
"""The rows of the 81 that stay open; docs/install.md has the reason of each."""


@pytest.fixture
def analyze():
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze: apt install systemd")
    return lambda *arguments: subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def copies(tmp_path):
    """The units with a program that exists on every machine, so that systemd does not miss it."""
    for path in [*UNITS, *SOCKETS]:
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    return tmp_path


@pytest.fixture(params=UNITS, ids=lambda path: path.stem)
def unit(request, copies):
    return copies / request.param.name


def test_there_is_a_unit_for_each_process_and_a_socket_for_the_relay():
    assert {path.stem for path in UNITS} == set(EXPOSURE)
    assert [path.name for path in SOCKETS] == ["speckled-relay.socket"]


@pytest.mark.parametrize("name", [path.name for path in [*UNITS, *SOCKETS]])
def test_systemd_has_nothing_to_say_about_a_unit(name, copies, analyze):
    result = analyze("verify", str(copies / name))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_systemd_would_say_if_a_line_were_not_understood(unit, analyze):
    unit.write_text(unit.read_text().replace("UMask=", "Umasc="))
    assert "Umasc" in analyze("verify", str(unit)).stderr


def test_a_unit_is_as_closed_as_promised(unit, analyze):
    threshold = str(round(EXPOSURE[unit.stem] * 10))
    result = analyze("security", "--offline=yes", f"--threshold={threshold}", str(unit))
    assert result.returncode == 0, result.stdout[-400:]


def test_only_the_rows_that_the_documentation_explains_stay_open(unit, analyze):
    result = analyze("security", "--offline=yes", "--json=short", str(unit))
    if result.returncode or not result.stdout.startswith("["):
        pytest.skip("needs systemd 251 or newer for a list in JSON")
    rows = json.loads(result.stdout)
    assert len(rows) >= 80
    assert {row["json_field"] for row in rows if row["set"] is False and row["exposure"]} <= OPEN[unit.stem]


def test_the_lines_for_a_newer_systemd_stand_apart_from_the_units():
    newer = set(re.findall(r"^(\w+)=", (SYSTEMD / "50-newer-systemd.conf").read_text(), re.MULTILINE))
    assert newer == {"RestartSteps", "RestartMaxDelaySec", "MemoryZSwapMax"}
    for unit in UNITS:
        assert not newer & set(re.findall(r"^(\w+)=", unit.read_text(), re.MULTILINE))


def test_capture_has_no_network_and_relay_has_no_devices():
    text = {path.stem: path.read_text() for path in UNITS}
    assert "PrivateNetwork=yes" in text["speckled-capture"]
    assert "RestrictAddressFamilies=AF_UNIX\n" in text["speckled-capture"]
    assert "PrivateDevices=yes" in text["speckled-relay"]


def test_what_capture_holds_reaches_no_disk():
    lines = (SYSTEMD / "speckled-capture.service").read_text().splitlines()
    assert {"LimitCORE=0", "CoredumpFilter=0", "MemorySwapMax=0", "LimitMEMLOCK=infinity"} <= set(lines)


def test_the_socket_is_open_to_the_group_of_capture_and_to_nobody_else():
    lines = set((SYSTEMD / "speckled-relay.socket").read_text().splitlines())
    assert {"ListenSequentialPacket=/run/speckled/relay.sock", "SocketGroup=speckled", "SocketMode=0660"} <= lines


def test_the_relay_is_never_left_to_be_started_without_a_pause_by_its_socket():
    text = (SYSTEMD / "speckled-relay.service").read_text()
    assert "RestartPreventExitStatus" not in text
    assert "StartLimitIntervalSec=0" in text


def test_a_unit_and_its_socket_wait_for_the_same_settings():
    conditions = {
        path.name: re.findall(r"^ConditionPathExists=(.*)$", path.read_text(), re.MULTILINE)
        for path in [*UNITS, *SOCKETS]
    }
    assert (
        conditions["speckled-relay.socket"] == conditions["speckled-relay.service"] == ["/etc/speckled/speckled.toml"]
    )
    assert all(conditions.values())


def test_every_group_that_a_unit_joins_is_made_where_it_is_missing():
    made = set(re.findall(r"^[gu] (\S+)", (SYSTEMD / "speckled.sysusers").read_text(), re.MULTILINE))
    for unit in [*UNITS, *SOCKETS]:
        joined = re.findall(r"^(?:Supplementary|Socket)?Groups?=(.*)$", unit.read_text(), re.MULTILINE)
        assert set(" ".join(joined).split()) <= made
