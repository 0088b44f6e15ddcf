"""A source of randomness that breaks in the middle of a run stops publication, says why, and is not replaced."""

import re
import sqlite3
from contextlib import closing

import pytest

from collector.reader import Reader
from edge.privacy.ledger import read_entries
from wire.exit import Exit

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

FAULTY = 'driver = "emulated-microrng"\nfault = "{}"'
MIDWAY = 45_000
"""Raw bytes that the first two day windows and the state windows beside them need, about."""
OF_THE_TESTS = {
    "stuck": "entropy-repetition-count",
    "bias=0.6": "entropy-predictable-bits",
}
OF_THE_DEVICE = {
    "unplug": "unplugged",
    "status": "the chip reports status 0x01",
    "eio": "bus-error",
}


def last_line(site):
    lines = site.log("capture").strip().splitlines()
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


def released(site):
    """Ledger positions that capture says it released."""
    text = (site.folder / "capture.log").read_text()
    return sorted(int(number) for number in re.findall(r"released ledger position (\d+)", text))


def charged(site):
    return [entry["position"] for entry in read_entries(site.folder / "capture" / "ledger.jsonl") if "scale" in entry]


def stored_positions(site):
    return sorted(position for _, position in site.stored())


def waiting(site):
    with closing(sqlite3.connect(f"file:{site.folder}/relay/outbox.sqlite?mode=ro", uri=True)) as database:
        return database.execute("SELECT count(*) FROM observation").fetchone()[0]


def sources(site):
    """What all stored observations say of their randomness."""
    with closing(Reader(site.folder / "store" / "observations.sqlite")) as reader:
        rows = [row for level in reader.levels("ward-3") for row in reader.latest("ward-3", level, 1000)]
        named = [reader.observation(row.id).statement.entropy for row in rows]
    return {(entropy.source, entropy.model, entropy.simulated) for entropy in named}


def run_until_the_fault(site, fault):
    """Capture ends by itself; what it had released by then, and nothing else, reaches the collector."""
    site.configure(qrng=FAULTY.format(f"{fault}@{MIDWAY}"), frames_per_second=80)
    site.start("collector", "relay", "capture")
    assert site.wait_for_exit("capture") == Exit.NO_ENTROPY
    before = released(site)
    assert len(before) >= 3
    site.wait_for(lambda: stored_positions(site) == before, 15)
    site.wait_for(lambda: waiting(site) == 0)
    return before


@pytest.mark.parametrize("fault", OF_THE_TESTS)
def test_a_source_that_fails_its_tests_stops_publication_until_someone_has_looked_at_it(site, fault):
    before = run_until_the_fault(site, fault)
    assert OF_THE_TESTS[fault] in last_line(site)
    assert "Check wiring and power of the random-number device" in last_line(site)
    spent = charged(site)
    assert set(before) < set(spent)
    assert len(spent) - len(before) <= 2

    site.configure(frames_per_second=80)
    site.start("capture")
    assert site.wait_for_exit("capture") == Exit.NO_ENTROPY
    assert "failed earlier" in last_line(site)
    assert OF_THE_TESTS[fault] in last_line(site)
    latch = site.folder / "capture" / "entropy-failed"
    assert f"removes {latch} if it passes" in last_line(site)
    assert charged(site) == spent
    assert released(site) == before

    latch.unlink()
    site.start("capture")
    site.wait_for(lambda: len(stored_positions(site)) > len(before))
    assert min(set(stored_positions(site)) - set(before)) > max(spent)
    assert sources(site) == {("microrng", "emulated MicroRNG", True)}


@pytest.mark.parametrize("fault", OF_THE_DEVICE)
def test_a_source_that_does_not_answer_as_it_should_stops_publication_until_it_does(site, fault):
    before = run_until_the_fault(site, fault)
    assert "entropy-device-fault" in last_line(site)
    assert OF_THE_DEVICE[fault] in last_line(site)
    assert re.search(r"\. (Check|Connect|Power) ", last_line(site))
    spent = charged(site)
    assert set(before) < set(spent)
    assert len(spent) - len(before) <= 2

    site.configure(frames_per_second=80)
    site.start("capture")
    site.wait_for(lambda: len(stored_positions(site)) > len(before))
    assert min(set(stored_positions(site)) - set(before)) > max(spent)
    assert sources(site) == {("microrng", "emulated MicroRNG", True)}
