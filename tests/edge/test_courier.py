import errno
import threading

import pytest

from edge.courier import IN_MEMORY, Courier
from edge.errors import Reason, RelayError
from edge.relay.troubles import Troubles
from edge.spool import Spool


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def envelope(number):
    return b"\xd2" + number.to_bytes(2, "big")


def unreachable():
    return RelayError(Reason.RELAY, "nobody listens", "start the relay")


def absent(_):
    raise unreachable()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


def courier_to(send, folder, *, retry=0.01, **bounds):
    return Courier(send, Spool(folder, **bounds), troubles=Troubles(Clock()), retry_seconds=retry)


def deliver(folder, **bounds):
    """What a courier that is started now hands to a relay that answers."""
    got = []
    courier = courier_to(got.append, folder, **bounds)
    courier.start()
    assert courier.stop(5) == 0
    return got


def test_observations_arrive_in_order_and_leave_the_disk(folder):
    got, done = [], threading.Event()

    def send(data):
        got.append(data)
        if len(got) == 3:
            done.set()

    courier = courier_to(send, folder)
    courier.start()
    for number in (1, 2, 3):
        courier.hand_over(envelope(number))
    assert done.wait(5)
    assert courier.stop(1) == 0
    assert got == [envelope(number) for number in (1, 2, 3)]
    assert not list(folder.glob("*.cose"))
    assert courier.counts() == (3, 0, 0)


def test_an_absent_relay_delays_and_loses_nothing(folder):
    got, calls = [], iter([unreachable(), unreachable(), None])

    def send(data):
        error = next(calls)
        if error:
            raise error
        got.append(data)

    courier = courier_to(send, folder)
    courier.start()
    courier.hand_over(envelope(1))
    courier._change.acquire()
    courier._change.wait_for(lambda: got, 5)
    courier._change.release()
    assert courier.stop(5) == 0
    assert got == [envelope(1)]


def test_a_restart_while_the_relay_is_away_loses_nothing(folder):
    courier = courier_to(absent, folder)
    courier.start()
    for number in (1, 2, 3):
        courier.hand_over(envelope(number))
    assert courier.stop(60) == 0
    again = courier_to(absent, folder)
    again.start()
    again.hand_over(envelope(4))
    assert again.counts() == (4, 0, 4)
    assert again.stop(60) == 0
    assert deliver(folder) == [envelope(number) for number in (1, 2, 3, 4)]
    assert Spool(folder).made == 4


def test_what_was_handed_over_is_on_the_disk_before_anything_is_sent(folder):
    courier = courier_to(absent, folder)  # never started: killed at once
    courier.hand_over(envelope(1))
    assert deliver(folder) == [envelope(1)]


def test_a_refused_observation_is_counted_put_aside_and_does_not_block_the_next(folder, caplog):
    got = []

    def send(data):
        if data == envelope(1):
            raise RelayError(Reason.REFUSED, "schema", "report it")
        got.append(data)

    courier = courier_to(send, folder)
    courier.start()
    courier.hand_over(envelope(1))
    courier.hand_over(envelope(2))
    assert courier.stop(5) == 0
    assert (got, courier.refused) == ([envelope(2)], 1)
    assert courier.counts() == (2, 1, 0)
    assert [path.read_bytes() for path in folder.glob("aside-*")] == [envelope(1)]
    assert "the relay refused an observation: schema" in caplog.text


def test_many_refusals_do_not_fill_the_log_or_the_disk(folder, caplog):
    def refuse(_):
        raise RelayError(Reason.REFUSED, "schema", "report it")

    courier = courier_to(refuse, folder)
    courier.start()
    for number in range(40):
        courier.hand_over(envelope(number))
    courier.stop(20)
    assert caplog.text.count("the relay refused an observation") == 1
    assert len(list(folder.glob("aside-*"))) == 16


@pytest.mark.parametrize("bounds", [{"most": 5}, {"most_bytes": 15}])
def test_the_spool_is_bounded_and_the_oldest_gives_way(folder, caplog, bounds):
    courier = courier_to(absent, folder, **bounds)
    for number in range(1, 9):
        courier.hand_over(envelope(number))
    assert courier.counts() == (8, 3, 5)
    assert caplog.text.count("the spool is full") == 1
    assert deliver(folder) == [envelope(number) for number in range(4, 9)]
    assert (Spool(folder).made, Spool(folder).dropped) == (8, 3)


class Full(Spool):
    """On a disk without room."""

    full = True

    def _replace(self, path, data):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super()._replace(path, data)


def test_a_full_disk_keeps_observations_in_memory_and_is_said_once(folder, caplog):
    got = []
    courier = Courier(got.append, Full(folder), troubles=Troubles(Clock()))
    for number in range(IN_MEMORY + 2):
        courier.hand_over(envelope(number))
    assert courier.counts() == (IN_MEMORY + 2, 2, IN_MEMORY)
    assert caplog.text.count("kept in memory only: No space left on device") == 1
    assert caplog.text.count("the oldest observations are given up") == 1
    courier.start()
    assert courier.stop(5) == 0
    assert got == [envelope(number) for number in range(2, IN_MEMORY + 2)]


def test_what_is_in_memory_goes_to_the_disk_when_there_is_room_again(folder):
    spool = Full(folder)
    courier = Courier(absent, spool, troubles=Troubles(Clock()))
    courier.start()
    courier.hand_over(envelope(1))
    courier.hand_over(envelope(2))
    spool.full = False
    courier.hand_over(envelope(3))
    assert courier.stop(60) == 0
    assert deliver(folder) == [envelope(number) for number in (1, 2, 3)]


def test_on_a_full_disk_what_the_relay_has_taken_still_leaves_the_spool(folder):
    spool = Full(folder)
    spool.full = False
    courier = Courier([].append, spool, troubles=Troubles(Clock()))
    courier.hand_over(envelope(1))
    spool.full = True
    courier.start()
    assert courier.stop(5) == 0
    assert not list(folder.glob("*.cose"))


def test_a_stop_reports_what_neither_the_relay_nor_the_disk_took(folder):
    courier = Courier(absent, Full(folder), troubles=Troubles(Clock()), retry_seconds=0.01)
    courier.start()
    courier.hand_over(envelope(1))
    assert courier.stop(0.05) == 1


def test_a_stop_does_not_wait_for_a_relay_that_is_away_once_all_is_on_the_disk(folder):
    tried = threading.Event()

    def send(_):
        tried.set()
        raise unreachable()

    courier = courier_to(send, folder, retry=0.01)
    courier.start()
    courier.hand_over(envelope(1))
    assert tried.wait(5)
    assert courier.stop(600) == 0  # the test's own time limit would end it


def test_a_stop_does_not_wait_for_a_relay_that_took_an_observation_and_hangs(folder, monkeypatch):
    monkeypatch.setattr("edge.courier.LAST_WAIT", 0.01)
    reached, release = threading.Event(), threading.Event()

    def send(_):
        reached.set()
        release.wait()

    courier = courier_to(send, folder)
    courier.start()
    courier.hand_over(envelope(1))
    assert reached.wait(5)
    assert courier.stop(0.01) == 0
    assert courier._thread.is_alive()
    assert len(list(folder.glob("*.cose"))) == 1
    release.set()
    courier._thread.join(5)
