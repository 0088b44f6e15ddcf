import os
import sqlite3
import subprocess
import sys

import pytest
from factories import make_observation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import Reason, StoreCorrupt, StoreUnavailable
from collector.reader import Reader
from collector.store import LETTERS_PER_TOPIC, Outcome, Store
from wire.exit import Exit

EPOCH = bytes(range(16))


def offer(store, key, position, **changes):
    return store.add(*make_observation("cam-1", position, EPOCH, key, keypoints=3, **changes))


def count(path, table="observation"):
    with sqlite3.connect(path) as database:
        (found,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    database.close()
    return found


def test_an_observation_is_stored_once_however_often_it_comes(store, key, tmp_path):
    assert offer(store, key, 5) is Outcome.STORED
    assert offer(store, key, 5) is Outcome.DUPLICATE
    store.commit()
    assert offer(store, key, 5) is Outcome.DUPLICATE
    store.commit()
    assert count(tmp_path / "collector.db") == 1


def test_another_message_at_a_stored_position_is_equivocation_and_the_first_stays(store, key, tmp_path):
    first, envelope = make_observation("cam-1", 5, EPOCH, key, keypoints=3)
    store.add(first, envelope)
    assert offer(store, key, 5, opened=1) is Outcome.EQUIVOCATION
    store.commit()
    with Reader(tmp_path / "collector.db") as reader:
        assert reader.observation(1).opened == first.opened


@pytest.mark.parametrize("positions", [(5, 6), (6, 5)])
def test_neighbours_of_the_ledger_must_chain_in_whichever_order_they_come(store, key, positions):
    forged = {6: {"previous": b"x" * 32}}
    first, second = positions
    assert offer(store, key, first, **forged.get(first, {})) is Outcome.STORED
    assert offer(store, key, second, **forged.get(second, {})) is Outcome.CHAIN


def test_a_gap_in_the_ledger_is_no_break_of_its_chain(store, key):
    assert [offer(store, key, position) for position in (1, 2, 9, 5)] == [Outcome.STORED] * 4


def test_epochs_and_devices_do_not_disturb_each_other(store, key):
    assert offer(store, key, 5) is Outcome.STORED
    assert store.add(*make_observation("cam-2", 5, EPOCH, key, keypoints=3)) is Outcome.STORED
    assert store.add(*make_observation("cam-1", 5, b"e" * 16, key, keypoints=3)) is Outcome.STORED


def test_what_was_not_committed_is_not_told_as_stored(store, key):
    offer(store, key, 1)
    store.commit()
    assert store.stored("cam-1", EPOCH).ranges() == [(1, 1)]
    offer(store, key, 2)
    with pytest.raises(RuntimeError):
        store.stored("cam-1", EPOCH)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(positions=st.lists(st.integers(1, 40), max_size=40), reopen_at=st.integers(0, 40))
def test_the_stored_positions_are_the_same_in_memory_and_after_opening_again(
    key, tmp_path_factory, positions, reopen_at
):
    path = tmp_path_factory.mktemp("store") / "collector.db"
    store = Store(path, clock=lambda: 0)
    for number, position in enumerate(positions):
        if number == reopen_at:
            store.close()
            store = Store(path, clock=lambda: 0)
        store.stored("cam-1", EPOCH)
        offer(store, key, position)
        store.commit()
    kept = store.stored("cam-1", EPOCH).ranges()
    store.close()
    assert [p for first, last in kept for p in range(first, last + 1)] == sorted(set(positions))


def test_a_dead_letter_is_kept_once_and_counted_and_cut_at_64_kib(store, tmp_path):
    for expected in (True, False, False):
        assert store.add_dead_letter("t", "cam-1", b"x" * 70_000, reason="oversize", detail="70000 bytes") is expected
    store.commit()
    with Reader(tmp_path / "collector.db") as reader:
        (letter,) = reader.letters("cam-1")
    assert (letter.reason, letter.size, letter.count) == ("oversize", 70_000, 3)
    with sqlite3.connect(tmp_path / "collector.db") as database:
        assert database.execute("SELECT length(head) FROM dead_letter").fetchone() == (65536,)
    database.close()


def test_one_noisy_topic_cannot_push_out_the_dead_letters_of_others(store, tmp_path):
    store.add_dead_letter("quiet", "", b"first", reason="malformed", detail="-")
    for number in range(LETTERS_PER_TOPIC + 30):
        store.add_dead_letter("noisy", "", str(number).encode(), reason="malformed", detail="-")
    store.commit()
    with Reader(tmp_path / "collector.db") as reader:
        topics = [letter.topic for letter in reader.letters(limit=1000)]
    assert topics.count("noisy") == LETTERS_PER_TOPIC
    assert topics.count("quiet") == 1


def test_a_second_collector_on_the_same_store_is_turned_away(store, tmp_path):
    with pytest.raises(StoreUnavailable) as caught:
        Store(tmp_path / "collector.db", clock=lambda: 0)
    assert caught.value.reason is Reason.STORE_LOCKED
    assert caught.value.exit == Exit.IO


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_store_is_an_error_and_is_left_as_it_was(tmp_path, content):
    path = tmp_path / "collector.db"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt) as caught:
        Store(path, clock=lambda: 0)
    assert caught.value.exit == Exit.DATA
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_damaged_store_is_an_error_and_is_left_as_it_was(tmp_path, key):
    path = tmp_path / "collector.db"
    store = Store(path, clock=lambda: 0)
    for position in range(1, 40):
        offer(store, key, position)
    store.commit()
    store.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 8192] = os.urandom(8192)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt) as caught:
        Store(path, clock=lambda: 0)
    assert caught.value.reason is Reason.STORE_CORRUPT
    assert path.read_bytes() == content


def test_somebody_elses_database_is_not_touched(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (x)")
    database.close()
    content = path.read_bytes()
    with pytest.raises(StoreCorrupt) as caught:
        Store(path, clock=lambda: 0)
    assert caught.value.reason is Reason.STORE_OTHER
    assert path.read_bytes() == content


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable) as caught:
        Store(tmp_path / "file" / "collector.db", clock=lambda: 0)
    assert "file" in caught.value.detail


WRITER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_observation
from collector.store import Store

store = Store(Path(sys.argv[1]), clock=lambda: 0)
key = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
for position in range(1, 10_000):
    store.add(*make_observation("cam-1", position, bytes(range(16)), key, keypoints=3))
    store.commit()
    print(position, flush=True)
"""


def test_a_commit_survives_the_killing_of_the_writer(tmp_path):
    path = tmp_path / "collector.db"
    search = os.pathsep.join([os.fspath(p) for p in sys.path if p])
    command = [sys.executable, "-c", WRITER, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": search}) as writer:
        told = 0
        while told < 50:
            told = int(writer.stdout.readline())
        writer.kill()
        told = max([told, *(int(line) for line in writer.stdout.read().split())])
    store = Store(path, clock=lambda: 0)
    ((first, last),) = store.stored("cam-1", EPOCH).ranges()
    store.close()
    assert first == 1
    assert last >= told


def test_the_newest_of_a_level_is_found_in_ledger_order(store, key, tmp_path):
    for position in (7, 3, 9, 5):
        offer(store, key, position)
    store.add(*make_observation("cam-1", 20, EPOCH, key, keypoints=3, level="state"))
    store.commit()
    with Reader(tmp_path / "collector.db") as reader:
        assert [row.position for row in reader.latest("cam-1", "day", 3)] == [9, 7, 5]
        assert reader.levels("cam-1") == ["day", "state"]
        summary = reader.device("cam-1")
    assert (summary.observations, summary.position, summary.missing) == (5, 20, 13)


def test_an_observation_comes_back_as_it_went_in(store, key, tmp_path):
    observation, envelope = make_observation("cam-1", 1, EPOCH, key)
    store.add(observation, envelope)
    store.commit()
    with Reader(tmp_path / "collector.db") as reader:
        again = reader.observation(1)
    assert (again.receipt, again.statement) == (observation.receipt, observation.statement)
    assert (again.features.keypoints == observation.features.keypoints).all()


def test_an_observation_in_another_form_is_named_by_its_row_and_never_read_as_something_else(store, key, tmp_path):
    observation, envelope = make_observation("cam-1", 1, EPOCH, key)
    store.add(observation, envelope.replace(b"keypoints", b"keyspots!"))
    store.commit()
    with Reader(tmp_path / "collector.db") as reader, pytest.raises(StoreCorrupt, match="row 1 has another form"):
        reader.observation(1)


def test_a_dead_letter_keeps_no_more_of_a_topic_than_a_device_could_have(store, tmp_path):
    for number in range(2):
        store.add_dead_letter("a" * 60_000 + str(number), "", b"rubbish", reason="topic", detail="no device's")
    store.commit()
    with Reader(tmp_path / "collector.db") as reader:
        assert [len(letter.topic) for letter in reader.letters()] == [256, 256]
