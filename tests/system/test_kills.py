import random
import sqlite3
import time
from contextlib import closing

import pytest

from edge.privacy.ledger import read_entries

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


def charges(site):
    entries = read_entries(site.folder / "capture" / "ledger.jsonl")
    return [entry["position"] for entry in entries if entry["kind"] == "charge"]


def outbox(site):
    """How many observations the relay has committed, how many of them were freed, how many wait."""
    with closing(sqlite3.connect(f"file:{site.folder}/relay/outbox.sqlite?mode=ro", uri=True)) as database:
        waiting = database.execute("SELECT count(*) FROM observation").fetchone()[0]
        counters = dict(database.execute("SELECT name, value FROM counter"))
    return counters.get("accepted", 0), counters.get("acknowledged", 0), waiting


def last_word(site):
    """What capture has signed since the site was made, what it gave up and what waits there, as the relay heard it."""
    with closing(sqlite3.connect(f"file:{site.folder}/relay/outbox.sqlite?mode=ro", uri=True)) as database:
        return database.execute("SELECT made, dropped, waiting FROM capture").fetchone()


def end_calmly(site):
    """Capture ends when the relay is back and takes what it has: else the rest would wait for its next start."""
    site.wait_for(lambda: not list((site.folder / "capture" / "spool").glob("*.cose")))
    assert site.stop("capture") == 0


def assert_everything_signed_is_stored_once(site):
    site.wait_for(lambda: outbox(site)[2] == 0)
    committed, freed, _ = outbox(site)
    stored = site.stored()
    assert len(stored) == len(set(stored)) == committed == freed
    site.wait_for(lambda: last_word(site) == (committed, 0, 0))
    assert {position for _, position in stored} <= set(charges(site))


@pytest.mark.parametrize("seed", [1, 2])
def test_killing_any_process_at_any_moment_loses_no_charge_and_no_observation(site, seed):
    """Nine kill -9 at random moments, then a calm end."""
    pick = random.Random(seed)
    site.start("collector", "relay", "capture")
    site.wait_for(lambda: len(site.stored()) >= 2)
    for _ in range(9):
        name = pick.choice(["collector", "relay", "capture"])
        time.sleep(pick.uniform(0.0, 0.6))
        before = charges(site)
        site.kill(name)
        assert charges(site)[: len(before)] == before
        site.start(name)
    target = len(site.stored()) + 4
    site.wait_for(lambda: len(site.stored()) >= target)
    end_calmly(site)
    assert_everything_signed_is_stored_once(site)


def test_a_broker_that_is_killed_and_forgets_everything_loses_no_observation(site, mosquitto):
    site.start("collector", "relay", "capture")
    site.wait_for(lambda: len(site.stored()) >= 2)
    mosquitto.kill()
    before = outbox(site)[0]
    site.wait_for(lambda: outbox(site)[0] >= before + 3)
    mosquitto.start()
    end_calmly(site)
    assert_everything_signed_is_stored_once(site)


def released(site):
    log = site.folder / "capture.log"
    return log.read_text().count("released ledger position") if log.exists() else 0


def test_killing_capture_again_and_again_while_the_relay_is_away_loses_no_observation(site):
    site.configure(camera='driver = "synthetic"\nwidth = 320\nheight = 256\nvisit_frames = 1')
    site.start("collector")
    for _ in range(3):
        before = released(site)
        site.start("capture")
        site.wait_for(lambda before=before: released(site) >= before + 2)
        site.kill("capture")
    signed = released(site)
    site.start("relay", "capture")
    site.wait_for(lambda: len(site.stored()) >= signed)
    end_calmly(site)
    assert_everything_signed_is_stored_once(site)
