"""The real pyserial on pseudo-terminals, behind some of which an emulated QCicada answers."""

import errno
import os
import pty
import sys
import threading
import tty

import pytest

from drivers.emulated.faults import parse_fault, seeded
from drivers.emulated.qcicada import EmulatedQCicada
from drivers.emulated.terminal import EmulatedTerminal
from drivers.errors import QrngError, QrngReason
from drivers.qrng.qcicada import QCicada
from drivers.qrng.serial_port import PyserialPort

pytest.importorskip("serial", reason="needs pyserial")


@pytest.fixture
def line():
    """The far end of a serial line, and the path of its near end."""
    far, near = pty.openpty()
    tty.setraw(near)
    yield far, os.ttyname(near)
    os.close(near)
    os.close(far)


@pytest.fixture
def port(line):
    opened = PyserialPort(line[1])
    opened.open()
    yield opened
    opened.close()


def failure(act, *arguments):
    with pytest.raises(QrngError) as caught:
        act(*arguments)
    assert caught.value.remedy.endswith(".")
    assert "\n" not in caught.value.detail
    return caught.value


class Refusing:
    """A pyserial whose port cannot be opened."""

    def __init__(self, number):
        self.number = number

    def Serial(self, *_, **__):
        raise OSError(self.number, "refused")


def test_what_is_written_arrives_and_what_arrives_is_read(line, port):
    port.write(b"question")
    assert os.read(line[0], 100) == b"question"
    os.write(line[0], b"answer")
    answer = port.read(6, 5.0)
    assert answer == b"answer"
    assert isinstance(answer, bytearray)


def test_a_read_returns_what_came_when_its_time_is_over(line, port):
    os.write(line[0], b"par")
    assert port.read(3, 5.0) == b"par"
    os.write(line[0], b"t")
    assert port.read(100, 0.05) == b"t"
    assert port.read(1, 0.0) == b""


def test_bytes_of_every_value_pass_unchanged_also_those_that_a_terminal_has_a_meaning_for(line, port):
    everything = bytes(range(256))
    port.write(everything)
    assert os.read(line[0], 1000) == everything
    os.write(line[0], everything)
    assert port.read(256, 5.0) == everything


def test_what_arrived_before_the_port_was_opened_is_dropped(line):
    os.write(line[0], b"old")
    port = PyserialPort(line[1])
    port.open()
    assert port.read(3, 0.02) == b""
    port.close()


def test_a_port_is_for_one_program(line, port):
    error = failure(PyserialPort(line[1]).open)
    assert error.reason is QrngReason.DENIED
    assert "in use" in error.detail
    assert "ModemManager" in error.remedy
    port.write(b"still open")
    port.close()
    again = PyserialPort(line[1])
    again.open()
    again.close()


def test_a_closed_port_says_so_and_closes_twice(line):
    port = PyserialPort(line[1])
    port.close()
    for act in (lambda: port.read(1, 0.0), lambda: port.write(b"x")):
        assert failure(act).reason is QrngReason.CLOSED


def test_a_node_that_is_missing_names_the_kernel_module_that_would_serve_it(tmp_path):
    error = failure(PyserialPort("/dev/ttyUSB77", sysfs=tmp_path).open)
    assert error.reason is QrngReason.NOT_FOUND
    assert "ftdi_sio is not loaded" in error.detail
    assert "modprobe ftdi_sio" in error.remedy


def test_a_node_that_is_missing_although_the_module_is_there_asks_for_the_device(tmp_path):
    (tmp_path / "bus/usb-serial/drivers/ftdi_sio").mkdir(parents=True)
    error = failure(PyserialPort("/dev/ttyUSB77", sysfs=tmp_path).open)
    assert error.reason is QrngReason.NOT_FOUND
    assert "plug the device in" in error.remedy


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_node_that_may_not_be_opened_names_the_group(number, tmp_path):
    error = failure(PyserialPort(str(tmp_path / "ttyUSB0"), module=Refusing(number)).open)
    assert error.reason is QrngReason.DENIED
    assert "dialout" in error.remedy


def test_a_node_that_is_no_serial_port_is_the_wrong_device():
    error = failure(PyserialPort(os.devnull).open)
    assert error.reason is QrngReason.WRONG_DEVICE
    assert os.devnull in error.detail


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EBUSY, QrngReason.DENIED),
        (errno.EIO, QrngReason.UNPLUGGED),
        (errno.ENXIO, QrngReason.UNPLUGGED),
        (errno.EMFILE, QrngReason.BUS),
    ],
)
def test_every_refusal_of_the_kernel_has_a_reason(number, reason, tmp_path):
    assert failure(PyserialPort(str(tmp_path), module=Refusing(number)).open).reason is reason


def test_without_pyserial_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(QrngError) as caught:
        PyserialPort().open()
    assert caught.value.reason is QrngReason.NOT_INSTALLED
    assert "python3-serial" in caught.value.remedy


def test_a_pulled_cable_ends_a_read_that_waits():
    far, near = pty.openpty()
    tty.setraw(near)
    port = PyserialPort(os.ttyname(near))
    port.open()
    os.close(near)
    pulled = threading.Timer(0.05, os.close, [far])
    pulled.start()
    error = failure(port.read, 10, 30.0)
    pulled.join()
    assert error.reason is QrngReason.UNPLUGGED
    assert failure(port.write, b"x").reason is QrngReason.UNPLUGGED
    port.close()


def test_a_pseudo_terminal_is_marked_as_simulated_and_another_node_is_not(line):
    assert PyserialPort(line[1]).simulated
    assert not PyserialPort(os.devnull).simulated
    assert not PyserialPort("/dev/ttyUSB77").simulated


def test_a_device_that_streams_when_it_is_found_is_stopped_and_read_through_the_real_pyserial():
    model = EmulatedQCicada(noise=seeded(1), streaming=True)
    with EmulatedTerminal(model) as terminal:
        source = QCicada(device=terminal.path)
        identity = source.open()
        assert identity.simulated
        assert identity.raw
        before = model.drawn
        assert len(source.read(3000)) == 3000
        assert model.drawn == before + 3000
        source.close()
        assert source.open() == identity
        source.close()


def test_a_device_that_is_pulled_is_gone_and_the_error_says_to_plug_it_in():
    with EmulatedTerminal(EmulatedQCicada(noise=seeded(1))) as terminal:
        source = QCicada(device=terminal.path)
        source.open()
        assert len(source.read(100)) == 100
        terminal.unplug()
        error = failure(source.read, 100)
        assert error.reason is QrngReason.UNPLUGGED
        assert "Plug" in error.remedy
        assert failure(source.read, 1).reason is QrngReason.CLOSED


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("drop", QrngReason.SHORT),
        ("duplicate", QrngReason.IMPLAUSIBLE),
        ("status=0x41", QrngReason.STATUS),
        ("unplug", QrngReason.UNPLUGGED),
    ],
)
def test_a_fault_of_the_model_arrives_through_the_real_pyserial(fault, reason):
    model = EmulatedQCicada(noise=seeded(1))
    with EmulatedTerminal(model) as terminal:
        source = QCicada(device=terminal.path)
        source.open()
        model.inject(parse_fault(f"{fault}@100"))
        assert failure(source.read, 2000).reason is reason
