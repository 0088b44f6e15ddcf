import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import RelayError
from edge.relay import rows as rows_module
from edge.relay.outbox import Equivocation, Outbox, OutboxDamaged, Waiting
from wire.exit import Exit
from wire.schema import Acknowledgement

EPOCH, OTHER = bytes(16), bytes([1] * 16)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "relay" / "outbox.sqlite"


@pytest.fixture
def outbox(path):
    box = Outbox(path)
    yield box
    box.close()


def word(since, upto, gaps=(), epoch=EPOCH, digest=bytes(32)):
    return Acknowledgement(device="cam", epoch=epoch, since=since, upto=upto, hash=digest, gaps=list(gaps))


def positions(box):
    return [row.position for row in box.waiting()]


def put_many(box, count):
    for position in range(1, count + 1):
        box.put(EPOCH, position, bytes(20_000))


def test_the_same_bytes_twice_are_kept_once(outbox):
    assert outbox.put(EPOCH, 7, b"seven") == Waiting(1, EPOCH, 7)
    assert outbox.put(EPOCH, 7, b"seven") is None
    assert positions(outbox) == [7]
    assert outbox.counters()["accepted"] == 1


def test_other_bytes_for_a_taken_position_are_an_equivocation_and_change_nothing(outbox):
    row = outbox.put(EPOCH, 7, b"seven")
    with pytest.raises(Equivocation):
        outbox.put(EPOCH, 7, b"another seven")
    assert outbox.envelope(row.id) == b"seven"
    assert outbox.counters()["accepted"] == 1


def test_what_comes_again_after_it_was_freed_is_not_counted_or_sent_again(path):
    before = Outbox(path)
    before.put(EPOCH, 7, b"seven")
    before.acknowledged(word(7, 7))
    before.close()
    again = Outbox(path)
    assert again.put(EPOCH, 7, b"seven") is None
    with pytest.raises(Equivocation):
        again.put(EPOCH, 7, b"a seven of a ledger that was put back")
    assert not again.waiting()
    assert again.counters()["accepted"] == 1
    again.close()


def test_only_the_newest_freed_observations_are_remembered(outbox, monkeypatch):
    monkeypatch.setattr(rows_module, "REMEMBERED", 2)
    for position in (1, 2, 3):
        outbox.put(EPOCH, position, b"x")
    outbox.acknowledged(word(1, 3))
    assert outbox.put(EPOCH, 1, b"x") is not None
    assert outbox.put(EPOCH, 3, b"x") is None


def test_an_acknowledgement_frees_what_it_covers_and_only_in_its_epoch(outbox):
    for position in range(1, 8):
        outbox.put(EPOCH, position, b"x")
        outbox.put(OTHER, position, b"y")
    freed = outbox.acknowledged(word(2, 6, gaps=[(3, 3), (5, 5)]))
    assert len(freed) == 3
    assert [row.position for row in outbox.waiting() if row.epoch == EPOCH] == [1, 3, 5, 7]
    assert [row.position for row in outbox.waiting() if row.epoch == OTHER] == [1, 2, 3, 4, 5, 6, 7]


@settings(max_examples=15, deadline=None)
@given(
    held=st.sets(st.integers(1, 40)),
    since=st.integers(1, 20),
    length=st.integers(0, 20),
    cuts=st.lists(st.integers(1, 40), unique=True, max_size=8),
)
def test_what_is_freed_is_exactly_what_the_schema_says_is_covered(tmp_path_factory, held, since, length, cuts):
    gaps = [(cut, cut) for cut in sorted(cuts) if since <= cut <= since + length]
    acknowledgement = word(since, since + length, gaps)
    box = Outbox(tmp_path_factory.mktemp("o") / "outbox.sqlite")
    for position in held:
        box.put(EPOCH, position, b"x")
    box.acknowledged(acknowledgement)
    assert set(positions(box)) == {position for position in held if not acknowledgement.covers(position)}
    box.close()


def test_rows_and_counters_survive_a_restart(path):
    box = Outbox(path)
    for position in (1, 2, 3):
        box.put(EPOCH, position, b"x")
    box.acknowledged(word(1, 1))
    box.count("sent", 5)
    box.close()
    box = Outbox(path)
    assert positions(box) == [2, 3]
    assert (box.counters()["accepted"], box.counters()["acknowledged"], box.counters()["sent"]) == (3, 1, 5)
    box.close()


def test_an_id_is_never_used_again(path):
    box = Outbox(path)
    box.put(EPOCH, 1, b"x")
    box.acknowledged(word(1, 1))
    assert box.put(EPOCH, 2, b"x").id == 2
    box.close()


def test_what_was_put_is_on_the_disk_at_once(path, outbox):
    outbox.put(EPOCH, 1, b"x")
    other = sqlite3.connect(path)
    assert other.execute("SELECT count(*) FROM observation").fetchone() == (1,)
    assert outbox._database.execute("PRAGMA synchronous").fetchone() == (2,)
    other.close()


@pytest.mark.parametrize("damage", ["not a database at all, but long enough to be one" * 50, "page"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path, caplog, damage):
    box = Outbox(path)
    for position in range(1, 60):
        box.put(EPOCH, position, bytes(3000))
    box.close()
    data = bytearray(path.read_bytes())
    if damage == "page":
        data[4096 : 4096 * 3] = b"\xff" * 8192
    else:
        data = damage.encode()
    path.write_bytes(data)
    box = Outbox(path)
    assert positions(box) == []
    assert box.put(EPOCH, 1, b"x") is not None
    box.close()
    assert path.with_name("outbox.sqlite.corrupt-1").read_bytes() == bytes(data)
    assert "corrupt-1" in caplog.text


def test_a_second_damaged_file_does_not_replace_the_first(path):
    for number in (1, 2):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 5000)
        Outbox(path).close()
        assert path.with_name(f"outbox.sqlite.corrupt-{number}").exists()


def test_damage_found_while_running_is_told_apart_from_a_full_disk(path):
    box = Outbox(path)
    for position in range(1, 60):
        box.put(EPOCH, position, bytes(3000))
    box.close()
    box = Outbox(path)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    box._database.execute("PRAGMA shrink_memory")
    with pytest.raises(OutboxDamaged):
        box.acknowledged(word(1, 50))
    box._database.close()


def test_a_full_disk_is_said_and_loses_nothing(outbox):
    outbox.put(EPOCH, 1, b"x")
    pages = outbox._database.execute("PRAGMA page_count").fetchone()[0]
    outbox._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RelayError, match="full") as caught:
        outbox.put(EPOCH, 2, bytes(60000))
    assert "space" in caught.value.remedy
    assert positions(outbox) == [1]
    assert outbox.counters()["accepted"] == 1
    outbox._database.execute("PRAGMA max_page_count = 100000")
    assert outbox.put(EPOCH, 2, bytes(60000)) is not None


def test_a_file_of_a_newer_program_is_left_alone(path):
    Outbox(path).close()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RelayError, match="version 99") as caught:
        Outbox(path)
    assert (caught.value.exit, "newer program" in caught.value.remedy) == (Exit.DATA, True)
    assert not list(path.parent.glob("*.corrupt-*"))


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "outbox.sqlite").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "outbox.sqlite", tmp_path / "file" / "outbox.sqlite"):
        with pytest.raises(RelayError) as caught:
            Outbox(path)
        assert caught.value.remedy
        assert caught.value.exit is Exit.IO


def test_a_second_relay_is_turned_away_until_the_first_is_gone(path):
    first = Outbox(path)
    first.put(EPOCH, 1, b"x")
    with pytest.raises(RelayError, match="another relay") as caught:
        Outbox(path)
    assert caught.value.exit is Exit.IO
    first.close()
    second = Outbox(path)
    assert positions(second) == [1]
    second.close()


def test_an_end_that_cannot_write_the_last_counts_is_an_end_all_the_same(path, caplog):
    box = Outbox(path)
    box.count("sent")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    box.close()
    other.close()
    assert "the last counts are lost" in caplog.text
