"""A damaged outbox is set aside, what can be read of it goes on, and it is counted."""

import os
import random
import sqlite3
from contextlib import closing

import pytest

from edge.relay import salvage
from edge.relay.outbox import Outbox, OutboxDamaged
from edge.relay.salvage import KEPT_ASIDE
from wire.schema import Acknowledgement

EPOCH = bytes(16)


def envelope(position):
    return b"%05d" % position * 700


def opened(path):
    return closing(Outbox(path))


def positions(box):
    return [row.position for row in box.waiting()]


@pytest.fixture
def path(tmp_path):
    """An outbox that has accepted 80 observations; 20 of them were acknowledged."""
    path = tmp_path / "outbox.sqlite"
    with opened(path) as box:
        for position in range(1, 81):
            box.put(EPOCH, position, envelope(position), link=bytes(32))
        box.acknowledged(Acknowledgement(device="cam", epoch=EPOCH, since=1, upto=20, hash=bytes(32), gaps=[]))
    return path


def pages_of(path, table):
    """The numbers of the pages of a table's rows and their overflow, without its root."""
    with closing(sqlite3.connect(path)) as database:
        try:
            root = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
            found = database.execute("SELECT pageno FROM dbstat WHERE name = ?", (table,)).fetchall()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite was built without dbstat")
    return [page for (page,) in found if page != root]


def spoil(path, *pages):
    data = bytearray(path.read_bytes())
    for page in pages:
        data[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    return bytes(data)


def test_one_bad_page_costs_what_was_on_it_and_nothing_else(path, caplog):
    spoiled = spoil(path, pages_of(path, "observation")[3])
    with opened(path) as box:
        held = positions(box)
        assert 50 <= len(held) < 60
        assert all(box.envelope(row.id) == envelope(row.position) for row in box.waiting())
        assert box.counters()["set_aside"] == 1
        assert (box.counters()["accepted"], box.counters()["acknowledged"]) == (80, 20)
        assert box.account().lost == 60 - len(held)
        assert box.put(EPOCH, 1, envelope(1)) is None  # of those that were freed it knows
        assert box.put(EPOCH, 81, envelope(81), link=bytes(32)).id == 81
        assert box.heard(EPOCH).upto == 81
    assert path.with_name("outbox.sqlite.corrupt-1").read_bytes() == spoiled
    assert f"{len(held)} observations could be read" in caplog.text


def test_an_envelope_that_the_damage_went_through_is_not_carried_over(path):
    data = path.read_bytes()
    at = data.index(envelope(50)[:1000]) + 500
    path.write_bytes(data[:at] + b"?" + data[at + 1 :])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)  # nothing is seen of it
    with opened(path) as box:
        with pytest.raises(OutboxDamaged):
            box.envelope(50)
        box.begin_again()
        assert 50 not in positions(box)
        assert box.account().lost == 60 - len(positions(box)) == 1


@pytest.mark.parametrize("what", ["header", "everything", "nothing but zeros", "cut in half", "a page long"])
def test_whatever_is_left_of_a_file_there_is_an_outbox_afterwards(path, what):
    data = path.read_bytes()
    path.write_bytes(
        {
            "header": b"\xa5" * 100 + data[100:],
            "everything": random.Random(1).randbytes(len(data)),
            "nothing but zeros": bytes(len(data)),
            "cut in half": data[: len(data) // 2],
            "a page long": data[:4096],
        }[what]
    )
    with opened(path) as box:
        assert box.counters()["set_aside"] == 1
        assert set(positions(box)) <= set(range(21, 81))
        assert box.put(EPOCH, 200, envelope(200)) is not None
        assert box.account().lost >= 0
    with opened(path) as box:
        assert box.counters()["set_aside"] == 1
        assert 200 in positions(box)


def test_damage_that_is_found_in_use_is_mended_in_place(path):
    with opened(path) as box:
        spoil(path, *pages_of(path, "observation")[:40])
        box._database.execute("PRAGMA shrink_memory")
        with pytest.raises(OutboxDamaged):
            [box.envelope(row.id) for row in box.waiting()]
        box.begin_again()
        assert box.held == len(positions(box)) < 60
        assert box.put(EPOCH, 90, envelope(90)) is not None
        assert box.counters()["set_aside"] == 1


def test_the_count_of_damaged_files_goes_on_and_only_the_newest_are_kept(path):
    for number in range(1, KEPT_ASIDE + 4):
        data = bytearray(path.read_bytes())
        page = pages_of(path, "observation")[-1]
        data[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
        path.write_bytes(data)
        with opened(path) as box:
            assert box.counters()["set_aside"] == number
    assert sorted(old.name for old in path.parent.glob("*.corrupt-*[0-9]")) == [
        f"outbox.sqlite.corrupt-{number}" for number in range(4, KEPT_ASIDE + 4)
    ]


class PowerCut(BaseException):
    """The machine is off."""


@pytest.mark.parametrize("steps", range(1, 6))
def test_a_power_cut_while_it_is_set_aside_leaves_an_outbox(path, monkeypatch, steps):
    spoil(path, pages_of(path, "observation")[3])
    path.with_name(path.name + "-wal").write_bytes(b"")
    left = [steps]

    def cut(name):
        real = getattr(os, name)

        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                raise PowerCut
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    with monkeypatch.context() as monkeypatch:
        cut("rename")
        try:
            Outbox(path).close()
        except PowerCut:
            pass
        else:
            assert steps > 2
    with opened(path) as box:
        assert 50 <= len(positions(box)) < 60
        assert box.counters()["set_aside"] == 1


def test_a_log_that_was_left_behind_is_not_taken_for_the_new_files(path):
    fresh = path.with_name(path.name + ".new")
    path.rename(fresh)
    path.with_name(path.name + "-wal").write_bytes(b"the old file's")
    salvage.finish(path)
    assert path.exists()
    assert not fresh.exists()
    assert path.with_name("outbox.sqlite.corrupt-1-wal").read_bytes() == b"the old file's"
