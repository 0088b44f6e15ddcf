import ctypes
import errno
import os

import pytest

from drivers.emulated.faults import seeded
from drivers.emulated.idq250 import EmulatedIdq250
from drivers.errors import QrngError, QrngReason
from drivers.qrng.gpio import GpioLine
from drivers.qrng.i2c import Smbus2Bus
from drivers.qrng.idq250 import Idq250

ADDRESS = 0x42
I2C_FUNCS, I2C_RDWR, FUNC_I2C = 0x0705, 0x0707, 1
I2C_M_RD = 1


class Controller:
    """The kernel's side of i2c-dev: answers ioctls of the real smbus2 from a chip at one address."""

    def __init__(self, chip, functions=FUNC_I2C):
        self.chip = chip
        self.functions = functions
        self.error = None

    def ioctl(self, descriptor, request, argument):
        os.fstat(descriptor)
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        if request == I2C_FUNCS:
            ctypes.cast(ctypes.byref(argument), ctypes.POINTER(ctypes.c_ulong))[0] = self.functions
            return 0
        assert request == I2C_RDWR
        assert argument.nmsgs == 2
        write, read = argument.msgs[0], argument.msgs[1]
        assert (write.flags, write.len, read.flags) == (0, 1, I2C_M_RD)
        assert write.addr == read.addr
        if read.addr != ADDRESS:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        answer = self.chip.read(write.buf[0][0], read.len)
        ctypes.memmove(read.buf, bytes(answer), read.len)
        return 2


@pytest.fixture
def node(tmp_path):
    path = tmp_path / "i2c-1"
    path.touch()
    return str(path)


@pytest.fixture
def controller(monkeypatch):
    smbus2 = pytest.importorskip("smbus2.smbus2", reason="needs smbus2")
    chip = EmulatedIdq250(noise=seeded(1))
    chip.open()
    controller = Controller(chip)
    monkeypatch.setattr(smbus2, "ioctl", controller.ioctl)
    return controller


def failure(act, *arguments):
    with pytest.raises(QrngError) as caught:
        act(*arguments)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


def test_the_driver_reads_a_chip_through_the_real_package_and_its_ioctls(controller, node):
    through, direct = Idq250(device=node, address=ADDRESS), Idq250(bus=EmulatedIdq250(noise=seeded(1)))
    identity = through.open()
    direct.open()
    assert not identity.simulated
    assert identity.model == "ID Quantique IDQ250C2"
    assert through.read(100) == direct.read(100)
    through.close()
    through.close()


def test_an_address_at_which_nobody_answers_is_named(controller, node):
    error = failure(Idq250(device=node, address=0x43).open)
    assert error.reason is QrngReason.UNPLUGGED
    assert f"address 0x43 of {node}" in error.detail


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENXIO, QrngReason.UNPLUGGED),
        (errno.EREMOTEIO, QrngReason.UNPLUGGED),
        (errno.ENODEV, QrngReason.UNPLUGGED),
        (errno.EIO, QrngReason.BUS),
        (errno.ETIMEDOUT, QrngReason.BUS),
        (errno.EAGAIN, QrngReason.BUS),
    ],
)
def test_an_error_of_a_transfer_says_whether_the_chip_or_the_bus_is_at_fault(controller, node, number, reason):
    bus = Smbus2Bus(node, address=ADDRESS)
    bus.open()
    controller.error = number
    error = failure(bus.read, 0x12, 18)
    assert error.reason is reason
    assert errno.errorcode[number] in error.detail or "nothing answers" in error.detail


def test_a_node_that_is_no_i2c_controller_is_the_wrong_device(node):
    pytest.importorskip("smbus2", reason="needs smbus2")
    error = failure(Smbus2Bus(node, address=ADDRESS).open)  # a file answers I2C_FUNCS with ENOTTY
    assert error.reason is QrngReason.WRONG_DEVICE


def test_a_controller_that_only_speaks_smbus_is_refused(controller, node):
    controller.functions = 0x20
    assert failure(Smbus2Bus(node, address=ADDRESS).open).reason is QrngReason.WRONG_DEVICE


def test_a_buffer_of_the_package_is_overwritten_once_it_was_read(controller, node, monkeypatch):
    smbus2 = pytest.importorskip("smbus2", reason="needs smbus2")
    made = []
    real = smbus2.i2c_msg.read
    monkeypatch.setattr(smbus2.i2c_msg, "read", lambda *arguments: made.append(real(*arguments)) or made[-1])
    bus = Smbus2Bus(node, address=ADDRESS)
    bus.open()
    assert any(bus.read(0x12, 18))
    assert bytes(made[0]) == bytes(18)


def test_a_bus_that_is_closed_says_so(node):
    assert failure(Smbus2Bus(node, address=ADDRESS).read, 0x12, 18).reason is QrngReason.CLOSED


@pytest.mark.parametrize(("loaded", "said"), [(False, "i2c-dev is not loaded"), (True, "i2c-dev is there")])
def test_a_missing_module_and_a_missing_bus_are_told_apart(tmp_path, loaded, said):
    pytest.importorskip("smbus2", reason="needs smbus2")
    if loaded:
        (tmp_path / "class/i2c-dev").mkdir(parents=True)
    error = failure(Smbus2Bus("/dev/i2c-250", address=ADDRESS, sysfs=tmp_path).open)
    assert error.reason is QrngReason.NOT_FOUND
    assert said in error.detail
    assert "modprobe i2c-dev" in error.remedy


def test_a_node_that_only_this_container_lacks_is_told_apart_too(tmp_path):
    pytest.importorskip("smbus2", reason="needs smbus2")
    device = tmp_path / "dev/char/89:250"
    device.mkdir(parents=True)
    (device / "uevent").write_text("MAJOR=89\nMINOR=250\nDEVNAME=i2c-250\n")
    error = failure(Smbus2Bus("/dev/i2c-250", address=ADDRESS, sysfs=tmp_path).open)
    assert "although the kernel serves it" in error.detail
    assert "container" in error.remedy


def test_a_package_that_is_not_installed_is_asked_for(monkeypatch, node):
    monkeypatch.setitem(__import__("sys").modules, "smbus2", None)
    error = failure(Smbus2Bus(node, address=ADDRESS).open)
    assert error.reason is QrngReason.NOT_INSTALLED
    assert "python3-smbus2" in error.remedy


class Request:
    """What gpiod gives for a line: notes what it is driven to."""

    def __init__(self):
        self.values = []
        self.released = False

    def set_value(self, number, value):
        self.values.append((number, str(value)))

    def release(self):
        self.released = True


def test_a_line_is_taken_low_driven_high_and_given_back_low(monkeypatch):
    gpiod = pytest.importorskip("gpiod", reason="needs gpiod")
    request, asked = Request(), []

    def take(path, *, consumer, config):
        ((number, settings),) = config.items()
        asked.append((path, number, str(settings.direction), str(settings.output_value)))
        return request

    monkeypatch.setattr(gpiod, "request_lines", take)
    line = GpioLine("gpiochip0:17")
    line.open()
    line.set(high=True)
    line.close()
    line.close()
    assert asked == [("/dev/gpiochip0", 17, "Direction.OUTPUT", "Value.INACTIVE")]
    assert request.values == [(17, "Value.ACTIVE"), (17, "Value.INACTIVE")]
    assert request.released


def test_a_gpio_chip_that_is_not_there_is_not_found():
    pytest.importorskip("gpiod", reason="needs gpiod")
    assert failure(GpioLine("gpiochip250:1").open).reason is QrngReason.NOT_FOUND


@pytest.mark.parametrize("name", ["17", "gpiochip0", "gpiochip0:", "spi:1", ""])
def test_a_line_that_is_not_named_as_chip_and_number_is_refused(name):
    error = failure(GpioLine(name).open)
    assert error.reason is QrngReason.NOT_FOUND
    assert "gpiochip0:17" in error.remedy


def test_version_one_of_gpiod_counts_as_not_installed():
    old = type("gpiod", (), {"Chip": object})
    assert failure(GpioLine("gpiochip0:17", module=old).open).reason is QrngReason.NOT_INSTALLED


def test_a_closed_line_cannot_be_driven():
    with pytest.raises(QrngError) as caught:
        GpioLine("gpiochip0:17").set(high=True)
    assert caught.value.reason is QrngReason.CLOSED


def test_a_source_whose_power_line_cannot_be_taken_is_not_opened():
    source = Idq250(bus=EmulatedIdq250(), power_gpio="nonsense")
    assert failure(source.open).reason is QrngReason.NOT_FOUND
    assert failure(source.read, 1).reason is QrngReason.CLOSED
