"""Long absences, in no time: the relay's clock and its broker are played."""

import gc
import logging
import tracemalloc

import pytest
from factories import make_observation
from relay_rig import KEY, TOPICS, Clock, PlayedCollector, PlayedRelay

from edge.relay.bounds import Bounds
from edge.relay.link import Status
from edge.relay.outbox import Outbox

EPOCH = bytes(16)
HOUR = 3600.0
DAY = 24 * HOUR
A_DAY = 9
"""Observations of the default profile `place`: eight windows of 3 h and one of 24 h."""


def envelope(position):
    """Keypoints where it is the day's map, as many as there can be; a vector alone otherwise."""
    return make_observation("cam", position, EPOCH, KEY, keypoints=256 if position % A_DAY == 0 else 0)[1]


@pytest.fixture
def clock():
    return Clock()


def a_day(relay, clock, day, made):
    """Nine observations, with the broker refusing the connection in between, and capture's word after each."""
    for number in range(1, A_DAY + 1):
        relay.broker.fail()
        yield from relay.hand_over(envelope(day * A_DAY + number))
        assert relay.reply.status is Status.ACCEPTED
        made[0] += 1
        yield from relay.report(made[0])
        clock.now += DAY / A_DAY


def traced():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.timeout(120)
def test_a_broker_that_is_gone_for_a_month_costs_no_observation_and_no_memory(tmp_path, monkeypatch, clock, caplog):
    made, memory = [0], {}

    def absence(relay, days):
        if not made[0]:
            yield from relay.report(0)
        for day in days:
            yield from a_day(relay, clock, day, made)
            memory[day] = traced()

    caplog.set_level(logging.CRITICAL)  # pytest keeps what is logged
    tracemalloc.start()
    for days in (range(15), range(15, 30)):
        relay = PlayedRelay(tmp_path, monkeypatch, clock)
        relay.run(absence(relay, days))
        assert relay.relay._delivery._rows == {}
    tracemalloc.stop()
    assert memory[14] - memory[4] < 40_000
    assert memory[29] - memory[19] < 40_000
    assert memory[29] - memory[14] < 40_000

    collector = PlayedCollector()

    def return_of_the_broker(relay):
        relay.broker.collector = collector
        relay.broker.connect()
        for _ in range(600):
            clock.now += 0.1
            yield

    relay = PlayedRelay(tmp_path, monkeypatch, clock)
    assert relay.relay.health().waiting == 270
    relay.run(return_of_the_broker(relay))
    assert sorted(collector.seen) == list(range(1, 271))
    with_all = Outbox(tmp_path / "outbox.sqlite")
    counters, account = with_all.counters(), with_all.account()
    assert (with_all.held, counters["accepted"], counters["acknowledged"]) == (0, 270, 270)
    assert (account.made, account.dropped, account.spooled, account.lost) == (270, 0, 0, 0)
    assert counters["evicted:age"] == counters["evicted:size"] == 0
    with_all.close()


def test_what_the_bounds_give_up_is_said_once_and_is_in_the_account(tmp_path, monkeypatch, clock, caplog):
    relay = PlayedRelay(tmp_path, monkeypatch, clock, bounds=Bounds(size=400_000, age=2 * DAY))

    def steps():
        yield from relay.report(0)
        for number in range(1, 41):
            yield from relay.hand_over(make_observation("cam", number, EPOCH, KEY, keypoints=200)[1])
            yield from relay.report(number)
        health.append(relay.relay.health())
        clock.now += 2 * DAY + HOUR
        yield from relay.report(40)
        yield
        health.append(relay.relay.health())

    health = []
    relay.run(steps())
    full, old = health
    assert full.evicted["size"] + full.waiting == full.accepted == full.made == 40
    assert (full.lost, old.lost) == (0, 0)
    assert (old.evicted["age"], old.waiting) == (full.waiting, 0)
    assert caplog.text.count("has reached its bound of 0 MiB") == 1
    assert caplog.text.count("has reached its bound of 2 days") == 1


def test_a_broker_that_never_answers_the_birth_is_said_and_connected_anew(tmp_path, monkeypatch, clock, caplog):
    relay = PlayedRelay(tmp_path, monkeypatch, clock, health_seconds=10)
    collector = PlayedCollector()

    def steps():
        yield from relay.hand_over(envelope(1))
        relay.broker.answers = False
        relay.broker.connect()
        for _ in range(80):
            clock.now += 1
            yield
        assert relay.broker.reconnects == 2
        assert relay.broker.published.count(TOPICS.health) >= 7
        assert TOPICS.observation not in relay.broker.published
        relay.broker.answers, relay.broker.collector = True, collector
        for _ in range(40):
            clock.now += 1
            yield

    relay.run(steps())
    assert collector.seen == [1]
    assert caplog.text.count("has not answered within 30 s") == 1


def test_damage_that_is_found_in_use_is_mended_and_what_can_be_read_goes_on(tmp_path, monkeypatch, clock, caplog):
    relay = PlayedRelay(tmp_path, monkeypatch, clock)
    collector = PlayedCollector()

    def steps():
        yield from relay.report(0)
        for number in range(1, 31):
            yield from relay.hand_over(make_observation("cam", number, EPOCH, KEY, keypoints=100)[1])
        yield from relay.report(30)
        database = relay.relay._outbox._database
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        database.execute("PRAGMA shrink_memory")
        data = bytearray((tmp_path / "outbox.sqlite").read_bytes())
        middle = len(data) // 8192 * 4096
        data[middle : middle + 4096] = b"\xa5" * 4096
        (tmp_path / "outbox.sqlite").write_bytes(data)
        relay.broker.collector = collector
        relay.broker.connect()
        for _ in range(200):
            clock.now += 0.5
            yield
        yield from relay.hand_over(envelope(31))
        yield from relay.report(31)
        for _ in range(20):
            yield
        health.append(relay.relay.health())

    health = []
    relay.run(steps())
    (health,) = health
    assert (health.set_aside, health.waiting) == (1, 0)
    assert health.lost == 30 - len(set(collector.seen) - {31})
    assert 31 in collector.seen
    assert len(set(collector.seen)) == 30


def test_an_envelope_that_the_disk_has_changed_ends_neither_the_start_nor_the_relay(tmp_path, monkeypatch, clock):
    envelopes = {number: make_observation("cam", number, EPOCH, KEY, keypoints=50)[1] for number in range(1, 11)}
    box = Outbox(tmp_path / "outbox.sqlite")
    for number, data in envelopes.items():
        box.put(EPOCH, number, data)
    box.close()
    file = (tmp_path / "outbox.sqlite").read_bytes()
    at = file.index(envelopes[4][:200]) + 100
    (tmp_path / "outbox.sqlite").write_bytes(file[:at] + bytes([file[at] ^ 1]) + file[at + 1 :])
    collector = PlayedCollector()
    relay = PlayedRelay(tmp_path, monkeypatch, clock)

    def steps():
        relay.broker.collector = collector
        relay.broker.connect()
        for _ in range(60):
            clock.now += 0.5
            yield
        health.append(relay.relay.health())

    health = []
    relay.run(steps())
    assert sorted(collector.seen) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert (health[0].set_aside, health[0].lost, health[0].waiting) == (1, 1, 0)


def test_a_disk_that_takes_nothing_is_said_and_does_not_end_the_relay(tmp_path, monkeypatch, clock, caplog):
    relay = PlayedRelay(tmp_path, monkeypatch, clock)

    def steps():
        yield from relay.report(0)
        relay.relay._outbox._database.execute("PRAGMA query_only = ON")  # every write is refused
        for _ in range(3):
            clock.now += HOUR
            yield from relay.hand_over(envelope(1))
            assert relay.reply.status is Status.LATER
            yield from relay.report(1)
            assert relay.reply.status is Status.ACCEPTED
        relay.relay._outbox._database.execute("PRAGMA query_only = OFF")
        yield from relay.hand_over(envelope(1))
        assert relay.reply.status is Status.ACCEPTED

    relay.run(steps())
    assert "outbox-unusable" in caplog.text
