import os
import pty
import select
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from drivers.camera.base import CameraIdentity
from drivers.emulated.place import PlaceCamera
from drivers.errors import CameraError, CameraReason
from edge.aim.record import NAME, Record, times_aimed
from edge.aim.session import PERIOD, Aiming, Session
from edge.aim.terminal import ENTER, LEAVE, Terminal
from edge.errors import CameraUnavailable, ConfigError


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


class Stop(threading.Event):
    """Waiting is what makes the clock go on."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def wait(self, timeout=None):
        self.clock.now += timeout or 0
        return self.is_set()


class Screen:
    def __init__(self, lines=30, columns=100):
        self.lines, self.columns = lines, columns
        self.drawn = []

    def size(self):
        return self.lines, self.columns

    def draw(self, lines):
        self.drawn.append(list(lines))


class Switch:
    turned_off = False

    def off(self):
        return self.turned_off

    def close(self):
        pass


class Rig:
    def __init__(self, *, seconds=10, camera=None, cell=None):
        self.clock = Clock()
        self.stop = Stop(self.clock)
        self.screen, self.switch = Screen(), Switch()
        self.camera = camera or PlaceCamera(width=320, height=240)
        self.identity = self.camera.open()
        self.session = Session(self.camera, self.switch, self.screen, Aiming(seconds, cell), clock=self.clock)

    def run(self):
        self.session.run(self.identity, self.stop)
        return self.screen.drawn


def test_it_ends_by_itself_when_the_time_is_over():
    rig = Rig(seconds=10)
    rig.run()
    assert rig.clock.now == 60


def test_it_draws_at_most_two_pictures_a_second():
    assert PERIOD == 0.5
    assert len(Rig(seconds=10).run()) == 20


def test_every_picture_says_what_it_is_and_when_it_ends():
    for lines in Rig(seconds=3).run():
        assert "outside the privacy guarantee" in lines[0]
        assert "Ctrl-C" in lines[0]
        assert "Nothing is stored or sent" in lines[-2]


def test_a_picture_is_text_of_ours_and_braille_and_fits_the_screen():
    rig = Rig(seconds=1)
    for lines in rig.run():
        assert len(lines) <= rig.screen.lines
        assert all(len(line) <= rig.screen.columns for line in lines[1:-2])
        assert all(0x2800 <= ord(character) <= 0x28FF for line in lines[1:-2] for character in line)


def test_the_grid_adds_dots():
    def dots(cell):
        picture = Rig(seconds=0.5, cell=cell).run()[0][1:-2]
        return sum((ord(each) - 0x2800).bit_count() for line in picture for each in line)

    assert dots(64) > dots(None)


def test_somebody_who_ends_it_ends_it_at_once():
    rig = Rig(seconds=100)
    rig.stop.set()
    assert rig.run() == []


def test_the_privacy_switch_ends_it():
    rig = Rig(seconds=100)

    def draw(lines):
        rig.screen.drawn.append(lines)
        rig.switch.turned_off = len(rig.screen.drawn) == 3

    rig.screen.draw = draw
    assert len(rig.run()) == 3


def test_a_camera_without_more_frames_ends_it():
    assert len(Rig(seconds=100, camera=PlaceCamera(width=320, height=240, frames=4)).run()) == 4


class Broken:
    """A camera that hangs for its whole deadline, then says so."""

    def __init__(self, clock_of=lambda: None):
        self.clock_of = clock_of
        self.deadlines = []

    def open(self):
        return CameraIdentity("fake", "", 320, 240, 255, "luma", simulated=True)

    def read(self, plane, deadline):
        plane[...] = 77
        self.deadlines.append(deadline)
        clock = self.clock_of()
        if clock:
            clock.now += deadline
        raise CameraError(CameraReason.TIMEOUT, "no frame came", "look at the cable")

    def close(self):
        pass


def test_a_camera_that_gives_nothing_is_an_error():
    with pytest.raises(CameraUnavailable, match="no frame came"):
        Rig(camera=Broken()).run()


def test_a_camera_that_hangs_does_not_outlast_the_time():
    rig = Rig(seconds=2, camera=Broken(lambda: rig.clock))
    rig.run()
    assert rig.camera.deadlines == [2.0]
    assert rig.clock.now == 52


def test_frames_are_wiped_after_each_picture_and_after_an_error(monkeypatch):
    frames = []
    from edge.aim import session
    from edge.frame import Frame

    class Watched(Frame):
        def __init__(self, *size):
            super().__init__(*size)
            frames.append(self)

    monkeypatch.setattr(session, "Frame", Watched)
    rig = Rig(seconds=1)
    draw = rig.screen.draw

    def look(lines):
        assert frames[0]._plane.any()
        draw(lines)

    rig.screen.draw = look
    rig.run()
    assert not frames[0]._plane.any()
    broken = Rig(seconds=1)
    broken.screen.draw = lambda lines: 1 / 0
    with pytest.raises(ZeroDivisionError):
        broken.run()
    assert not frames[1]._plane.any()


@contextmanager
def opened_pty():
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    try:
        yield master, slave
    finally:
        os.close(master)
        os.close(slave)


def read_all(master):
    data = b""
    while select.select([master], [], [], 0.05)[0]:
        try:
            data += os.read(master, 1 << 16)
        except OSError:
            break
    return data.decode()


def test_a_terminal_is_left_as_it_was_found():
    with opened_pty() as (master, slave):
        terminal = Terminal(slave)
        terminal.draw(["one", "two"])
        terminal.close()
        terminal.close()
        text = read_all(master)
        assert os.get_blocking(slave)
    assert text.startswith(ENTER)
    assert text.endswith(LEAVE)
    assert text.count(LEAVE) == 1


def test_nothing_that_is_drawn_can_reach_the_scrollback():
    with opened_pty() as (master, slave):
        terminal = Terminal(slave)
        for _ in range(3):
            terminal.draw([f"line {number}" for number in range(500)])
        text = read_all(master)
        terminal.close()
    assert "line 1" in text
    assert not set(text) & set("\n\r\v\f")


def test_lines_are_cut_to_the_screen():
    with opened_pty() as (master, slave):
        import fcntl
        import struct
        import termios

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 3, 10, 0, 0))
        terminal = Terminal(slave)
        read_all(master)
        assert terminal.size() == (3, 10)
        terminal.draw(["x" * 50] * 20)
        text = read_all(master)
        terminal.close()
    assert text.count("x") == 30


def test_a_terminal_that_takes_nothing_does_not_hold_up_the_end():
    clock = Clock()

    def passing():
        clock.now += 0.9
        return clock.now

    with opened_pty() as (_, slave):
        terminal = Terminal(slave, passing)
        for _ in range(3):
            terminal.draw(["x" * 80] * 2000)
        terminal._write("x" * 1_000_000)
        terminal.close()


def test_a_terminal_that_is_gone_is_no_error():
    with opened_pty() as (_, slave):
        terminal = Terminal(slave)
        fd, terminal._fd = terminal._fd, os.open("/dev/full", os.O_WRONLY)
        os.close(fd)
        terminal.draw(["x"])
        terminal.close()


def test_a_file_is_no_terminal(tmp_path):
    with (tmp_path / "out").open("wb") as file, pytest.raises(ConfigError, match="not a terminal"):
        Terminal(file.fileno())
    assert (tmp_path / "out").read_bytes() == b""


def test_beginning_and_end_are_recorded_with_their_times_and_nothing_else(tmp_path):
    times = iter([1000, 2500])
    record = Record(tmp_path, lambda: next(times))
    record.began()
    record.ended()
    assert (tmp_path / NAME).read_text() == '{"event": "began", "time": 1000}\n{"event": "ended", "time": 2500}\n'
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert times_aimed(tmp_path) == 1


def test_a_device_that_was_never_aimed_has_been_aimed_zero_times(tmp_path):
    assert times_aimed(tmp_path) == 0


def test_a_beginning_that_cannot_be_recorded_is_refused_and_an_end_is_not(tmp_path):
    record = Record(tmp_path / "missing", lambda: 0)
    with pytest.raises(ConfigError, match="No such file"):
        record.began()
    record.ended()


def test_a_link_in_the_place_of_the_record_is_refused(tmp_path):
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        Record(tmp_path, lambda: 0).began()
    assert not (tmp_path / "elsewhere").exists()


def test_a_picture_does_not_change_when_a_block_is_turned_upside_down():
    plane = np.zeros((240, 320), np.uint8)
    plane[:, 160:] = 200

    class Still(Broken):
        def read(self, out, deadline):
            out[...] = self.shown

    pictures = []
    for turned in (False, True):
        camera = Still()
        camera.shown = plane.copy()
        block = 4
        if turned:
            camera.shown[:block, :block] = camera.shown[:block, :block][::-1]
        pictures.append(Rig(seconds=0.5, camera=camera).run()[0][1:-2])
    assert pictures[0] == pictures[1]
