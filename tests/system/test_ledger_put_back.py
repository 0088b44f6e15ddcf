"""What a device does whose ledger was put back from a copy: whole processes, and all files of capture put back."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from edge.privacy.ledger import read_entries
from wire.exit import Exit

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]


def last_line(site):
    return site.log("capture").strip().splitlines()[-1]


def let_capture_run(site, observations):
    """Until so many more are stored; then it ends by itself as asked."""
    target = len(site.stored()) + observations
    site.start("capture")
    site.wait_for(lambda: len(site.stored()) >= target)
    assert site.stop("capture") == Exit.OK


def put_in_place_of(folder, copy):
    shutil.rmtree(folder)
    copy.rename(folder)


@pytest.fixture
def put_back(site):
    """Collector and relay run; capture's whole state directory is that of an earlier moment, as is relay-copy."""
    site.start("collector", "relay")
    let_capture_run(site, 1)
    site.stop("relay")
    for name in ("capture", "relay"):
        shutil.copytree(site.folder / name, site.folder / f"{name}-copy")
    site.start("relay")
    let_capture_run(site, 3)
    put_in_place_of(site.folder / "capture", site.folder / "capture-copy")
    return site


def farthest_word(site):
    """The position that the relay has heard from the collector."""
    with closing(sqlite3.connect(f"file:{site.folder}/relay/outbox.sqlite?mode=ro", uri=True)) as database:
        return database.execute("SELECT max(upto) FROM heard").fetchone()[0]


def test_capture_ends_with_status_65_before_it_charges_anything(put_back):
    ledger = put_back.folder / "capture" / "ledger.jsonl"
    before = ledger.read_bytes()
    put_back.start("capture")
    assert put_back.wait_for_exit("capture") == Exit.DATA
    assert "ledger-rolled-back" in last_line(put_back)
    assert "--new-epoch" in last_line(put_back)
    assert ledger.read_bytes() == before


def test_a_relay_that_comes_later_stops_a_capture_that_started_without_it(put_back):
    put_back.stop("relay")
    ledger = put_back.folder / "capture" / "ledger.jsonl"
    before = len(read_entries(ledger))
    put_back.start("capture")
    put_back.wait_for(lambda: len(read_entries(ledger)) > before)
    put_back.start("relay")
    assert put_back.wait_for_exit("capture") == Exit.DATA
    assert "ledger-rolled-back" in last_line(put_back)


def test_where_the_relay_was_put_back_too_the_collector_is_heard_through_it(put_back):
    newest = max(position for _, position in put_back.stored())
    put_back.stop("relay")
    put_in_place_of(put_back.folder / "relay", put_back.folder / "relay-copy")
    assert farthest_word(put_back) < newest
    put_back.start("relay")
    put_back.wait_for(lambda: farthest_word(put_back) >= newest)
    put_back.start("capture")
    assert put_back.wait_for_exit("capture") == Exit.DATA
    assert "ledger-rolled-back" in last_line(put_back)


def test_a_new_epoch_goes_on_and_is_delivered(put_back):
    stored = len(put_back.stored())
    put_back.start("capture", more=("--new-epoch",))
    put_back.wait_for(lambda: len(put_back.stored()) >= stored + 2)
    assert put_back.stop("capture") == Exit.OK
