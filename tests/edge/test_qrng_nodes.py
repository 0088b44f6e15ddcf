import os
from pathlib import Path

import pytest

from drivers.errors import QrngError, QrngReason
from edge.qrng.nodes import FAMILIES, check_node, denied, describe_node

NODES = {
    "/dev/spidev9.9": ("spidev", "dtparam=spi=on"),
    "/dev/i2c-99": ("i2c-dev", "dtparam=i2c_arm=on"),
    "/dev/ttyUSB99": ("ftdi_sio", "modprobe ftdi_sio"),
    "/dev/ttyACM99": ("cdc_acm", "modprobe cdc_acm"),
    "/dev/tpmrm99": ("tpm_tis_spi", "dtoverlay=tpm-slb9670"),
}


def refused(node, sysfs=Path("/sys")):
    with pytest.raises(QrngError) as caught:
        check_node(str(node), sysfs=sysfs)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("node", NODES)
def test_a_node_whose_kernel_module_is_missing_names_the_module_and_how_to_load_it(node, tmp_path):
    module, enable = NODES[node]
    error = refused(node, tmp_path)
    assert error.reason is QrngReason.NOT_FOUND
    assert f"does not exist, and the kernel module {module} is not loaded" in error.detail
    assert enable in error.remedy


@pytest.mark.parametrize("node", NODES)
def test_a_node_that_is_missing_although_its_module_is_there_is_a_matter_of_the_device(node, tmp_path):
    for family in FAMILIES.values():
        (tmp_path / family.sign).mkdir(parents=True, exist_ok=True)
    error = refused(node, tmp_path)
    assert "although the kernel module" in error.detail
    assert "Check the wiring" in error.remedy


def test_a_node_of_no_known_kind_is_a_matter_of_the_makers_module(tmp_path):
    error = refused(tmp_path / "qrandom7")
    assert error.reason is QrngReason.NOT_FOUND
    assert "kernel module" in error.remedy


def test_a_path_through_a_file_is_no_node(tmp_path):
    (tmp_path / "file").write_text("")
    assert refused(tmp_path / "file" / "node").reason is QrngReason.NOT_FOUND


def test_a_node_that_may_be_read_raises_nothing(tmp_path):
    node = tmp_path / "node"
    node.write_text("")
    check_node(str(node))
    assert "mode" in describe_node(str(node))


def test_a_node_that_may_not_be_read_is_told_from_one_that_is_missing(tmp_path, monkeypatch):
    node = tmp_path / "node"
    node.write_text("")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert refused(node).reason is QrngReason.DENIED


@pytest.mark.parametrize(("group", "mode", "remedy"), [(3, 0o660, "Join the group sys"), (0, 0o600, "udev rule")])
def test_a_user_is_told_which_group_to_join_or_that_there_is_none(group, mode, remedy, tmp_path, monkeypatch):
    node = tmp_path / "node"
    node.write_text("")
    status = os.stat_result((0o020000 | mode, 0, 0, 1, 0, group, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _: status)
    assert remedy in denied(str(node)).remedy
