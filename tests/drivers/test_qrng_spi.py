import ctypes
import errno
import os
import struct

import pytest

from drivers.errors import QrngError, QrngReason
from drivers.qrng.spi import SpidevBus
from drivers.qrng.spi_message import buffer_size, send_row


class FakeSpidev:
    """The parts of the spidev package that are used, with its habits: xfer2 writes over the list it is given."""

    node = None

    def __init__(self, *, open_error=None, transfer_error=None, clock_limit=None):
        self.open_error = open_error
        self.transfer_error = transfer_error
        self.clock_limit = clock_limit
        self.lists = []
        self.opened = None
        self.closed = 0

    def SpiDev(self):
        return FakeHandle(self)


class FakeHandle:
    def __init__(self, package):
        self._package = package
        self._speed = 500_000
        self._descriptor = None
        self.mode = 0
        self.bits_per_word = 0

    @property
    def max_speed_hz(self):
        return self._speed

    @max_speed_hz.setter
    def max_speed_hz(self, value):
        self._speed = min(value, self._package.clock_limit or value)

    def open(self, bus, chip):
        if self._package.open_error:
            raise self._package.open_error
        self._package.opened = (bus, chip)
        node = self._package.node
        self._descriptor = os.memfd_create("node") if node is None else os.open(node, os.O_RDONLY)

    def xfer2(self, values):
        if self._package.transfer_error:
            raise self._package.transfer_error
        self._package.lists.append(values)
        values[:] = [value ^ 0xFF for value in values]
        return values

    def fileno(self):
        return self._descriptor

    def close(self):
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._package.closed += 1


def test_the_bus_opens_the_named_node_with_mode_word_and_clock():
    package = FakeSpidev()
    bus = SpidevBus("/dev/spidev1.2", mode=1, speed_hz=250_000, module=package)
    bus.open()
    assert package.opened == (1, 2)
    assert bus.transfer(b"r\x00") == b"\x8d\xff"
    bus.close()
    bus.close()
    assert package.closed == 1


def test_every_transfer_hands_over_a_list_of_its_own():
    package = FakeSpidev()
    bus = SpidevBus(module=package)
    bus.open()
    bus.transfer(b"t")
    bus.transfer(b"t")
    assert package.lists[0] is not package.lists[1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(errno.ENOENT, "gone"), QrngReason.NOT_FOUND),
        (PermissionError(errno.EACCES, "no"), QrngReason.DENIED),
        (SystemError("returned NULL without setting an exception"), QrngReason.BUS),
        (OSError(errno.ENODEV, "gone"), QrngReason.UNPLUGGED),
        (OSError(errno.ENXIO, "gone"), QrngReason.UNPLUGGED),
        (OSError(errno.EBUSY, "busy"), QrngReason.BUS),
    ],
)
def test_an_error_while_opening_becomes_its_reason_with_a_remedy(error, reason):
    with pytest.raises(QrngError) as caught:
        SpidevBus(module=FakeSpidev(open_error=error)).open()
    assert caught.value.reason is reason
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EIO, "input/output"), QrngReason.BUS),
        (TimeoutError(errno.ETIMEDOUT, "slow"), QrngReason.BUS),
        (OSError(errno.EMSGSIZE, "long"), QrngReason.BUS),
        (SystemError("returned NULL without setting an exception"), QrngReason.BUS),
        (OSError(errno.ENODEV, "gone"), QrngReason.UNPLUGGED),
    ],
)
def test_an_error_while_transferring_becomes_its_reason(error, reason):
    bus = SpidevBus(module=FakeSpidev(transfer_error=error))
    bus.open()
    with pytest.raises(QrngError) as caught:
        bus.transfer(b"r")
    assert caught.value.reason is reason


def test_a_clock_that_does_not_take_effect_is_refused():
    package = FakeSpidev(clock_limit=125_000)
    with pytest.raises(QrngError) as caught:
        SpidevBus(module=package, speed_hz=250_000).open()
    assert caught.value.reason is QrngReason.WRONG_DEVICE
    assert package.closed == 1


def test_a_missing_spidev_package_names_the_package_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spidev", None)
    with pytest.raises(QrngError) as caught:
        SpidevBus().open()
    assert caught.value.reason is QrngReason.NOT_INSTALLED
    assert "python3-spidev" in caught.value.remedy


@pytest.mark.parametrize("device", ["/dev/spidev0", "/dev/hwrng", "/tmp/spidev0.0"])
def test_a_path_that_is_no_spidev_node_is_not_found(device):
    with pytest.raises(QrngError) as caught:
        SpidevBus(device, module=FakeSpidev()).open()
    assert caught.value.reason is QrngReason.NOT_FOUND


def test_a_bus_that_is_not_open_transfers_nothing():
    with pytest.raises(QrngError) as caught:
        SpidevBus(module=FakeSpidev()).transfer(b"r")
    assert caught.value.reason is QrngReason.CLOSED


def test_a_node_that_another_program_has_is_refused_until_it_lets_go(tmp_path):
    package = FakeSpidev()
    package.node = tmp_path / "node"
    package.node.write_bytes(b"")
    first, second = SpidevBus(module=package), SpidevBus(module=package)
    first.open()
    with pytest.raises(QrngError, match="in use by another program") as caught:
        second.open()
    assert caught.value.reason is QrngReason.DENIED
    first.close()
    second.open()
    second.close()


def test_a_clock_can_be_changed_while_the_bus_is_open_and_before():
    package = FakeSpidev(clock_limit=2_000_000)
    bus = SpidevBus(module=package)
    bus.set_speed(1_000_000)
    bus.open()
    bus.set_speed(2_000_000)
    with pytest.raises(QrngError) as caught:
        bus.set_speed(3_000_000)
    assert caught.value.reason is QrngReason.WRONG_DEVICE
    assert package.closed == 1


def test_a_message_that_is_too_long_for_the_kernel_names_the_parameter_to_raise():
    bus = SpidevBus(module=FakeSpidev(transfer_error=OSError(errno.EMSGSIZE, "long")))
    bus.open()
    with pytest.raises(QrngError, match="EMSGSIZE") as caught:
        bus.transfer(b"r" * 5)
    assert "spidev.bufsiz=65536" in caught.value.remedy


class Kernel:
    """What the kernel would see of the ioctls, and a chip that answers each byte with its complement."""

    def __init__(self, monkeypatch, limit=4096):
        self.messages = []
        self.limit = limit
        monkeypatch.setattr("drivers.qrng.spi_message.fcntl.ioctl", self.ioctl)

    def ioctl(self, descriptor, request, argument):
        assert descriptor > 2
        assert (request >> 30, request >> 8 & 0xFF, request & 0xFF) == (1, 0x6B, 0)
        assert request >> 16 & 0x3FFF == len(argument)
        transfers = [struct.unpack("=QQIIHBBBBBB", argument[at : at + 32]) for at in range(0, len(argument), 32)]
        if sum(-(-each[2] // 128) * 128 for each in transfers) > self.limit:
            raise OSError(errno.EMSGSIZE, "Message too long")
        for tx, rx, length, *_ in transfers:
            sent = ctypes.string_at(tx, length)
            ctypes.memmove(rx, bytes(byte ^ 0xFF for byte in sent), length)
        self.messages.append([(each[2], each[6]) for each in transfers])
        return sum(each[2] for each in transfers)


def test_a_row_is_one_message_of_one_byte_transfers_with_chip_select_released_between_them(monkeypatch):
    kernel = Kernel(monkeypatch)
    bus = SpidevBus(module=FakeSpidev(), buffer=4096)
    bus.open()
    assert bus.each(b"abc") == bytes(byte ^ 0xFF for byte in b"abc")
    assert kernel.messages == [[(1, 1), (1, 1), (1, 0)]]
    assert bus.each(b"") == b""


@pytest.mark.parametrize(("buffer", "row"), [(4096, 32), (128, 1), (65536, 511), (100, 1)])
def test_a_row_longer_than_the_buffer_of_the_kernel_becomes_several_messages(monkeypatch, buffer, row):
    kernel = Kernel(monkeypatch, limit=max(buffer, 128))
    bus = SpidevBus(module=FakeSpidev(), buffer=buffer)
    bus.open()
    sent = bytes(range(256)) * 4
    assert bus.each(sent) == bytes(byte ^ 0xFF for byte in sent)
    assert len(kernel.messages[0]) == row
    assert {len(message) for message in kernel.messages} <= {row, 1024 % row}
    assert all(message[-1] == (1, 0) for message in kernel.messages)


def test_a_transfer_longer_than_the_package_takes_goes_to_the_kernel_whole(monkeypatch):
    package, kernel = FakeSpidev(), Kernel(monkeypatch, limit=8192)
    bus = SpidevBus(module=package)
    bus.open()
    assert bus.transfer(b"a" * 5000) == b"\x9e" * 5000
    assert kernel.messages == [[(5000, 0)]]
    assert package.lists == []
    with pytest.raises(QrngError, match="EMSGSIZE"):
        bus.transfer(b"a" * 9000)


def test_the_request_of_a_message_is_the_one_of_the_kernel_header(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "drivers.qrng.spi_message.fcntl.ioctl",
        lambda fd, request, argument: seen.append(request) or len(argument) // 32,
    )
    send_row(3, b"r")
    send_row(3, b"r" * 511)
    assert seen == [0x40206B00, 0x7FE06B00]


@pytest.mark.parametrize(
    ("text", "size"), [("4096\n", 4096), ("65536\n", 65536), ("x", 4096), (None, 4096), ("1", 128)]
)
def test_the_buffer_of_the_kernel_is_read_from_its_parameter(tmp_path, text, size):
    parameter = tmp_path / "bufsiz"
    if text is not None:
        parameter.write_text(text, encoding="ascii")
    assert buffer_size(parameter) == size


def test_a_row_fails_like_a_transfer(monkeypatch):
    def unplugged(*_):
        raise OSError(errno.ENODEV, "gone")

    monkeypatch.setattr("drivers.qrng.spi_message.fcntl.ioctl", unplugged)
    bus = SpidevBus(module=FakeSpidev())
    bus.open()
    with pytest.raises(QrngError) as caught:
        bus.each(b"rr")
    assert caught.value.reason is QrngReason.UNPLUGGED
    bus.close()
    with pytest.raises(QrngError) as caught:
        bus.each(b"rr")
    assert caught.value.reason is QrngReason.CLOSED
