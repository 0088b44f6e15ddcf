import random

import pytest

from edge.privacy.ledger import read_entries

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


def charges(site):
    return [entry for entry in read_entries(site.folder / "capture" / "ledger.jsonl") if entry["kind"] == "charge"]


def accepted(site):
    """Positions that the relay told capture it had committed: capture's log says so by going on; the outbox knows."""
    import sqlite3

    with sqlite3.connect(f"file:{site.folder}/relay/outbox.sqlite?mode=ro", uri=True) as database:
        waiting = database.execute("SELECT count(*) FROM observation").fetchone()[0]
        counters = dict(database.execute("SELECT name, value FROM counter"))
    return counters.get("accepted", 0), counters.get("acknowledged", 0), waiting


@pytest.mark.parametrize("seed", [1, 2])
def test_killing_any_process_at_any_moment_loses_no_charge_and_no_committed_observation(site, seed):
    """Nine kill -9 at random moments, then a calm end: what was committed is stored, each position exactly once."""
    pick = random.Random(seed)
    site.start("collector", "relay", "capture")
    site.wait_for(lambda: len(site.stored()) >= 2)
    for _ in range(9):
        name = pick.choice(["collector", "relay", "capture"])
        site.wait_for(lambda: True)
        before = len(charges(site))
        pick_moment(pick)
        site.kill(name)
        assert len(charges(site)) >= before
        site.start(name)
    target = len(site.stored()) + 4
    site.wait_for(lambda: len(site.stored()) >= target)
    assert site.stop("capture") == 0
    site.wait_for(lambda: accepted(site)[2] == 0)
    stored = site.stored()
    assert len(stored) == len(set(stored))
    total, acknowledged, _ = accepted(site)
    assert len(stored) == total == acknowledged
    charged = {entry["position"] for entry in charges(site)}
    assert {position for _, position in stored} <= charged


def pick_moment(pick):
    import time

    time.sleep(pick.uniform(0.0, 0.6))


def test_a_broker_that_is_killed_and_forgets_everything_loses_no_observation(site, mosquitto):
    site.start("collector", "relay", "capture")
    site.wait_for(lambda: len(site.stored()) >= 2)
    mosquitto.kill()
    before = accepted(site)[0]
    site.wait_for(lambda: accepted(site)[0] >= before + 3)
    mosquitto.start()
    assert site.stop("capture") == 0
    site.wait_for(lambda: accepted(site)[2] == 0)
    stored = site.stored()
    assert len(stored) == len(set(stored)) == accepted(site)[0]
