"""`speckled doctor` as a person runs it: on a machine with nothing right, and where a check itself is wrong."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import free_port
from made_up_device import ETC, NOBODY, device

from edge.cli import main as speckled_main
from edge.doctor import command
from edge.doctor.checks import CHECKS, Check
from edge.doctor.examine import examine
from edge.doctor.finding import Finding, Status, fail, ok, warn
from edge.doctor.known import UNKNOWN, read_known
from edge.doctor.page import document, lines, summary
from edge.doctor.picamera2 import Packages
from edge.doctor.system import Interpreter, Room, User
from edge.errors import ConfigError

DOCS = Path(__file__).resolve().parents[2] / "docs"
BROKEN = """\
[device]
id = "ward-3"
[camera]
driver = "picamera2"
[qrng]
driver = "microrng"
[relay]
socket = "{folder}/relay.sock"
state = "{folder}/relay"
[capture]
state = "{folder}/capture"
require_locked_memory = false
[mqtt]
prot = 1883
port = {port}
keepalive = "often"
[privacy]
profil = "place"
"""
SYNTHETIC = """\
[device]
id = "ward-3"
[camera]
driver = "synthetic"
[capture]
require_locked_memory = false
"""


@pytest.fixture
def nothing_right(tmp_path):
    """Settings with a fault, and none of what they name."""
    settings = tmp_path / "speckled.toml"
    settings.write_text(BROKEN.format(folder=tmp_path, port=free_port()))
    return settings


def test_a_machine_with_nothing_right_hears_of_every_fault_at_once(tmp_path, nothing_right):
    """All that can be wrong is made wrong: files below a root of our own, the rest as a bad Raspberry Pi has it."""
    root = tmp_path / "root"
    files = {
        "proc/self/mountinfo": "24 1 0:1 / / rw - tmpfs tmpfs rw\n",
        "proc/self/limits": "Limit  Soft  Hard  Units\nMax locked memory   65536   65536   bytes\n",
        "proc/swaps": "Filename Type Size Used Priority\n/var/swap file 1 0 -2\n",
        "proc/sys/kernel/core_pattern": "|/usr/lib/systemd/systemd-coredump %P\n",
        "proc/cmdline": "cgroup_disable=memory\n",
        "proc/net/unix": "Num RefCount Protocol Flags Type St Inode Path\n",
        "sys/block/mmcblk0/device/life_time": "0x0b 0x0b\n",
        "sys/class/hwmon/hwmon0/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "1\n",
        f"{tmp_path}/capture/entropy-failed": "repetition\n",
    }
    packages = {name: {"missing": name} for name in ("numpy", "simplejpeg", "libcamera")} | {"kms": {"foreign": "yes"}}
    system = device(
        root,
        files,
        user=User(1000, frozenset()),
        interpreter=Interpreter(sys.executable, "/venv", "/opt", "armv7l", 32),
        now=lambda: 0.0,
        room=lambda _path: Room(0, 1 << 30, 0),
        answers={"edge.doctor.imports": json.dumps(packages), "is-active": "failed\n"},
    ).system
    found = {}
    one = command.Device(system, nothing_right, read_known(nothing_right), with_frame=True)
    for finding in examine(one):
        found.setdefault(finding.status, []).append(f"{finding.group}: {finding.name}")
    assert found[Status.FAIL] == [
        *(3 * ["configuration: settings"]),
        *("machine: 64 bits", "machine: system Python", "machine: clock"),
        *("storage: state directories", "storage: disk space"),
        *("memory: swap",),
        *("camera: picamera2", "camera: libcamera", "camera: kms", "camera: numpy and simplejpeg", "camera: camera"),
        *("entropy: node", "entropy: SPI", "entropy: earlier failure"),
        "features: network",
        *("keys: device key", "keys: key pair", "keys: collector key"),
        "broker: address",
        *("services: units", "services: state", "services: relay socket"),
    ]
    assert found[Status.WARN] == [
        *("machine: hardware clock", "machine: power", "storage: card wear"),
        *("memory: memory cgroup", "memory: locked memory", "memory: core dumps"),
    ]


def test_on_this_machine_with_nothing_set_up_it_ends_with_1_and_names_what_is_missing(nothing_right):
    program = [sys.executable, "-m", "edge", "doctor", "--config", str(nothing_right)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    for fault in (
        "`prot`",
        "`profil`",
        "keepalive",
        "device.key",
        "device.pub",
        "collector.pub",
        "/dev/spidev0.0",
        "refused",
        "relay.sock",
    ):
        assert fault in done.stdout, fault
    remedies = re.findall(r"^ +-> .+$", done.stdout, re.MULTILINE)
    assert len(remedies) >= done.stdout.count("  FAIL  ")
    assert "defect" not in done.stdout


def test_who_may_not_read_the_settings_is_told_to_be_root_and_nothing_else(nothing_right, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, *_, **__: path != nothing_right)
    with pytest.raises(ConfigError) as error:
        command.main(["--config", str(nothing_right)])
    assert "sudo speckled doctor" in error.value.remedy
    assert capsys.readouterr().out == ""


def test_settings_that_cannot_be_read_at_all_leave_the_other_checks_their_defaults(tmp_path):
    for text in (None, "[device\n", "x = 1\n", "\xff"):
        path = tmp_path / "speckled.toml"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_bytes(text.encode("latin-1"))
        known = read_known(path)
        assert (known.device.id, known.identified, bool(known.faults)) == (UNKNOWN, False, True)
        assert known.device.key == str(tmp_path / "device.key")
        assert known.mqtt.port == 1883


def test_a_key_that_does_not_fit_costs_that_key_only(tmp_path):
    path = tmp_path / "speckled.toml"
    path.write_text(
        '[device]\nid = "ward-3"\n[mqtt]\nhost = "broker.lan"\nport = "many"\nprot = 5\n[camera]\ndriver = 3\n'
    )
    known = read_known(path)
    assert (known.mqtt.host, known.mqtt.port, known.device.id, known.camera) == ("broker.lan", 1883, "ward-3", None)
    assert known.identified


def raises(_device):
    raise ZeroDivisionError("of a check")


def test_a_check_that_raises_is_a_failed_finding_and_the_next_is_made(tmp_path):
    checks = (Check("a", "one", raises), Check("a", "two", lambda _device: ok("fine")))
    first, second = examine(device(tmp_path), checks)
    assert (first.status, "ZeroDivisionError: of a check" in first.detail, bool(first.remedy)) == (
        Status.FAIL,
        True,
        True,
    )
    assert second.status == Status.OK


@pytest.mark.parametrize("rubbish", ["", "\x00\xff -\n: - -\n= \n" * 40, "9" * 5000])
def test_no_check_raises_on_files_of_rubbish(tmp_path, rubbish):
    names = (
        *("proc/self/mountinfo", "proc/self/limits", "proc/swaps", "proc/sys/kernel/core_pattern", "proc/net/unix"),
        *("proc/locks", "proc/cmdline", "sys/class/rtc/rtc0/since_epoch", "sys/block/mmcblk0/device/life_time"),
        *("sys/class/hwmon/hwmon0/name", "sys/class/video4linux/v4l-subdev0/name", "etc/group", "etc/passwd"),
        *("boot/firmware/config.txt", "opt/speckled/venv/pyvenv.cfg", "sys/fs/cgroup/cgroup.controllers"),
        *("etc/systemd/system/speckled-capture.service", "etc/systemd/system/speckled-relay.service"),
        *(f"{ETC}/device.key", f"{ETC}/device.pub", f"{ETC}/collector.pub", "dev/spidev0.0"),
        "var/lib/speckled/capture/ledger.jsonl",
    )
    answers = dict.fromkeys(("edge.doctor.imports", "systemctl", "security", "probe", "dpkg"), rubbish)
    one = device(tmp_path, dict.fromkeys(names, rubbish), answers=answers, visit=NOBODY, capture=None)
    assert not [
        finding for finding in examine(one) if "could not be made" in finding.detail and "check" in finding.detail
    ]


def test_what_a_file_or_broker_says_cannot_write_on_the_terminal(tmp_path):
    loud = Check("a", "one", lambda _device: fail("\x1b[2J\n\x07name", "\x9b"))
    (finding,) = examine(device(tmp_path), (loud,))
    assert finding.detail == "?[2J ?name"
    assert finding.remedy == "?"


def test_each_check_is_made_once_and_its_name_is_its_own(tmp_path):
    names = [(check.group, check.name) for check in CHECKS]
    assert len(set(names)) == len(names)
    groups = [check.group for check in CHECKS]
    assert groups == sorted(groups, key=groups.index)


def test_a_failed_line_has_its_remedy_beneath(tmp_path):
    first = Finding("keys", "device key", Status.FAIL, "gone", "bring it back")
    second = Finding("keys", "key pair", Status.OK, "fine")
    screen = [*lines(first, None), *lines(second, first)]
    assert screen[0] == "keys"
    assert "FAIL" in screen[1]
    assert screen[2].strip() == "-> bring it back"
    assert len(screen) == 4
    assert "1 ok, 1 failed" in summary([first, second])
    assert document([first])["healthy"] is False
    assert document([second])["findings"][0]["status"] == "ok"


@pytest.mark.parametrize(("outcome", "status"), [(ok("a"), 0), (warn("a", "b"), 0), (fail("a", "b"), 1)])
def test_only_a_failed_check_makes_the_status_1(tmp_path, monkeypatch, capsys, outcome, status):
    monkeypatch.setattr("edge.doctor.examine.CHECKS", ())
    monkeypatch.setattr(command, "examine", lambda one, **_: examine(one, (Check("a", "b", lambda _: outcome),)))
    for form in ([], ["--json"]):
        assert command.main(["--config", str(tmp_path / "none.toml"), *form]) == status
    text = capsys.readouterr().out
    assert json.loads(text[text.index("{") :])["findings"][0]["detail"] == "a"


def test_a_check_that_takes_long_says_what_is_waited_for_and_takes_it_away(tmp_path):
    heard = []
    slow = Check("a", "b", lambda _device: ok(f"after {heard}"), "the broker")
    (finding,) = examine(device(tmp_path), (slow,), heard.append)
    assert finding.detail == "after ['the broker']"
    assert heard == ["the broker", ""]


def test_programs_that_hang_are_killed_at_their_deadline():
    from edge.attest.programs import run_program

    before = time.monotonic()
    assert run_program((sys.executable, "-c", "import time; time.sleep(60)"), 0.3) is None
    assert time.monotonic() - before < 50
    assert run_program(("/nonexistent",)) is None


def test_the_imports_are_made_in_a_process_of_their_own():
    done = subprocess.run([sys.executable, "-m", "edge.doctor.imports"], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert set(found) == {"kms", "numpy", "simplejpeg", "libcamera", "picamera2"}
    assert found["numpy"]["version"]
    assert Packages(found).of("none") == {}


def test_one_frame_of_a_camera_says_its_size_and_nothing_of_what_is_in_it(tmp_path):
    settings = tmp_path / "speckled.toml"
    settings.write_text(SYNTHETIC)
    done = subprocess.run(
        [sys.executable, "-m", "edge.doctor.frame", str(settings)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert json.loads(done.stdout).get("frame", done.stdout).startswith("simulated, 640 x 480")


def test_a_frame_that_cannot_be_had_is_an_error_with_a_remedy(tmp_path):
    settings = tmp_path / "speckled.toml"
    settings.write_text(SYNTHETIC.replace('driver = "synthetic"', 'driver = "folder"\npath = "none"'))
    done = subprocess.run(
        [sys.executable, "-m", "edge.doctor.frame", str(settings)], capture_output=True, text=True, check=False
    )
    assert set(json.loads(done.stdout)) == {"error", "remedy"}


def test_the_command_is_reached_by_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["speckled", "doctor", "--help"])
    with pytest.raises(SystemExit) as ended:
        speckled_main()
    assert ended.value.code == 0
    assert "--camera" in capsys.readouterr().out


def test_the_page_has_a_section_with_a_remedy_for_every_check_and_for_nothing_else():
    text = (DOCS / "doctor.md").read_text(encoding="utf-8")
    sections = re.split(r"(?m)^### ", text)[1:]
    found = {}
    for section in sections:
        name, _, body = section.partition("\n")
        found[name.strip()] = body
    assert list(found) == [check.name for check in CHECKS]
    for name, body in found.items():
        assert re.search(r"\*\*What to do\.?\*\*|Nothing to do", body), name
    groups = re.findall(r"(?m)^## (.+)$", text)
    assert [group.lower() for group in groups if group.lower() in {check.group for check in CHECKS}] == list(
        dict.fromkeys(check.group for check in CHECKS)
    )
