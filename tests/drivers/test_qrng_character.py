import os
import pty
import tty
from pathlib import Path

import pytest

from drivers.errors import QrngError, QrngReason
from drivers.qrng import Candidate, discover
from drivers.qrng.character import HWRNG, CharacterDevice


@pytest.fixture
def terminal():
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


def refusal(**options):
    with pytest.raises(QrngError) as caught:
        CharacterDevice(**options).open()
    return caught.value.reason


def test_a_regular_file_is_refused_as_the_wrong_device(tmp_path):
    path = tmp_path / "hwrng"
    path.write_bytes(bytes(64))
    assert refusal(path=str(path)) is QrngReason.WRONG_DEVICE


@pytest.mark.parametrize("path", ["/dev/urandom", "/dev/random", "/dev/zero"])
def test_a_software_device_of_the_kernel_is_refused_as_the_wrong_device(path):
    assert refusal(path=path) is QrngReason.WRONG_DEVICE


def test_a_missing_node_is_not_found(tmp_path):
    assert refusal(path=str(tmp_path / "none")) is QrngReason.NOT_FOUND


def test_a_model_is_what_the_kernel_says_and_not_what_the_path_suggests(terminal, tmp_path):
    link = tmp_path / "quantum-random"
    link.symlink_to(terminal["path"])
    identity = CharacterDevice(path=str(link)).open()
    assert identity.model.startswith("character device 136:")
    assert "quantum" not in identity.model
    assert not identity.raw


def test_hwrng_is_known_by_its_device_number_and_named_by_the_kernel(tmp_path):
    device = CharacterDevice(sysfs=sysfs_with(tmp_path, "tpm-rng-0"))
    device._device = HWRNG
    assert device._kernel_model() == "tpm-rng-0"


def test_a_source_that_the_kernel_changes_behind_the_node_is_a_fault(terminal, tmp_path):
    sysfs = sysfs_with(tmp_path, "bcm2835-rng")
    device = CharacterDevice(path=terminal["path"], sysfs=sysfs)
    device.open()
    device._device, device._model = HWRNG, "bcm2835-rng"
    os.write(terminal["master"], b"x" * 16)
    assert device.read(16) == b"x" * 16
    (sysfs / "class/misc/hw_random/rng_current").write_text("none\n")
    os.write(terminal["master"], b"x" * 16)
    with pytest.raises(QrngError) as caught:
        device.read(16)
    assert caught.value.reason is QrngReason.STATUS


def test_bytes_that_do_not_come_in_time_are_a_short_read(terminal):
    device = CharacterDevice(path=terminal["path"], timeout=0.05)
    device.open()
    os.write(terminal["master"], b"only ten b")
    with pytest.raises(QrngError) as caught:
        device.read(16)
    assert caught.value.reason is QrngReason.SHORT
    assert "10 of 16" in caught.value.detail
    with pytest.raises(QrngError) as closed:
        device.read(1)
    assert closed.value.reason is QrngReason.CLOSED


def test_a_device_that_goes_away_ends_the_read(terminal):
    device = CharacterDevice(path=terminal["path"], timeout=5)
    device.open()
    os.close(terminal["master"])
    terminal["master"] = None
    with pytest.raises(QrngError) as caught:
        device.read(16)
    assert caught.value.reason in {QrngReason.SHORT, QrngReason.BUS, QrngReason.UNPLUGGED}


def test_a_node_whose_hardware_is_gone_is_unplugged(terminal, monkeypatch):
    device = CharacterDevice(path=terminal["path"], timeout=5)
    device.open()
    os.write(terminal["master"], b"x" * 16)

    def gone(descriptor, buffers):
        raise OSError(19, "No such device")

    monkeypatch.setattr(os, "readv", gone)
    with pytest.raises(QrngError) as caught:
        device.read(16)
    assert caught.value.reason is QrngReason.UNPLUGGED


def test_discovery_lists_the_nodes_of_hardware_and_nothing_else(tmp_path):
    dev = tmp_path / "dev"
    dev.mkdir()
    for name in ("spidev0.0", "spidev1.0", "hwrng", "qrandom0", "urandom", "ttyS0"):
        (dev / name).touch()
    found = discover(dev=dev, sysfs=sysfs_with(tmp_path / "sys", "tpm-rng-0"))
    assert [(candidate.driver, Path(candidate.path).name) for candidate in found] == [
        ("microrng", "spidev0.0"),
        ("microrng", "spidev1.0"),
        ("character", "hwrng"),
        ("character", "qrandom0"),
    ]
    assert found[2] == Candidate("character", str(dev / "hwrng"), "kernel source tpm-rng-0")


def test_discovery_on_a_machine_without_hardware_finds_nothing(tmp_path):
    assert discover(dev=tmp_path, sysfs=tmp_path) == []


def test_a_hwrng_with_nothing_behind_it_is_not_listed(tmp_path):
    (tmp_path / "hwrng").touch()
    assert discover(dev=tmp_path, sysfs=sysfs_with(tmp_path / "sys", "none")) == []
