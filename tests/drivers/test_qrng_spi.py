import errno

import pytest

from drivers.errors import QrngError, QrngReason
from drivers.qrng.spi import SpidevBus


class FakeSpidev:
    """The parts of the spidev package that are used, with its habits: xfer2 writes over the list it is given."""

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

    def xfer2(self, values):
        if self._package.transfer_error:
            raise self._package.transfer_error
        self._package.lists.append(values)
        values[:] = [value ^ 0xFF for value in values]
        return values

    def close(self):
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
