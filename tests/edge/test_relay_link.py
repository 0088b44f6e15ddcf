import array
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.errors import Reason, RelayError
from edge.relay.link import ACCEPTED, CaptureLink, Listener, Reply, Status, inherited_socket
from wire.schema import MAX_MESSAGE


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s"


@pytest.fixture
def serving(path):
    """A listener that answers in a thread; `taken` is what it was given, `answers` what it says (default: accepted)."""

    class Serving:
        def __init__(self):
            self.taken, self.answers, self._end = [], [], threading.Event()
            self.start()

        def start(self):
            self._end.clear()
            self.listener = Listener(path)
            self._thread = threading.Thread(target=self._run)
            self._thread.start()

        def _run(self):
            while not self._end.is_set():
                self.listener.serve(0.02, self._take)
            self.listener.close()

        def _take(self, data):
            self.taken.append(data)
            return self.answers.pop(0) if self.answers else ACCEPTED

        def stop(self):
            self._end.set()
            self._thread.join()

    serving = Serving()
    yield serving
    serving.stop()


@pytest.fixture
def link(path):
    link = CaptureLink(path)
    yield link
    link.close()


@pytest.fixture
def raw(path, serving):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(5)
    sock.connect(str(path))
    yield sock
    sock.close()


def test_one_datagram_is_one_envelope_up_to_the_longest_message(serving, link):
    for size in (1, 1000, MAX_MESSAGE):
        link.send(b"e" * size)
    assert [len(data) for data in serving.taken] == [1, 1000, MAX_MESSAGE]


def test_a_longer_datagram_is_seen_as_too_long_and_the_link_survives(serving, raw):
    serving.answers = [Reply(Status.REFUSED, "oversize"), ACCEPTED]
    raw.send(bytes(MAX_MESSAGE + 1))
    assert Reply.from_bytes(raw.recv(100)) == Reply(Status.REFUSED, "oversize")
    raw.send(b"next")
    assert raw.recv(100) == b"\x00"
    assert serving.taken == [None, b"next"]


def test_a_descriptor_that_someone_tries_to_pass_does_not_cross(serving, raw):
    reader, writer = os.pipe()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))]
    raw.sendmsg([b"with a gift"], rights)
    os.close(writer)
    assert raw.recv(100) == b"\x00"
    os.set_blocking(reader, False)
    assert os.read(reader, 1) == b""  # the end of the file: nobody holds the other end any more
    os.close(reader)


def test_a_refusal_carries_the_guards_word(serving, link):
    serving.answers = [Reply(Status.REFUSED, "signature")]
    with pytest.raises(RelayError) as caught:
        link.send(b"x")
    assert (caught.value.reason, caught.value.detail) == (Reason.REFUSED, "signature")


def test_being_asked_to_wait_is_not_a_refusal(serving, link):
    serving.answers = [Reply(Status.LATER, "over-rate")]
    with pytest.raises(RelayError) as caught:
        link.send(b"x")
    assert caught.value.reason is Reason.RELAY


def test_an_absent_relay_is_an_error_and_a_returned_one_is_found(serving, link):
    link.send(b"1")
    serving.stop()
    with pytest.raises(RelayError) as caught:
        link.send(b"2")
    assert caught.value.reason is Reason.RELAY
    serving.start()
    link.send(b"2")
    assert serving.taken == [b"1", b"2"]


def test_a_late_reply_is_never_taken_for_the_answer_to_the_next_envelope(path, link):
    listener = Listener(path)
    with pytest.raises(RelayError) as caught:
        link.send(b"slow", timeout=0.05)
    assert caught.value.reason is Reason.RELAY
    for _ in range(3):
        listener.serve(0.05, lambda _: Reply(Status.REFUSED, "schema"))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(link.send(b"next")))
    thread.start()
    while not answers:
        listener.serve(0.05, lambda _: ACCEPTED)
    thread.join()
    listener.close()


def test_user_and_group_may_connect_and_nobody_else(serving, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_stranger_is_turned_away_by_the_kernels_word_for_who_it_is(tmp_path):
    strangers = Path("/tmp") / f"speckled-test-{os.getpid()}"
    listener = Listener(strangers)
    strangers.chmod(0o666)
    code = (
        "import os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); s.settimeout(10)\n"
        "sys.exit(7 if s.recv(10) == b'' else 0)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(strangers)])
    while child.poll() is None:
        listener.serve(0.05, lambda _: ACCEPTED)
    assert (child.returncode, listener.connected) == (7, False)
    listener.close()


def test_a_dead_relays_socket_is_replaced_and_a_live_ones_is_not(path):
    leftover = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    leftover.bind(str(path))
    leftover.close()
    listener = Listener(path)
    with pytest.raises(RelayError, match="in use"):
        Listener(path)
    listener.close()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_left_alone(path):
    path.write_text("precious")
    with pytest.raises(RelayError):
        Listener(path)
    assert path.read_text() == "precious"


INHERIT = """
import os, sys, socket
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
from edge.errors import RelayError
from edge.relay.link import ACCEPTED, Listener, inherited_socket
try:
    listener = Listener(None, inherited=inherited_socket(os.environ))
except RelayError:
    sys.exit(9)
taken = []
while not taken:
    listener.serve(0.1, lambda data: (taken.append(data), ACCEPTED)[1])
sys.exit(0 if taken == [b"through systemd"] else 1)
"""


def start_with(sock):
    search = os.pathsep.join(part for part in sys.path if part)
    code = f"import os\nos.dup2({sock.fileno()}, 3)\n" + INHERIT
    environment = {**os.environ, "PYTHONPATH": search}
    return subprocess.Popen([sys.executable, "-c", code], pass_fds=[sock.fileno()], env=environment)


def test_a_listening_socket_from_systemd_is_taken_over(path, link):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.bind(str(path))
    sock.listen(1)
    child = start_with(sock)
    link.send(b"through systemd", timeout=30)
    assert child.wait(10) == 0
    assert path.exists()
    sock.close()


def test_a_socket_of_another_kind_is_not_taken_over(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen(1)
    assert start_with(sock).wait(30) == 9
    sock.close()


def test_nothing_is_taken_over_where_systemd_passed_nothing():
    assert inherited_socket({}) is None
    assert inherited_socket({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) is None
