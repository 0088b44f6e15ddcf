import logging
import select
import socket
from contextlib import closing

import pytest

from edge.metrics.endpoint import DEADLINE, FRESH, MAX_CONNECTIONS, MAX_REQUEST, open_endpoint

HOST = "127.0.0.1"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Rig:
    def __init__(self):
        self.clock = Clock()
        with closing(socket.create_server((HOST, 0))) as free:
            port = free.getsockname()[1]
        self.endpoint = open_endpoint(HOST, port, self.clock)
        self.asked = 0

    def text(self):
        self.asked += 1
        return f"speckled_asked {self.asked}\n"

    def serve(self, times=6):
        for _ in range(times):
            select.select([self.endpoint.descriptor], [], [], 0.02)
            self.endpoint.serve(self.text)

    def connect(self):
        connection = socket.create_connection((HOST, self.endpoint.port), 5)
        connection.settimeout(5)
        self.serve(1)
        return connection

    def ask(self, request):
        with closing(self.connect()) as connection:
            connection.sendall(request)
            return self.read(connection)

    def read(self, connection):
        answer = b""
        connection.settimeout(0.01)
        for _ in range(200):
            self.endpoint.serve(self.text)
            try:
                data = connection.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                return answer
            answer += data
        raise AssertionError("no answer")

    def hung_up(self, connection):
        connection.settimeout(5)
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.endpoint.close()


def get(target="/metrics", method="GET"):
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()


def head_and_body(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body


def test_a_get_of_metrics_is_answered_with_the_figures(rig):
    head, body = head_and_body(rig.ask(get()))
    assert head[0] == "HTTP/1.1 200 OK"
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
    assert f"Content-Length: {len(body)}" in head
    assert body == b"speckled_asked 1\n"


def test_head_is_answered_without_a_body(rig):
    head, body = head_and_body(rig.ask(get(method="HEAD")))
    assert head[0] == "HTTP/1.1 200 OK"
    assert "Content-Length: 17" in head
    assert body == b""


def test_a_query_does_not_matter(rig):
    assert rig.ask(get("/metrics?name[]=x")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/metrics/"), 404),
        (get("/../etc/passwd"), 404),
        (get(method="POST"), 405),
        (get(method="DELETE"), 405),
        (get("http://localhost/metrics"), 400),
        (b"hello\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /metrics SPDY/3\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * MAX_REQUEST, 431),
    ],
)
def test_anything_else_is_turned_away_with_its_status_and_no_figure(rig, request_, status):
    answer = rig.ask(request_)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"speckled" not in answer
    assert rig.asked == 0


def test_a_method_that_is_not_allowed_hears_which_are(rig):
    assert "Allow: GET, HEAD" in head_and_body(rig.ask(get(method="PUT")))[0]


def test_a_request_that_comes_byte_by_byte_is_heard(rig):
    with closing(rig.connect()) as connection:
        for byte in get():
            connection.sendall(bytes([byte]))
            rig.serve(1)
        assert rig.read(connection).startswith(b"HTTP/1.1 200 ")


def test_the_body_of_a_request_does_not_cost_its_sender_the_answer(rig):
    body = b"x" * 100_000
    request = b"POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + body
    assert rig.ask(request).startswith(b"HTTP/1.1 405 ")


def test_who_says_nothing_is_cut_off_when_the_deadline_has_passed(rig):
    with closing(rig.connect()) as silent:
        rig.clock.now += DEADLINE - 0.1
        rig.serve(1)
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.recv(1)
        rig.clock.now += 0.2
        rig.serve(1)
        assert rig.hung_up(silent)


def test_who_does_not_read_the_answer_is_cut_off_too(rig):
    rig.text = lambda: "x" * 50_000_000
    with closing(rig.connect()) as slow:
        slow.sendall(get())
        rig.serve()
        rig.clock.now += DEADLINE + 1
        rig.serve(1)
        assert not rig.endpoint._peers


def test_many_silent_connections_do_not_keep_a_new_one_out(rig):
    silent = [rig.connect() for _ in range(MAX_CONNECTIONS + 3)]
    assert len(rig.endpoint._peers) == MAX_CONNECTIONS
    assert rig.hung_up(silent[0])
    assert rig.ask(get()).startswith(b"HTTP/1.1 200 ")
    for connection in silent:
        connection.close()


def test_who_hangs_up_early_leaves_nothing_behind(rig):
    rig.connect().close()
    rig.serve()
    with closing(rig.connect()) as connection:
        connection.sendall(get())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    rig.serve()
    assert not rig.endpoint._peers


def test_the_outbox_is_asked_at_most_once_a_second_however_often_somebody_asks(rig):
    answers = {rig.ask(get()) for _ in range(5)}
    assert len(answers) == rig.asked == 1
    rig.clock.now += FRESH
    assert b"speckled_asked 2" in rig.ask(get())


def test_port_zero_is_off():
    assert open_endpoint(HOST, 0, Clock()) is None


def test_a_port_that_is_taken_is_one_warning_and_no_end(caplog):
    with closing(socket.create_server((HOST, 0))) as other:
        port = other.getsockname()[1]
        assert open_endpoint(HOST, port, Clock()) is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(port) in record.message
    assert "[metrics]" in record.message


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a" * 80 + ".invalid"])
def test_a_host_that_is_not_of_this_machine_is_one_warning_and_no_end(host, caplog):
    assert open_endpoint(host, 9464, Clock()) is None
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False), ("127.9.9.9", False)])
def test_a_host_beyond_the_loopback_is_warned_of(host, warned, caplog):
    with closing(socket.create_server((host, 0))) as free:
        port = free.getsockname()[1]
    endpoint = open_endpoint(host, port, Clock())
    assert endpoint is not None
    endpoint.close()
    assert len(caplog.records) == warned
    assert all("unencrypted" in record.message for record in caplog.records)


def test_the_descriptor_wakes_a_selector_that_watches_others_too(rig):
    ready, _, _ = select.select([rig.endpoint.descriptor], [], [], 0)
    assert not ready
    with closing(socket.create_connection((HOST, rig.endpoint.port), 5)):
        ready, _, _ = select.select([rig.endpoint.descriptor], [], [], 5)
        assert ready
        rig.serve(1)
