from pathlib import Path

import pytest

from drivers.qrng import Candidate, discover


@pytest.fixture
def machine(tmp_path):
    """An empty /dev and an empty /sys, to be filled."""
    dev, sysfs = tmp_path / "dev", tmp_path / "sys"
    dev.mkdir()
    sysfs.mkdir()
    return dev, sysfs


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def hwrng(machine, current, selected="1"):
    dev, sysfs = machine
    (dev / "hwrng").touch()
    write(sysfs / "class/misc/hw_random/rng_current", current)
    write(sysfs / "class/misc/hw_random/rng_selected", selected)


def serial_port(machine, name, vendor, product="", words=("", "")):
    """A USB serial port: by-id link, tty node, and the USB device two folders above the tty's own."""
    dev, sysfs = machine
    number = len(list(dev.glob("ttyUSB*")))
    (dev / f"ttyUSB{number}").touch()
    links = dev / "serial/by-id"
    links.mkdir(parents=True, exist_ok=True)
    (links / name).symlink_to(dev / f"ttyUSB{number}")
    usb = sysfs / f"devices/usb1/1-{number}"
    port = usb / f"1-{number}:1.0/ttyUSB{number}"
    port.mkdir(parents=True)
    for file, text in (("idVendor", vendor), ("idProduct", product), ("manufacturer", words[0]), ("product", words[1])):
        write(usb / file, text)
    tty = sysfs / f"class/tty/ttyUSB{number}"
    tty.mkdir(parents=True)
    (tty / "device").symlink_to(port)


def found(machine, **options):
    return discover(dev=machine[0], sysfs=machine[1], **options)


def test_discovery_lists_the_nodes_of_hardware_and_nothing_else(machine):
    dev, _ = machine
    for name in ("spidev0.0", "spidev1.0", "qrandom0", "quantis0", "urandom", "ttyS0", "ttyUSB7", "i2c-1", "tpm0"):
        (dev / name).touch()
    hwrng(machine, "bcm2835-rng")
    assert [(candidate.driver, Path(candidate.path).name) for candidate in found(machine)] == [
        ("microrng", "spidev0.0"),
        ("microrng", "spidev1.0"),
        ("character", "hwrng"),
        ("character", "qrandom0"),
        ("character", "quantis0"),
    ]
    assert found(machine)[2] == Candidate("character", str(dev / "hwrng"), "kernel source bcm2835-rng")


def test_discovery_on_a_machine_without_hardware_finds_nothing(machine):
    assert found(machine, partners=True, idq250_address=0x42) == []


def test_a_hwrng_with_nothing_behind_it_is_not_listed(machine):
    hwrng(machine, "none")
    assert found(machine) == []


@pytest.mark.parametrize(
    ("current", "selected", "said"),
    [
        ("tpm-rng-0", "1", "generator of the TPM"),
        ("virtio_rng.0", "1", "host of this virtual machine"),
        ("iproc-rng200", "0", "nobody pinned it"),
    ],
)
def test_what_is_known_of_a_kernel_source_is_said(machine, current, selected, said):
    hwrng(machine, current, selected)
    (only,) = found(machine)
    assert current in only.note
    assert said in only.note


def test_a_tpm_is_listed_as_a_partner_and_only_where_partners_are_asked_for(machine):
    dev, sysfs = machine
    (dev / "tpmrm0").touch()
    write(sysfs / "class/tpm/tpm0/tpm_version_major", "2")
    assert found(machine) == []
    (only,) = found(machine, partners=True)
    assert (only.driver, only.main) == ("tpm", False)
    assert only.note == "TPM 2; a partner of another source, not a main source"


def test_an_i2c_bus_is_listed_only_where_an_address_is_configured(machine):
    dev, sysfs = machine
    (dev / "i2c-1").touch()
    write(sysfs / "class/i2c-dev/i2c-1/name", "bcm2835 (i2c@7e804000)")
    assert found(machine) == []
    (only,) = found(machine, idq250_address=0x42)
    assert only.driver == "idq250"
    assert "bcm2835 (i2c@7e804000), address 0x42" in only.note


def test_a_serial_port_is_listed_by_the_name_that_it_keeps_and_only_with_the_chip_that_a_qcicada_has(machine):
    serial_port(machine, "usb-FTDI_FT230X_DK0-if00-port0", "0403", "6015", ("FTDI", "FT230X Basic UART"))
    serial_port(machine, "usb-1a86_USB_Serial-if00-port0", "1a86", "7523")
    (only,) = found(machine)
    assert only.driver == "qcicada"
    assert only.path.endswith("serial/by-id/usb-FTDI_FT230X_DK0-if00-port0")
    assert "0403:6015 FTDI FT230X Basic UART" in only.note


def test_a_vendor_node_says_which_driver_serves_it_or_that_none_does(machine):
    dev, sysfs = machine
    for number, name in enumerate(("qrandom0", "qrandom1")):
        (dev / name).touch()
        write(sysfs / f"dev/char/240:{number}/uevent", f"DEVNAME={name}")
    (sysfs / "dev/char/240:0/device").mkdir()
    (sysfs / "dev/char/240:0/device/driver").symlink_to("../../bus/pci/drivers/quantis")
    first, second = found(machine)
    assert first.note == "vendor device, served by quantis"
    assert "may be fed by a program" in second.note


def test_nothing_emulated_and_no_software_is_ever_listed(machine):
    dev, _ = machine
    for name in ("urandom", "random", "emulated", "spidev", "null"):
        (dev / name).touch()
    assert found(machine, partners=True, idq250_address=0x42) == []
