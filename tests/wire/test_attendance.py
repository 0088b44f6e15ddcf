import socket
import time

import pytest

from wire.service.attendance import STATUS_SECONDS, Attendance


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def heard(manager):
    words = []
    while True:
        try:
            words.append(manager.recv(4096).decode())
        except BlockingIOError:
            return words


def test_a_loop_is_ready_at_its_first_turn_and_says_when_it_ends(manager):
    with Attendance({"NOTIFY_SOCKET": manager.getsockname()}, clock=Clock()) as attendance:
        assert heard(manager) == []
        attendance.turn(lambda: "3 wait")
        assert heard(manager) == ["READY=1", "STATUS=3 wait"]
    assert heard(manager) == ["STOPPING=1"]


def test_the_status_is_told_once_in_a_while(manager):
    clock = Clock()
    with Attendance({"NOTIFY_SOCKET": manager.getsockname()}, clock=clock) as attendance:
        for _ in range(10):
            attendance.turn(lambda: "a line")
        clock.now = STATUS_SECONDS
        attendance.turn(lambda: "another line")
    assert [word for word in heard(manager) if word.startswith("STATUS")] == ["STATUS=a line", "STATUS=another line"]


def test_a_loop_that_hangs_is_not_vouched_for(manager):
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "60000"}
    with Attendance(environment, clock=Clock()) as attendance:
        attendance.turn(lambda: "")
        time.sleep(0.3)  # five times the manager's patience
    assert heard(manager).count("WATCHDOG=1") <= 1


def test_without_a_service_manager_a_loop_turns_all_the_same():
    with Attendance({}, clock=Clock()) as attendance:
        attendance.turn(lambda: "nobody hears")
