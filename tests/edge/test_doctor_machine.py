"""Checks of the machine, its storage and its memory, on made-up trees."""

import pytest
from made_up_device import NOW, PLENTY, PYTHON, changed, device, known

from edge.config import SyntheticSettings
from edge.doctor import machine, memory, storage
from edge.doctor.system import Interpreter, Room, User, clock_error, room_at
from edge.sections import CaptureSettings, RelaySettings

ROOT = "24 1 179:2 / / rw,noatime shared:1 - ext4 /dev/root rw\n"
READ_ONLY = "24 1 179:2 / / ro - ext4 /dev/root ro\n"
OVERLAY = (
    "24 1 0:20 / / rw - overlay overlayroot rw,lowerdir=/media/ro,upperdir=/media/rw/overlay\n"
    "25 24 0:21 / /media/rw rw - tmpfs tmpfs rw\n"
)
CONTROLLERS = "sys/fs/cgroup/cgroup.controllers"
SWAPS = "Filename Type Size Used Priority\n"


@pytest.mark.parametrize(
    ("name", "bits", "status"), [("aarch64", 64, "ok"), ("aarch64", 32, "fail"), ("armv7l", 32, "fail")]
)
def test_32_bits_fail_also_below_a_64_bit_kernel(tmp_path, name, bits, status):
    python = Interpreter("", "/usr", "/usr", name, bits)
    found = machine.sixty_four_bits(device(tmp_path, interpreter=python))
    assert found.status == status
    assert bool(found.remedy) is (status == "fail")


@pytest.mark.parametrize(
    ("base", "prefix", "settings", "status"),
    [
        ("/usr", "/usr", "", "ok"),
        ("/usr", "/venv", "home = /usr/bin\ninclude-system-site-packages = true\n", "ok"),
        ("/usr", "/venv", "include-system-site-packages = false\n", "fail"),
        ("/usr", "/venv", "", "fail"),
        ("/root/.pyenv/versions/3.11.7", "/venv", "include-system-site-packages = true\n", "fail"),
    ],
)
def test_only_the_systems_python_with_its_packages_can_see_picamera2(tmp_path, base, prefix, settings, status):
    python = Interpreter("", prefix, base, "aarch64", 64)
    assert machine.system_python(device(tmp_path, {"venv/pyvenv.cfg": settings}, interpreter=python)).status == status


def test_any_python_will_do_for_another_camera(tmp_path):
    python = Interpreter("", "/venv", "/opt", "aarch64", 64)
    found = machine.system_python(device(tmp_path, settings=known(camera=SyntheticSettings()), interpreter=python))
    assert found.status == "skip"


@pytest.mark.parametrize(
    ("now", "error", "status"),
    [(NOW, 0.02, "ok"), (NOW, 16.0, "warn"), (NOW, None, "warn"), (0.0, 0.02, "fail")],
)
def test_a_clock_that_nobody_sets_is_told(tmp_path, now, error, status):
    assert machine.clock(device(tmp_path, now=lambda: now, clock_error=lambda: error)).status == status


def test_this_kernel_tells_how_exact_its_clock_may_be():
    error = clock_error()
    assert error is not None
    assert 0 <= error < 1e6


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({}, "warn"),
        ({"sys/class/rtc/rtc0/since_epoch": "12\n"}, "warn"),
        ({"sys/class/rtc/rtc0/since_epoch": f"{int(NOW)}\n"}, "ok"),
    ],
)
def test_a_clock_chip_counts_only_with_a_battery(tmp_path, files, status):
    assert machine.hardware_clock(device(tmp_path, files)).status == status


@pytest.mark.parametrize(("alarm", "status"), [("0\n", "ok"), ("1\n", "warn")])
def test_a_supply_that_sags_is_told(tmp_path, alarm, status):
    files = {"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": alarm}
    assert machine.power(device(tmp_path, files)).status == status
    assert machine.power(device(tmp_path / "other")).status == "skip"


@pytest.mark.parametrize(
    ("mountinfo", "status", "says"),
    [
        (ROOT, "ok", "/var/lib/speckled"),
        (READ_ONLY, "fail", "read-only"),
        (READ_ONLY + "25 24 179:3 / /var/lib/speckled rw - ext4 /dev/mmcblk0p3 rw\n", "ok", ""),
        (ROOT + "25 24 0:40 / /var/lib rw - tmpfs tmpfs rw\n", "fail", "a power cut loses it"),
        (OVERLAY, "fail", "a power cut loses it"),
        ("", "fail", "mountinfo"),
    ],
)
def test_state_that_would_not_outlive_a_power_cut_fails(tmp_path, mountinfo, status, says):
    files = {"proc/self/mountinfo": mountinfo} if mountinfo else {}
    for folder in ("capture", "relay"):
        (tmp_path / "var/lib/speckled" / folder).mkdir(parents=True)
    found = storage.state_directories(device(tmp_path, files))
    assert found.status == status
    assert says in found.detail


def test_state_directories_that_are_not_there_yet_are_told(tmp_path):
    assert storage.state_directories(device(tmp_path, {"proc/self/mountinfo": ROOT})).status == "warn"


@pytest.mark.parametrize(
    ("room", "status"),
    [
        (PLENTY, "ok"),
        (Room(200 << 20, 1 << 30, None), "warn"),
        (Room(1 << 20, 1 << 30, None), "fail"),
        (Room(10 << 30, 30 << 30, 3), "fail"),
    ],
)
def test_a_disk_without_room_for_the_outbox_is_told_before_it_is_full(tmp_path, room, status):
    settings = known(relay=RelaySettings(outbox_mb=256))
    assert storage.disk_space(device(tmp_path, settings=settings, room=lambda _path: room)).status == status


def test_room_is_measured_where_the_folder_will_be(tmp_path):
    asked = []

    def room(path):
        asked.append(path)
        return room_at(path)

    storage.disk_space(device(tmp_path, {"var/lib/x": ""}, room=room))
    assert set(asked) == {tmp_path / "var" / "lib"}


@pytest.mark.parametrize(
    ("life", "status"),
    [("0x02 0x01\n", "ok"), ("0x09 0x01\n", "warn"), ("0x01 0x0b\n", "warn"), ("0x00 0x00\n", "skip"), ("", "skip")],
)
def test_storage_at_the_end_of_its_life_is_told(tmp_path, life, status):
    assert storage.card_wear(device(tmp_path, {"sys/block/mmcblk0/device/life_time": life})).status == status


def test_a_root_is_said_to_be_read_only_or_writable(tmp_path):
    assert "writable" in storage.root_file_system(device(tmp_path, {"proc/self/mountinfo": ROOT})).detail
    assert "read-only" in storage.root_file_system(device(tmp_path, {"proc/self/mountinfo": READ_ONLY})).detail


@pytest.mark.parametrize(
    ("files", "status", "says"),
    [
        ({CONTROLLERS: "cpuset cpu io memory pids\n"}, "ok", ""),
        ({CONTROLLERS: "cpu\n", "proc/cmdline": "a cgroup_disable=memory b\n"}, "warn", "cgroup_disable"),
        ({}, "warn", "do nothing"),
    ],
)
def test_a_kernel_that_ignores_limits_of_memory_is_told(tmp_path, files, status, says):
    found = memory.memory_cgroup(device(tmp_path, files))
    assert found.status == status
    assert says in found.detail


@pytest.mark.parametrize(
    ("swaps", "backing", "required", "status"),
    [
        ("", "none", True, "ok"),
        ("/dev/zram0 partition 1 0 100\n", "none", True, "ok"),
        ("/dev/zram0 partition 1 0 100\n", "/dev/loop0", True, "warn"),
        ("/var/swap file 1 0 -2\n", "none", True, "warn"),
        ("/var/swap file 1 0 -2\n", "none", False, "fail"),
    ],
)
def test_a_swap_on_a_disk_fails_where_memory_need_not_be_locked(tmp_path, swaps, backing, required, status):
    files = {"proc/swaps": SWAPS + swaps, "sys/block/zram0/backing_dev": f"{backing}\n"}
    settings = known(capture=CaptureSettings(require_locked_memory=required))
    found = memory.swap(device(tmp_path, files, settings=settings))
    assert found.status == status
    if backing != "none":
        assert "zram0 writes back to /dev/loop0" in found.detail


@pytest.mark.parametrize(
    ("limit", "user", "required", "unit", "status"),
    [
        ("8388608", 1000, True, None, "fail"),
        ("8388608", 1000, False, None, "warn"),
        ("8388608", 0, True, None, "ok"),
        ("unlimited", 1000, True, None, "ok"),
        ("8388608", 1000, True, "[Service]\nLimitMEMLOCK=infinity\n", "ok"),
        ("8388608", 1000, True, "[Service]\n", "fail"),
    ],
)
def test_memory_that_may_not_be_locked_fails(tmp_path, limit, user, required, unit, status):
    files = {
        "proc/self/limits": f"Limit  Soft Limit  Hard Limit  Units\nMax locked memory   {limit}   {limit}   bytes\n"
    }
    if unit is not None:
        files["etc/systemd/system/speckled-capture.service"] = unit
    settings = known(capture=changed(CaptureSettings(), require_locked_memory=required))
    one = device(tmp_path, files, settings=settings, user=User(user, frozenset()), interpreter=PYTHON)
    assert memory.locked_memory(one).status == status


@pytest.mark.parametrize(
    ("pattern", "status"), [("core\n", "ok"), ("|/usr/lib/systemd/systemd-coredump %P\n", "warn"), (None, "warn")]
)
def test_a_handler_of_cores_behind_a_pipe_is_told(tmp_path, pattern, status):
    files = {} if pattern is None else {"proc/sys/kernel/core_pattern": pattern}
    assert memory.core_dumps(device(tmp_path, files)).status == status
