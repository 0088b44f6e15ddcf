import io
import os
import pty
import tty
from pathlib import Path

import pytest

from drivers.emulated.character import EmulatedCharacter
from drivers.emulated.faults import parse_fault, seeded
from drivers.errors import QrngError, QrngReason
from drivers.qrng.character import HWRNG, CharacterDevice, KernelNode


class Time:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def terminal():
    """A pseudo-terminal: the one character device that any user can make."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    ends = {"master": master, "slave": slave, "path": os.ttyname(slave)}
    yield ends
    for end in ("master", "slave"):
        if ends[end] is not None:
            os.close(ends[end])


def sysfs_with(root: Path, current: str) -> Path:
    folder = root / "class/misc/hw_random"
    folder.mkdir(parents=True)
    (folder / "rng_current").write_text(current + "\n")
    return root


def failure(act, *arguments):
    with pytest.raises(QrngError) as caught:
        act(*arguments)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


def refusal(**options):
    return failure(CharacterDevice(**options).open)


def source_of(*faults, **options):
    time = Time()
    noise = io.BytesIO(seeded(1)(8192)).read  # the same bytes however many are drawn at a time
    node = EmulatedCharacter(noise=noise, faults=tuple(map(parse_fault, faults)))
    return CharacterDevice(channel=node, clock=time, sleep=time.sleep, **options), node, time


def test_a_regular_file_is_refused_as_the_wrong_device(tmp_path):
    path = tmp_path / "hwrng"
    path.write_bytes(bytes(64))
    assert refusal(path=str(path)).reason is QrngReason.WRONG_DEVICE


@pytest.mark.parametrize("path", ["/dev/urandom", "/dev/random", "/dev/zero"])
def test_a_software_device_of_the_kernel_is_refused_as_the_wrong_device(path):
    assert refusal(path=path).reason is QrngReason.WRONG_DEVICE


@pytest.mark.parametrize("loaded", [False, True])
def test_a_missing_hwrng_says_whether_its_module_is_there(tmp_path, monkeypatch, loaded):
    def missing(*arguments, **options):
        raise FileNotFoundError(2, "No such file or directory")

    if loaded:
        sysfs_with(tmp_path, "none")
    monkeypatch.setattr("drivers.qrng.character.os.open", missing)
    error = refusal(path="/dev/hwrng", sysfs=tmp_path)
    assert error.reason is QrngReason.NOT_FOUND
    assert ("rng-core is there" if loaded else "rng-core is not loaded") in error.detail
    assert "modprobe iproc-rng200" in error.remedy


def test_a_missing_vendor_node_says_whether_a_kernel_module_serves_it(tmp_path):
    error = refusal(path="/dev/qrandom250", sysfs=tmp_path)
    assert error.reason is QrngReason.NOT_FOUND
    assert "no kernel module serves it" in error.detail
    device = tmp_path / "dev/char/240:0"
    device.mkdir(parents=True)
    (device / "uevent").write_text("DEVNAME=qrandom250\n")
    assert "although the kernel serves it" in refusal(path="/dev/qrandom250", sysfs=tmp_path).detail


def test_a_node_of_root_alone_is_denied_with_the_way_to_change_that(monkeypatch):
    def denied(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("drivers.qrng.character.os.open", denied)
    error = refusal(path="/dev/hwrng")
    assert error.reason is QrngReason.DENIED
    assert "udev" in error.remedy


def test_a_model_is_what_the_kernel_says_and_not_what_the_path_suggests(terminal, tmp_path):
    link = tmp_path / "quantum-random"
    link.symlink_to(terminal["path"])
    identity = CharacterDevice(path=str(link)).open()
    assert identity.model.startswith("character device 136:")
    assert "quantum" not in identity.model
    assert not identity.raw
    assert not identity.simulated


def test_what_the_operator_calls_a_device_stands_beside_what_the_kernel_calls_it(terminal):
    model = CharacterDevice(path=terminal["path"], name="Quantis PCIe-16M").open().model
    assert model.startswith("Quantis PCIe-16M (kernel: character device 136:")
    assert len(CharacterDevice(path=terminal["path"], name="x" * 200).open().model) == 64


def test_hwrng_is_known_by_its_device_number_and_named_by_the_kernel(tmp_path):
    node = KernelNode("/dev/anything", sysfs=sysfs_with(tmp_path, "tpm-rng-0"))
    node._device = HWRNG
    assert node.kernel_word() == "tpm-rng-0"


def test_a_vendor_device_is_named_by_the_driver_that_is_bound_to_it(tmp_path):
    node = KernelNode("/dev/qrandom0", sysfs=tmp_path)
    node._device = os.makedev(240, 1)
    device = tmp_path / "dev/char/240:1/device"
    device.mkdir(parents=True)
    (device / "driver").symlink_to(tmp_path / "bus/pci/drivers/quantis")
    assert node.kernel_word() == "quantis"


def test_a_source_other_than_the_pinned_one_is_refused_and_both_are_named():
    error = failure(source_of(kernel="bcm2835-rng")[0].open)
    assert error.reason is QrngReason.WRONG_DEVICE
    assert "emulated-rng" in error.detail
    assert "bcm2835-rng" in error.detail
    assert source_of(kernel="emulated-rng")[0].open().model == "emulated-rng"


@pytest.mark.parametrize("after", [0, 100, 512])
def test_a_source_that_the_kernel_changes_behind_the_node_is_a_fault_and_its_read_is_lost(after):
    source, node, _ = source_of()
    source.open()
    node.inject(parse_fault(f"status@{after}"))
    assert failure(source.read, 512).reason is QrngReason.STATUS
    assert failure(source.read, 1).reason is QrngReason.CLOSED


def test_bytes_that_do_not_come_in_time_are_a_short_read(terminal):
    device = CharacterDevice(path=terminal["path"], timeout=0.05)
    device.open()
    os.write(terminal["master"], b"only ten b")
    error = failure(device.read, 16)
    assert error.reason is QrngReason.SHORT
    assert "10 of 16" in error.detail
    assert failure(device.read, 1).reason is QrngReason.CLOSED


def test_a_device_that_goes_away_ends_the_read(terminal):
    device = CharacterDevice(path=terminal["path"], timeout=5)
    device.open()
    os.close(terminal["master"])
    terminal["master"] = None
    assert failure(device.read, 16).reason in {QrngReason.SHORT, QrngReason.BUS, QrngReason.UNPLUGGED}


def test_a_node_whose_hardware_is_gone_is_unplugged(terminal, monkeypatch):
    device = CharacterDevice(path=terminal["path"], timeout=5)
    device.open()
    os.write(terminal["master"], b"x" * 16)

    def gone(descriptor, buffers):
        raise OSError(19, "No such device")

    monkeypatch.setattr(os, "readv", gone)
    assert failure(device.read, 16).reason is QrngReason.UNPLUGGED


def test_a_node_gives_the_bytes_that_the_device_gives_in_order(terminal):
    device = CharacterDevice(path=terminal["path"], timeout=5)
    device.open()
    sent = seeded(1)(700)
    os.write(terminal["master"], sent)
    assert device.read(300) == sent[:300]
    assert device.read(400) == sent[300:]


def test_a_source_that_has_nothing_is_waited_for_until_the_deadline():
    slow, _, time = source_of("slow-ready=5@100")
    healthy, _, _ = source_of()
    slow.open()
    healthy.open()
    assert slow.read(512) == healthy.read(512)
    assert time.now > 0
    dead, _, time = source_of("not-ready@100", timeout=3)
    dead.open()
    assert failure(dead.read, 512).reason is QrngReason.SHORT
    assert 3 <= time.now < 3.1


FOUND = {
    "stuck-00": QrngReason.IMPLAUSIBLE,
    "stuck-ff": QrngReason.IMPLAUSIBLE,
    "echo": QrngReason.SHORT,
    "eio": QrngReason.BUS,
    "emsgsize": QrngReason.BUS,
    "etimedout": QrngReason.BUS,
    "unplug": QrngReason.UNPLUGGED,
    "status": QrngReason.STATUS,
    "wrong-chip": QrngReason.STATUS,
    "not-ready": QrngReason.SHORT,
    "stuck=0xff": QrngReason.IMPLAUSIBLE,
}


@pytest.mark.parametrize(("fault", "reason"), FOUND.items())
def test_a_device_that_breaks_while_it_is_read_is_found_within_two_blocks(fault, reason):
    source, node, _ = source_of(f"{fault}@700")
    source.open()
    source.read(512)
    assert failure(source.read, 1024).reason is reason
    assert node.drawn - 700 <= 512


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("unplug", QrngReason.UNPLUGGED),
        ("eio", QrngReason.BUS),
        ("wrong-chip", QrngReason.WRONG_DEVICE),
    ],
)
def test_a_device_that_is_broken_when_it_is_opened_is_refused(fault, reason):
    source, _, _ = source_of(fault)
    assert failure(source.open).reason is reason
    assert failure(source.read, 1).reason is QrngReason.CLOSED


@pytest.mark.parametrize("fault", ["drop", "short"])
def test_a_sample_that_is_lost_on_the_way_is_replaced_by_the_next(fault):
    source, _, _ = source_of(f"{fault}@640")
    healthy, _, _ = source_of()
    source.open()
    healthy.open()
    lost, whole = bytes(source.read(1024)), bytes(healthy.read(1025))
    assert lost in {whole[:at] + whole[at + 1 :] for at in range(1024)}


def test_an_error_never_quotes_a_sample():
    source, _, _ = source_of("stuck=0xff@64")
    source.open()
    error = failure(source.read, 512)
    assert "ff" not in f"{error!r}"
    assert "255" not in f"{error!r}"
