import os
import socket

import pytest

from wire.service.notify import Notifier, watchdog_seconds


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """What listens where NOTIFY_SOCKET says; the second kind of address has no file."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@speckled-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0"))
        sock.settimeout(5)
        yield name, lambda: sock.recv(4096).decode()


def test_the_service_manager_hears_each_word(manager):
    name, hear = manager
    notifier = Notifier(name)
    notifier.status("frame 1")
    notifier.alive()
    notifier.stopping()
    assert [hear(), hear(), hear()] == ["STATUS=frame 1", "WATCHDOG=1", "STOPPING=1"]


def test_ready_is_said_once(manager):
    name, hear = manager
    notifier = Notifier(name)
    notifier.ready()
    notifier.ready()
    notifier.alive()
    assert [hear(), hear()] == ["READY=1", "WATCHDOG=1"]


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_without_a_service_manager_nothing_happens(address):
    Notifier(address).ready()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "90000000"}, 90.0),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": str(os.getpid())}, 90.0),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdogs_patience_is_that_of_this_process(environment, seconds):
    assert watchdog_seconds(environment) == seconds
