import socket
import threading

import pytest

from rig.proxy import Proxy


@pytest.fixture
def echo():
    """A server that says what it hears."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with connection:
            try:
                while data := connection.recv(100):
                    connection.sendall(data)
            except OSError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.fixture
def proxy(echo):
    with Proxy(echo) as one:
        yield one


def connect(proxy):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(connection, data):
    connection.sendall(data)
    return connection.recv(100)


def test_what_passes_is_unchanged_and_what_is_delayed_comes(proxy):
    with connect(proxy) as one:
        assert said(one, b"hello") == b"hello"
        proxy.delay(0.05)
        assert said(one, b"later") == b"later"


def test_a_cut_is_a_reset_and_the_next_connection_is_served(proxy):
    with connect(proxy) as one:
        said(one, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            one.recv(100)
    with connect(proxy) as one:
        assert said(one, b"hello") == b"hello"


def test_a_blackhole_says_nothing_and_afterwards_everything(proxy):
    with connect(proxy) as one, connect(proxy) as other:
        said(one, b"hello")
        proxy.blackhole()
        one.sendall(b"lost?")
        one.settimeout(0.2)
        with pytest.raises(TimeoutError):
            one.recv(100)
        other.close()
        one.settimeout(5)
        proxy.through()
        assert one.recv(100) == b"lost?"


def test_a_refusal_resets_and_lasts_until_it_is_over(proxy):
    with connect(proxy) as one:
        said(one, b"hello")
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            one.recv(100)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.through()
    with connect(proxy) as one:
        assert said(one, b"hello") == b"hello"


def test_a_corrupted_piece_differs_in_one_bit_each_way(proxy):
    with connect(proxy) as one:
        said(one, b"hello")
        proxy.corrupt()
        heard = said(one, bytes(5))
        assert len(heard) == 5
        assert sum(byte.bit_count() for byte in heard) in {0, 2}
        assert proxy.corrupted == 2
