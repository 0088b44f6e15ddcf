import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.aim.command import main
from edge.aim.terminal import ENTER, LEAVE
from edge.errors import ConfigError
from wire.exit import Exit

SETTINGS = """
[device]
id = "cam"
[camera]
{camera}
[capture]
state = "state"
require_locked_memory = false
[switch]
file = "camera-off"
[aim]
enabled = {enabled}
seconds = {seconds}
"""
SYNTHETIC = 'driver = "synthetic"\nwidth = 320\nheight = 240'

AUDITED = """
import json, os, sys
seen = []
WRITE = os.O_WRONLY | os.O_RDWR
def hook(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITE:
        seen.append(["open", str(arguments[0])])
    elif event.startswith(("socket.connect", "socket.sendto", "socket.sendmsg", "subprocess", "os.exec", "os.posix")):
        seen.append([event, ""])
from edge.aim.command import main
sys.addaudithook(hook)
try:
    status = main(sys.argv[2:])
finally:
    found = list(seen)
    with open(sys.argv[1], "w") as file:
        json.dump(found, file)
sys.exit(status)
"""


def configuration(folder, *, enabled="true", camera=SYNTHETIC, seconds=30):
    path = folder / "speckled.toml"
    path.write_text(SETTINGS.format(enabled=enabled, camera=camera, seconds=seconds))
    return path


class Terminal:
    """A command on a pseudo-terminal of its own, and all that it has written there."""

    def __init__(self, command, cwd):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
        self.text = ""
        self._bytes = b""
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, cwd=cwd, start_new_session=True
        )
        self._slave = slave
        self._reader = threading.Thread(target=self._read)
        self._over = threading.Event()
        self._reader.start()

    def _read(self):
        while not self._over.is_set() or select.select([self.master], [], [], 0)[0]:
            if select.select([self.master], [], [], 0.05)[0]:
                self._bytes += os.read(self.master, 1 << 16)
                self.text = self._bytes.decode(errors="replace")

    def until(self, text):
        end = time.monotonic() + 30
        while text not in self.text:
            assert time.monotonic() < end, self.text
            time.sleep(0.02)

    def end(self):
        """The status and what was said on standard error."""
        _, said = self.process.communicate(timeout=60)
        self._over.set()
        self._reader.join()
        os.close(self.master)
        os.close(self._slave)
        return self.process.returncode, said.decode()


def aim(folder, *more, enabled="true", camera=SYNTHETIC, seconds=30):
    path = configuration(folder, enabled=enabled, camera=camera, seconds=seconds)
    return Terminal([sys.executable, "-m", "edge", "aim", "--config", str(path), *more], Path.cwd())


def events(folder):
    lines = (folder / "state" / "aimed.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


def test_edges_are_drawn_until_the_time_is_over_and_the_screen_is_given_back(tmp_path):
    terminal = aim(tmp_path, "--seconds", "1")
    status, said = terminal.end()
    assert (status, said) == (0, "")
    assert terminal.text.startswith(ENTER)
    assert terminal.text.endswith(LEAVE)
    assert "AIMING: outside the privacy guarantee" in terminal.text
    assert any(0x2800 < ord(character) <= 0x28FF for character in terminal.text)
    assert events(tmp_path) == ["began", "ended"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTSTP])
def test_whoever_ends_it_gets_the_screen_back(tmp_path, number):
    terminal = aim(tmp_path)
    terminal.until("Ends in")
    terminal.process.send_signal(number)
    assert terminal.end() == (0, "")
    assert terminal.text.endswith(LEAVE)
    assert events(tmp_path) == ["began", "ended"]


def test_it_is_off_unless_it_is_enabled(tmp_path):
    terminal = aim(tmp_path, enabled="false")
    status, said = terminal.end()
    assert status == Exit.CONFIG
    assert said.startswith("speckled: bad-configuration: aiming is not enabled. Set `enabled = true` in [aim]")
    assert said.count("\n") == 1
    assert terminal.text == ""
    assert not (tmp_path / "state").exists()


def test_it_draws_on_a_terminal_only(tmp_path):
    path = configuration(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "edge", "aim", "--config", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == Exit.CONFIG
    assert "the output is not a terminal" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "state").exists()


def test_it_refuses_while_capture_has_the_ledger(tmp_path):
    (tmp_path / "state").mkdir()
    with (tmp_path / "state" / "ledger.jsonl").open("w") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        terminal = aim(tmp_path)
        status, said = terminal.end()
    assert status == Exit.DATA
    assert "capture is running" in said
    assert "systemctl stop speckled-capture" in said
    assert terminal.text == ""
    assert not (tmp_path / "state" / "aimed.jsonl").exists()


def test_capture_cannot_begin_while_somebody_aims(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "ledger.jsonl").touch()
    terminal = aim(tmp_path)
    terminal.until("Ends in")
    with (tmp_path / "state" / "ledger.jsonl").open() as ledger, pytest.raises(BlockingIOError):
        fcntl.flock(ledger, fcntl.LOCK_EX | fcntl.LOCK_NB)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end()[0] == 0


def test_it_does_not_open_a_camera_that_is_switched_off(tmp_path):
    (tmp_path / "camera-off").touch()
    terminal = aim(tmp_path)
    status, said = terminal.end()
    assert status == Exit.NO_CAMERA
    assert "the privacy switch is off" in said
    assert terminal.text == ""


def test_a_camera_that_is_not_there_is_one_line_and_the_screen_is_given_back(tmp_path):
    terminal = aim(tmp_path, camera=f'driver = "folder"\npath = "{tmp_path}/none"')
    status, said = terminal.end()
    assert status == Exit.NO_CAMERA
    assert said.count("\n") == 1
    assert terminal.text == ENTER + LEAVE


@pytest.mark.parametrize("seconds", ["0", "601", "soon", "-1"])
def test_a_time_beyond_the_limits_is_refused(seconds, capsys):
    with pytest.raises(SystemExit) as refused:
        main(["--seconds", seconds])
    assert refused.value.code == 2
    assert "--seconds" in capsys.readouterr().err


def test_seconds_can_only_shorten_what_the_settings_say(tmp_path):
    terminal = aim(tmp_path, "--seconds", "600", "--grid", seconds=1)
    terminal.until("Ends in")
    assert terminal.end()[0] == 0
    assert "Ends in 1 s" in terminal.text
    assert "Ends in 2 s" not in terminal.text


def test_settings_that_do_not_exist_are_said(tmp_path):
    with pytest.raises(ConfigError):
        main(["--config", str(tmp_path / "none.toml")])


def test_no_byte_of_a_frame_reaches_a_file_a_socket_or_the_terminal(tmp_path):
    """The canary is in every row of the frame; what may be written is the terminal and the record of times alone."""
    canary = np.frombuffer(b"a frame byte must not leave", np.uint8)
    row = np.resize(canary, 320)
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(2):
        cv2.imwrite(str(frames / f"{number}.png"), np.tile(row, (240, 1)))
    path = configuration(tmp_path, camera=f'driver = "folder"\npath = "{frames}"\nrepeat = true')
    before = {each for each in tmp_path.rglob("*") if each.is_file()}
    report = tmp_path / "report.json"
    terminal = Terminal(
        [sys.executable, "-c", AUDITED, str(report), "--config", str(path), "--seconds", "1"], Path.cwd()
    )
    assert terminal.end() == (0, "")
    opened = json.loads(report.read_text())
    assert {event for event, _ in opened} == {"open"}
    names = {Path(name).name if str(tmp_path) in name else name for _, name in opened}
    assert {name for name in names if not name.startswith("/dev/pts/")} == {"aimed.jsonl"}
    written = {each for each in tmp_path.rglob("*") if each.is_file()} - before - {report}
    assert {each.name for each in written} == {"aimed.jsonl"}
    for text in (terminal.text.encode(), (tmp_path / "state" / "aimed.jsonl").read_bytes()):
        for start in range(len(canary) - 8):
            assert canary.tobytes()[start : start + 8] not in text
