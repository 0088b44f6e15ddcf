import threading

from edge.courier import WAITING_LIMIT, Courier
from edge.errors import Reason, RelayError


def unreachable():
    return RelayError(Reason.RELAY, "nobody listens", "start the relay")


def test_observations_arrive_in_order():
    got, done = [], threading.Event()

    def send(envelope):
        got.append(envelope)
        if len(got) == 3:
            done.set()

    courier = Courier(send)
    courier.start()
    for envelope in (b"1", b"2", b"3"):
        courier.hand_over(envelope)
    assert done.wait(5)
    assert got == [b"1", b"2", b"3"]
    assert courier.stop(1) == 0


def test_an_absent_relay_delays_and_loses_nothing():
    got, calls = [], iter([unreachable(), unreachable(), None])

    def send(envelope):
        error = next(calls)
        if error:
            raise error
        got.append(envelope)

    courier = Courier(send, retry_seconds=0.01)
    courier.start()
    courier.hand_over(b"kept")
    assert courier.stop(5) == 0
    assert got == [b"kept"]


def test_a_refused_observation_is_counted_and_does_not_block_the_next():
    got = []

    def send(envelope):
        if envelope == b"bad":
            raise RelayError(Reason.REFUSED, "schema", "report it")
        got.append(envelope)

    courier = Courier(send)
    courier.start()
    courier.hand_over(b"bad")
    courier.hand_over(b"good")
    assert courier.stop(5) == 0
    assert (got, courier.refused) == ([b"good"], 1)


def test_what_waits_is_bounded_and_the_oldest_gives_way(caplog):
    courier = Courier(lambda _: None)
    for number in range(WAITING_LIMIT + 2):
        courier.hand_over(bytes([number]))
    assert courier.dropped == 2
    assert "the oldest is lost" in caplog.text
    got = []
    courier._send = got.append
    courier.start()
    assert courier.stop(5) == 0
    assert got[0] == bytes([2])


def test_a_stop_reports_what_could_not_be_delivered():
    def send(_):
        raise unreachable()

    courier = Courier(send, retry_seconds=0.01)
    courier.start()
    courier.hand_over(b"x")
    assert courier.stop(0.05) == 1


def test_a_stop_does_not_wait_for_a_relay_that_took_an_observation_and_hangs(monkeypatch):
    monkeypatch.setattr("edge.courier.LAST_WAIT", 0.01)
    reached, release = threading.Event(), threading.Event()

    def send(_):
        reached.set()
        release.wait()

    courier = Courier(send)
    courier.start()
    courier.hand_over(b"x")
    assert reached.wait(5)
    assert courier.stop(0.01) == 1
    assert courier._thread.is_alive()
    release.set()
    courier._thread.join(5)
