"""Checks of the camera, the entropy source and the services, on made-up trees."""

import json
import os
import socket
from pathlib import Path

import pytest
from made_up_device import device, known

from edge.attest.exposure import EXPOSURE_FILE
from edge.attest.programs import Answer
from edge.config import FolderSettings, OpenCvSettings, SyntheticSettings
from edge.doctor import camera, entropy, service
from edge.doctor.known import Fault
from edge.doctor.picamera2 import Packages, find_packages
from edge.doctor.system import User
from edge.sections import SwitchSettings
from edge.sources import CharacterSettings, DiscoverSettings, SoftwareSettings

GOOD = {
    "kms": {"missing": "kms"},
    "numpy": {"version": "1.24.2"},
    "simplejpeg": {"version": "1.6.4"},
    "libcamera": {"version": "0.4.0"},
    "picamera2": {"version": "0.3.38"},
}
LIBRARIES = (camera.picamera2, camera.libcamera, camera.foreign_kms, camera.numpy_abi)
SENSOR = {"sys/class/video4linux/v4l-subdev0/name": "imx219 10-0010\n"}
UNIT = "/etc/systemd/system/speckled-capture.service"


def test_libraries_that_can_be_imported_are_told_with_their_versions(tmp_path):
    one = device(tmp_path, packages=Packages(GOOD), answers={"dpkg-query": "0.4.0-7"})
    assert [look(one).status for look in LIBRARIES] == ["ok"] * 4
    assert "0.3.38" in camera.picamera2(one).detail
    assert "0.4.0-7" in camera.libcamera(one).detail


@pytest.mark.parametrize(
    ("changed", "failing", "says"),
    [
        ({"picamera2": {"error": "not installed", "remedy": "Run: apt"}}, camera.picamera2, "apt"),
        ({"libcamera": {"missing": "libcamera"}}, camera.libcamera, "libcamera"),
        ({"kms": {"version": "0.1", "foreign": "yes"}}, camera.foreign_kms, "uninstall"),
        ({"simplejpeg": {"error": "ValueError: numpy.dtype size changed"}}, camera.numpy_abi, "force-reinstall"),
        ({"simplejpeg": {"missing": "simplejpeg"}}, camera.numpy_abi, "apt"),
    ],
)
def test_each_library_fails_by_itself_and_says_what_to_do(tmp_path, changed, failing, says):
    one = device(tmp_path, packages=Packages(GOOD | changed))
    assert {look for look in LIBRARIES if look(one).status == "fail"} == {failing}
    assert says in failing(one).remedy


@pytest.mark.parametrize("answer", [None, Answer(-11, ""), Answer(0, "[]")])
def test_libraries_that_crash_or_hang_are_findings_and_not_the_end(tmp_path, answer):
    one = device(tmp_path, answers={"edge.doctor.imports": answer})
    assert find_packages(one.system).failed
    assert camera.picamera2(one).status == "fail"


def test_libraries_of_a_raspberry_pi_camera_are_not_asked_of_another(tmp_path):
    one = device(tmp_path, settings=known(camera=SyntheticSettings()))
    assert {look(one).status for look in LIBRARIES} == {"skip"}


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({}, "fail"),
        (SENSOR, "ok"),
        ({"sys/class/video4linux/v4l-subdev0/name": "dw9807 10-000c\n"}, "fail"),
        ({"sys/class/video4linux/video0/name": "unicam-image\n"}, "fail"),
    ],
)
def test_a_sensor_that_the_kernel_did_not_find_is_told(tmp_path, files, status):
    assert camera.camera(device(tmp_path, files)).status == status


@pytest.mark.parametrize(
    ("settings", "files", "status"),
    [
        (None, {}, "fail"),
        (OpenCvSettings(source=0), {}, "fail"),
        (OpenCvSettings(source=0), {"dev/video0": ""}, "ok"),
        (OpenCvSettings(source="rtsp://user:word@camera/stream"), {}, "skip"),
        (OpenCvSettings(source="/srv/a.mp4"), {"srv/a.mp4": ""}, "ok"),
        (FolderSettings(path="/srv"), {"srv/a.PNG": "", "srv/b.txt": ""}, "ok"),
        (FolderSettings(path="/srv"), {"srv/b.txt": ""}, "fail"),
        (SyntheticSettings(), {}, "warn"),
    ],
)
def test_each_kind_of_camera_is_looked_for_where_it_should_be(tmp_path, settings, files, status):
    found = camera.camera(device(tmp_path, files, settings=known(camera=settings)))
    assert found.status == status
    assert "word" not in found.detail


@pytest.mark.parametrize(
    "why",
    [
        {"capture": "runs"},
        {"capture": "unknown"},
        {"with_frame": False},
        {"settings": known(switch=SwitchSettings(gpio="gpiochip0:17"))},
        {"settings": known(faults=(Fault("a", "b"),))},
        {"files": {"/var/lib/speckled/camera-off": ""}},
    ],
)
def test_the_camera_is_opened_only_where_asked_where_capture_is_idle_and_the_switch_is_on(tmp_path, why):
    def opened(*_args):
        raise AssertionError

    assert camera.one_frame(device(tmp_path, **({"with_frame": True, "run": opened} | why))).status == "skip"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ('{"frame": "640 x 480"}', "ok"),
        ('{"error": "busy", "remedy": "wait"}', "fail"),
        (Answer(-11, ""), "fail"),
        (None, "fail"),
    ],
)
def test_a_frame_that_does_not_come_is_a_finding(tmp_path, answer, status):
    assert camera.one_frame(device(tmp_path, with_frame=True, answers={"edge.doctor.frame": answer})).status == status


def test_a_switch_that_is_off_is_told(tmp_path):
    assert camera.privacy_switch(device(tmp_path)).status == "ok"
    assert camera.privacy_switch(device(tmp_path, {"/var/lib/speckled/camera-off": ""})).status == "warn"


def test_a_missing_node_says_which_module_or_setting_is_missing(tmp_path):
    found = entropy.entropy_node(device(tmp_path))
    assert (found.status, "spidev" in found.detail, "dtparam=spi=on" in found.remedy) == ("fail", True, True)
    assert entropy.entropy_node(device(tmp_path, {"dev/spidev0.0": ""})).status == "ok"


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("", "off"),
        ("#dtparam=spi=on\n", "off"),
        ("dtparam=spi=off\n", "off"),
        ("arm_64bit=1\ndtparam=spi=on\n", "reboot"),
        ("dtparam=i2c_arm=on,spi=on # both\n", "reboot"),
        ("dtparam=spi\n", "reboot"),
    ],
)
def test_spi_that_is_off_is_told_from_spi_that_waits_for_a_reboot(tmp_path, config, says):
    found = entropy.spi(device(tmp_path, {"boot/firmware/config.txt": config}))
    assert found.status == "fail"
    assert says in found.detail + found.remedy


def node_of(tmp_path, mode, files, **how):
    one = device(tmp_path, {"dev/spidev0.0": ""} | files, **how)
    (tmp_path / "dev/spidev0.0").chmod(mode)
    return one


def test_capture_reads_the_node_by_its_group_or_by_its_unit(tmp_path):
    number = tmp_path.stat().st_gid or 4242
    member = {"etc/group": f"spi:x:{number}:pi,speckled-capture\n"}
    stranger = {"etc/group": f"spi:x:{number}:pi\n"}
    named = {UNIT: "[Service]\nUser=speckled-capture\nSupplementaryGroups=video spi\n"}
    for index, (mode, files, status) in enumerate(
        [
            (0o660, member, "ok"),
            (0o660, stranger, "fail"),
            (0o660, stranger | named, "ok"),
            (0o600, member, "fail"),
            (0o666, stranger, "ok"),
        ]
    ):
        folder = tmp_path / str(index)
        one = node_of(folder, mode, files, user=User(1, frozenset()))
        os.chown(folder / "dev/spidev0.0", -1, number)
        assert entropy.entropy_rights(one).status == status, index


def test_a_source_of_software_is_told(tmp_path):
    assert entropy.entropy_choice(device(tmp_path, settings=known(qrng=SoftwareSettings()))).status == "warn"
    assert entropy.entropy_choice(device(tmp_path)).status == "ok"
    assert entropy.entropy_choice(device(tmp_path, settings=known(qrng=DiscoverSettings()))).status == "ok"


def test_an_earlier_failure_of_the_source_is_told(tmp_path):
    assert entropy.entropy_latch(device(tmp_path)).status == "ok"
    found = entropy.entropy_latch(device(tmp_path, {"/var/lib/speckled/capture/entropy-failed": "repetition\n"}))
    assert (found.status, "repetition" in found.detail, "--clear-latch" in found.remedy) == ("fail", True, True)


PROBED = json.dumps({"answers": True, "model": "MicroRNG", "steps": []})
SILENT = json.dumps(
    {"answers": False, "reason": "x", "remedy": "look", "steps": [{"outcome": "FAILED", "detail": "no link"}]}
)


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (PROBED, "ok", "MicroRNG"),
        (SILENT, "fail", "no link"),
        (Answer(70, "", "Traceback\nValueError: x\n"), "fail", "ValueError"),
        (Answer(70, "[]"), "fail", "70"),
        (None, "fail", "no answer"),
    ],
)
def test_the_source_is_asked_through_its_own_probe(tmp_path, answer, status, says):
    found = entropy.entropy_answer(device(tmp_path, {"dev/spidev0.0": ""}, answers={"probe": answer}))
    assert found.status == status
    assert says in found.detail


def test_the_source_is_not_asked_while_capture_may_have_it(tmp_path):
    for state in ("runs", "unknown"):
        found = entropy.entropy_answer(
            device(tmp_path, {"dev/spidev0.0": ""}, answers={"probe": SILENT}, capture=state)
        )
        assert found.status == "skip"


def test_with_faulty_settings_the_named_source_is_asked_all_the_same(tmp_path):
    asked = []

    def run(command, _seconds=0):
        asked.append(command)
        return Answer(0, PROBED)

    settings = known(qrng=CharacterSettings(path="/dev/q"), faults=(Fault("a", "b"),))
    assert entropy.entropy_answer(device(tmp_path, {"dev/q": ""}, settings=settings, run=run)).status == "ok"
    assert "character:/dev/q" in asked[-1]
    settings = known(qrng=DiscoverSettings(), faults=(Fault("a", "b"),))
    assert entropy.entropy_answer(device(tmp_path, settings=settings, run=run)).status == "skip"


def ledger_locked(tmp_path, number):
    return {
        "/var/lib/speckled/capture/ledger.jsonl": "",
        "proc/locks": f"1: POSIX  ADVISORY  READ 1 00:29:7 128 128\n2: FLOCK  ADVISORY  WRITE 2 fe:00:{number} 0 EOF\n",
    }


def test_capture_is_known_to_run_by_the_lock_of_its_ledger_which_is_not_taken(tmp_path):
    assert device(tmp_path, capture=None).capture == "idle"
    one = device(tmp_path, {"/var/lib/speckled/capture/ledger.jsonl": ""}, capture=None)
    assert one.capture == "unknown"
    number = (tmp_path / "var/lib/speckled/capture/ledger.jsonl").stat().st_ino
    assert device(tmp_path, ledger_locked(tmp_path, number), capture=None).capture == "runs"
    assert device(tmp_path, ledger_locked(tmp_path, number + 1), capture=None).capture == "idle"


def test_capture_is_known_to_run_by_its_manager(tmp_path):
    answers = {"systemctl": "MainPID=812\nRestrictAddressFamilies=AF_UNIX\n"}
    assert device(tmp_path, answers=answers, capture=None).capture == "runs"


def test_units_and_their_users_are_looked_for_where_the_manager_does(tmp_path):
    files = {f"usr/lib/systemd/system/{unit}.service": "" for unit in service.UNITS}
    assert service.units(device(tmp_path)).status == "fail"
    assert "user" in service.units(device(tmp_path, files)).detail
    users = "".join(f"{unit}:x:9:9::/:/bin/false\n" for unit in service.UNITS)
    assert service.units(device(tmp_path, files | {"etc/passwd": users})).status == "ok"


@pytest.mark.parametrize(
    ("score", "noted", "status"),
    [
        ("0.6", 6, "ok"),
        ("0.6", 7, "warn"),
        ("0.6", None, "warn"),
        ("0.9", 9, "warn"),
        ("9.2", 92, "warn"),
        ("?", 6, "skip"),
    ],
)
def test_units_that_are_more_exposed_than_delivered_or_than_noted_are_told(tmp_path, score, noted, status):
    files = {f"etc/systemd/system/{unit}.service": "" for unit in service.UNITS}
    if noted is not None:
        files[str(EXPOSURE_FILE)] = json.dumps(dict.fromkeys(service.UNITS, noted))
    text = f"→ Overall exposure level for x.service: {score} SAFE\n"
    assert service.exposure(device(tmp_path, files, answers={"security": text})).status == status
    assert service.exposure(device(tmp_path / "other")).status == "skip"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("active\n", "ok"),
        ("failed\n", "fail"),
        ("inactive\n", "warn"),
        (None, "skip"),
        (Answer(1, "", "no bus"), "skip"),
    ],
)
def test_services_that_failed_or_do_not_run_are_told(tmp_path, answer, status):
    assert service.services(device(tmp_path, answers={"is-active": answer})).status == status


def test_the_relays_socket_is_looked_for_without_connecting_to_it(tmp_path):
    path = str(tmp_path / "relay.sock")
    settings = known(relay=known().relay.__class__(socket=path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        table = Path("/proc/net/unix").read_text()
        assert service.relay_socket(device(tmp_path, {"proc/net/unix": table}, settings=settings)).status == "ok"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    table = Path("/proc/net/unix").read_text()
    assert Path(path).is_socket()
    assert service.relay_socket(device(tmp_path, {"proc/net/unix": table}, settings=settings)).status == "fail"
    assert service.relay_socket(device(tmp_path / "other", settings=settings)).status == "skip"
