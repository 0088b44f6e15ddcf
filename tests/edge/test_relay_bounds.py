"""What the outbox gives up, when, and how it is counted."""

import sqlite3
from contextlib import closing

import pytest

from edge.relay import outbox as outbox_module
from edge.relay.bounds import Bounds
from edge.relay.database import SCHEMA, used
from edge.relay.outbox import Equivocation, Outbox
from wire.schema import Acknowledgement

EPOCH = bytes(16)
DAY = 86400.0


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def clock():
    return Clock()


def opened(path, clock, *, size=400_000, days=90):
    return closing(Outbox(path, bounds=Bounds(size=size, age=days * DAY), clock=clock))


def positions(box):
    return [row.position for row in box.waiting()]


def envelope(position):
    return position.to_bytes(2, "big") * 10_000


def word(since, upto):
    return Acknowledgement(device="cam", epoch=EPOCH, since=since, upto=upto, hash=bytes(32), gaps=[])


def test_beyond_the_size_the_oldest_give_way_and_are_counted(path, clock):
    with opened(path, clock) as box:
        for position in range(1, 101):
            box.put(EPOCH, position, envelope(position))
            assert used(box._database) <= 400_000
        held = positions(box)
        assert held == list(range(101 - len(held), 101))
        assert len(held) >= 10
        assert box.counters()["evicted:size"] == box.evicted["size"] == 100 - len(held)
        assert box.counters()["accepted"] == 100
    assert path.stat().st_size < 600_000


def test_what_was_evicted_is_not_stored_again_when_capture_offers_it_again(path, clock):
    with opened(path, clock) as box:
        for position in range(1, 41):
            box.put(EPOCH, position, envelope(position))
        assert 1 not in positions(box)
        before = positions(box)
        assert box.put(EPOCH, 1, envelope(1)) is None
        with pytest.raises(Equivocation):
            box.put(EPOCH, 1, envelope(2))
        assert positions(box) == before


def test_room_that_the_collectors_word_makes_is_used_before_anything_is_evicted(path, clock):
    with opened(path, clock) as box:
        for position in range(1, 14):
            box.put(EPOCH, position, envelope(position))
        assert not box.evicted.total()
        box.acknowledged(word(5, 13))
        for position in range(14, 22):
            box.put(EPOCH, position, envelope(position))
        assert not box.evicted.total()
        assert positions(box) == [1, 2, 3, 4, *range(14, 22)]


def test_a_smaller_bound_evicts_the_oldest_when_the_file_is_opened(path, clock):
    with opened(path, clock, size=2_000_000) as box:
        for position in range(1, 61):
            box.put(EPOCH, position, envelope(position))
    with opened(path, clock) as box:
        assert used(box._database) <= 400_000
        assert 0 < len(positions(box)) == 60 - box.counters()["evicted:size"]
        assert positions(box)[-1] == 60


def test_what_has_waited_longer_than_the_bound_is_given_up(path, clock):
    with opened(path, clock, days=2) as box:
        box.put(EPOCH, 1, b"old")
        clock.now += DAY
        box.put(EPOCH, 2, b"younger")
        clock.now += DAY + 3600
        box.tick()
        assert positions(box) == [2]
        assert box.counters()["evicted:age"] == box.evicted["age"] == 1
        clock.now += 60 * DAY
        box.tick()
        assert positions(box) == []


def test_age_goes_on_over_restarts_and_does_not_count_the_time_between(path, clock):
    with opened(path, clock, days=2) as box:
        box.put(EPOCH, 1, b"x")
        clock.now += DAY
    clock.now += 1000 * DAY  # and so would a clock that was set forward by years while the relay was off
    with opened(path, clock, days=2) as box:
        box.tick()
        assert positions(box) == [1]
        clock.now += 1.5 * DAY
        box.tick()
        assert positions(box) == []


def test_a_clock_that_starts_from_nothing_after_a_boot_makes_nothing_old_or_young(path, clock):
    with opened(path, clock, days=2) as box:
        box.put(EPOCH, 1, b"x")
        clock.now += DAY
    clock.now = 5.0
    with opened(path, clock, days=2) as box:
        box.put(EPOCH, 2, b"y")
        clock.now += 1.5 * DAY
        box.tick()
        assert positions(box) == [2]


def test_a_crash_forgets_at_most_an_hour_of_the_age(path, clock):
    box = Outbox(path, bounds=Bounds(age=2 * DAY), clock=clock)
    box.put(EPOCH, 1, b"x")
    for _ in range(100):
        clock.now += 1000
        box.tick()
    box._database.close()
    outbox_module.os.close(box._lock)
    with opened(path, clock, days=2) as box:
        assert 100_000 - 3600 - 1000 <= box.counters()["lived"] <= 100_000


@pytest.mark.parametrize("version", [1, 2])
def test_an_upgrade_keeps_what_the_file_holds(path, clock, version):
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(SCHEMA)
        old.execute("ALTER TABLE observation DROP COLUMN born")
        old.execute("ALTER TABLE observation DROP COLUMN digest")
        old.execute("INSERT INTO observation VALUES (7, ?, 3, ?, ?)", (EPOCH, b"held", bytes(32)))
        old.execute("INSERT INTO counter VALUES ('accepted', 5), ('acknowledged', 4)")
        if version == 1:
            old.execute("ALTER TABLE observation DROP COLUMN hash")
            old.execute("ALTER TABLE freed DROP COLUMN hash")
            old.execute("DROP TABLE heard")
        old.execute(f"PRAGMA user_version = {version}")
    clock.now += 1000 * DAY
    with opened(path, clock) as box:
        box.tick()
        (row,) = box.waiting()
        assert (row.id, row.epoch, row.position, box.envelope(7)) == (7, EPOCH, 3, b"held")
        assert (box.counters()["accepted"], box.account().lost) == (5, 0)
        assert box.put(EPOCH, 4, b"next").id == 8
        assert len(box.acknowledged(word(3, 4))) == 2
