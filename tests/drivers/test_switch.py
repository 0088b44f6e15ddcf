"""The privacy switch: what every kind of it does, and what each does by itself."""

import types

import pytest

from drivers.switch.file import FileSwitch, turn_off, turn_on
from drivers.switch.gpio import GpioSwitch
from drivers.switch.several import Switches


class Line:
    """A pretended gpiod of version 2 with one line on chip 0: high, low, or broken."""

    def __init__(self, *, high):
        self.high, self.broken, self.requests, self.released = high, False, [], 0
        self.line = types.SimpleNamespace(
            Direction=types.SimpleNamespace(INPUT="input"),
            Bias=types.SimpleNamespace(PULL_UP="pull-up"),
            Value=types.SimpleNamespace(ACTIVE="active", INACTIVE="inactive"),
        )

    def LineSettings(self, **settings):
        return settings

    def request_lines(self, path, consumer, config):
        if self.broken:
            raise OSError(16, "Device or resource busy")
        self.requests.append((path, config))
        return self

    def get_value(self, number):
        if self.broken:
            raise OSError(19, "No such device")
        return "active" if self.high else "inactive"

    def release(self):
        self.released += 1


class FileRig:
    def __init__(self, folder):
        self.path = folder / "camera-off"
        self.switch = FileSwitch(self.path)

    def turn(self, *, off):
        turn_off(self.path) if off else turn_on(self.path)


class GpioRig:
    def __init__(self, _):
        self.line = Line(high=False)
        self.switch = GpioSwitch("gpiochip0:17", module=self.line)

    def turn(self, *, off):
        self.line.high = off


class BothRig:
    def __init__(self, folder):
        self.parts = [FileRig(folder), GpioRig(folder)]
        self.switch = Switches(*(part.switch for part in self.parts))

    def turn(self, *, off):
        self.parts[1].turn(off=off)


@pytest.fixture(params=[FileRig, GpioRig, BothRig])
def rig(request, tmp_path):
    return request.param(tmp_path)


def test_a_switch_is_on_until_somebody_turns_it_off_and_again_after(rig):
    assert not rig.switch.off()
    rig.turn(off=True)
    assert rig.switch.off()
    rig.turn(off=False)
    assert not rig.switch.off()


def test_a_switch_that_was_closed_is_off(rig):
    rig.switch.close()
    rig.switch.close()
    assert rig.switch.off()


def test_turning_the_file_twice_changes_nothing_more(tmp_path):
    path = tmp_path / "camera-off"
    assert [turn_off(path), turn_off(path), turn_on(path), turn_on(path)] == [True, False, True, False]


def test_a_file_that_cannot_be_looked_at_means_off(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert FileSwitch(loop / "camera-off").off()


def test_a_link_to_nowhere_is_there_all_the_same(tmp_path):
    link = tmp_path / "camera-off"
    link.symlink_to(tmp_path / "nowhere")
    assert FileSwitch(link).off()


def test_a_line_that_cannot_be_read_means_off_and_is_said_once(caplog):
    rig = GpioRig(None)
    rig.line.broken = True
    assert rig.switch.off()
    assert rig.switch.off()
    assert caplog.text.count("cannot be read") == 1
    rig.line.broken = False
    assert not rig.switch.off()


def test_a_line_is_asked_for_with_the_pull_up_so_that_a_broken_wire_reads_as_off():
    rig = GpioRig(None)
    rig.switch.off()
    assert rig.line.requests == [("/dev/gpiochip0", {17: {"direction": "input", "bias": "pull-up"}})]
    rig.line.high = True
    assert rig.switch.off()


def test_off_can_be_the_low_level():
    line = Line(high=True)
    switch = GpioSwitch("/dev/gpiochip0:4", off="low", module=line)
    assert not switch.off()
    line.high = False
    assert switch.off()


@pytest.mark.parametrize("line", ["17", "gpiochip0", "gpiochip0:x"])
def test_what_names_no_line_means_off(line, caplog):
    assert GpioSwitch(line, module=Line(high=False)).off()
    assert "names no GPIO line" in caplog.text


def test_an_old_gpiod_means_off(caplog):
    assert GpioSwitch("gpiochip0:17", module=types.SimpleNamespace()).off()
    assert "version 2" in caplog.text


def test_the_line_is_given_back():
    rig = GpioRig(None)
    rig.switch.off()
    rig.switch.close()
    assert rig.line.released == 1
