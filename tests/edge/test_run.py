import os
import signal
import subprocess
import sys
import threading

import pytest

from edge import run

UNTIL_ASKED = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("capture ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def pretend(monkeypatch):
    """Children that run these programs instead of capture and relay; signals stay as they are."""
    started = {}

    def begin(programs):
        def start(command, config, *more):
            started[command] = subprocess.Popen([sys.executable, "-c", programs[command]])
            return started[command]

        monkeypatch.setattr(run, "_start", start)
        return started

    monkeypatch.setattr(run, "stop_on_signals", lambda *_: threading.Event())
    yield begin
    for child in started.values():
        child.kill()
        child.wait()


def test_a_capture_that_fails_ends_the_relay_and_gives_its_status(pretend, tmp_path):
    started = pretend({"relay": UNTIL_ASKED, "capture": "raise SystemExit(71)"})
    assert run.supervise(tmp_path) == 71
    assert started["relay"].poll() is not None


def test_settings_of_the_command_line_reach_both_processes_and_a_new_epoch_only_capture(monkeypatch, tmp_path):
    started = {}

    def start(command, config, *more):
        started[command] = more
        return subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])

    monkeypatch.setattr(run, "_start", start)
    monkeypatch.setattr(run, "stop_on_signals", lambda *_: threading.Event())
    assert run.supervise(tmp_path, new_epoch=True, assignments=["mqtt.port=1", "aim.seconds=2"]) == 3
    settings = ("--set", "mqtt.port=1", "--set", "aim.seconds=2")
    assert started == {"relay": settings, "capture": (*settings, "--new-epoch")}


def test_a_process_that_was_killed_gives_a_status_as_a_shell_would(pretend, tmp_path):
    pretend({"relay": UNTIL_ASKED, "capture": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"})
    assert run.supervise(tmp_path) == 128 + signal.SIGKILL


def test_the_end_of_the_camera_leaves_the_relay_delivering(pretend, tmp_path):
    started = pretend({"relay": UNTIL_ASKED, "capture": ""})
    status = []
    supervisor = threading.Thread(target=lambda: status.append(run.supervise(tmp_path)))
    supervisor.start()
    while "capture" not in started:
        supervisor.join(0.01)
    started["capture"].wait(30)
    supervisor.join(0.2)
    assert supervisor.is_alive()
    assert started["relay"].poll() is None
    started["relay"].kill()
    supervisor.join(30)
    assert status == [128 + signal.SIGKILL]


def test_an_interrupt_at_the_keyboard_reaches_the_children_only_through_their_supervisor(tmp_path):
    child = run._start("no-such-command", tmp_path)
    try:
        assert os.getpgid(child.pid) == child.pid
    finally:
        child.wait(30)
