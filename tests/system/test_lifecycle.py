"""What the service manager sees of the three services, from their start to their end."""

import signal
import socket
import time
from queue import Empty, SimpleQueue

import msgspec
import psutil
import pytest

from wire.broker import Broker
from wire.events import Message
from wire.exit import Exit
from wire.options import BrokerOptions
from wire.schema import State
from wire.topics import Topics

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]


class Manager:
    """A service manager that listens where NOTIFY_SOCKET says."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.words = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)

    def environment(self, patience="60"):
        """What systemd would give the service; `patience` in seconds."""
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(float(patience) * 1e6))}

    def hear(self):
        while True:
            try:
                self.words.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self.words

    def close(self):
        self._socket.close()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path)
    yield manager
    manager.close()


@pytest.fixture
def retained(site):
    """A function that tells the newest retained state of the device."""
    events, newest = SimpleQueue(), []
    topic = Topics("speckled", "ward-3").state
    broker = Broker(BrokerOptions(port=site.port), client_id="listener", events=events, subscriptions=(topic,))
    broker.start()

    def tell():
        while True:
            try:
                event = events.get_nowait()
            except Empty:
                return newest[-1] if newest else None
            if isinstance(event, Message):
                newest.append(msgspec.json.decode(event.payload, type=State))

    yield tell
    broker.stop()


def charges(site):
    ledger = site.folder / "capture" / "ledger.jsonl"
    return ledger.read_text().count('"charge"') if ledger.exists() else 0


def test_capture_is_ready_when_its_first_windows_are_open_and_not_before(site, manager):
    site.start("relay", "collector")
    site.start("capture", **manager.environment())
    site.wait_for(lambda: "READY=1" in manager.hear())
    assert charges(site) >= 2
    site.wait_for(lambda: any(word.startswith("STATUS=frame") for word in manager.hear()))
    assert site.stop("capture") == Exit.OK
    assert "STOPPING=1" in manager.hear()


@pytest.mark.parametrize("name", ["relay", "collector"])
def test_a_loop_is_ready_says_how_it_stands_and_ends_in_order(site, manager, name):
    site.start(name, **manager.environment("0.3"))
    site.wait_for(lambda: {"READY=1", "WATCHDOG=1"} <= set(manager.hear()))
    assert any(word.startswith("STATUS=") for word in manager.hear())
    assert site.stop(name) == Exit.OK
    assert manager.hear()[-1] == "STOPPING=1"


def test_a_source_that_is_not_healthy_never_makes_capture_ready(site, manager):
    site.configure(qrng='driver = "emulated-microrng"\nfault = "stuck=0"')
    site.start("capture", **manager.environment())
    assert site.wait_for_exit("capture") == Exit.NO_ENTROPY
    assert "READY=1" not in manager.hear()


def test_a_capture_that_hangs_falls_silent_and_its_abort_tells_where_it_stood(site, manager):
    """SIGSTOP stands for a hang of the whole process; SIGABRT is what systemd sends then."""
    site.start("relay", "collector")
    site.start("capture", **manager.environment("0.6"))
    site.wait_for(lambda: manager.hear().count("WATCHDOG=1") >= 2)
    site.processes["capture"].send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    manager.hear().clear()
    time.sleep(0.8)
    assert "WATCHDOG=1" not in manager.hear()
    site.processes["capture"].send_signal(signal.SIGABRT)
    site.processes["capture"].send_signal(signal.SIGCONT)
    assert site.wait_for_exit("capture") == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in site.log("capture")
    assert "edge/capture.py" in site.log("capture")
    assert not list(site.folder.glob("core*"))


def word(state):
    """What capture says of itself in a state message, if it says anything."""
    return state.capture.state if state and state.capture else None


def test_the_privacy_switch_closes_the_camera_over_restarts_and_state_says_so(site, retained):
    off = site.folder / "camera-off"
    off.touch()
    site.start("relay", "collector", "capture")
    site.wait_for(lambda: word(retained()) == "switched-off")
    assert charges(site) == 0
    off.unlink()
    site.wait_for(lambda: word(retained()) == "observing")
    site.wait_for(lambda: len(site.stored()) >= 2)
    off.touch()
    site.wait_for(lambda: word(retained()) == "switched-off")
    charged = charges(site)
    assert site.stop("capture") == Exit.OK
    site.start("capture")
    site.wait_for(lambda: word(retained()) == "switched-off")
    assert charges(site) == charged


def test_every_service_ends_soon_after_it_is_asked_to(site):
    """Within the 5 s that a stop may take; the bound here is wider, as a busy machine is no failure."""
    site.start("relay", "collector", "capture")
    site.wait_for(lambda: len(site.stored()) >= 2)
    for name in ("capture", "relay", "collector"):
        assert site.stop(name) == Exit.OK


def test_a_running_capture_holds_no_more_memory_than_a_small_pi_has_to_spare(site):
    site.start("relay", "collector", "capture")
    site.wait_for(lambda: len(site.stored()) >= 4)
    process = psutil.Process(site.processes["capture"].pid)
    assert process.memory_info().rss < 150e6
