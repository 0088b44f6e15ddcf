import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_attestation

from edge.errors import Reason, RelayError
from edge.report import Reporter
from wire.codec import decode
from wire.cose import verify
from wire.schema import CaptureReport
from wire.topics import Topics

KEY = Ed25519PrivateKey.generate()
TOPICS = Topics("speckled", "ward-3")


class Relay:
    """Takes envelopes; while `away`, none."""

    def __init__(self):
        self.breaks = 0
        self.words, self.away, self.came, self.asked = [], False, threading.Semaphore(0), threading.Semaphore(0)

    def take(self, envelope):
        self.asked.release()
        self.breaks -= 1
        if self.away or self.breaks == 0:
            raise RelayError(Reason.RELAY, "away", "start it")
        self.words.append(decode(verify(envelope, KEY.public_key(), TOPICS.state), CaptureReport))
        self.came.release()


@pytest.fixture
def relay():
    return Relay()


@pytest.fixture
def reporter(relay):
    reporter = Reporter(
        relay.take,
        key=KEY,
        topics=TOPICS,
        attestation=make_attestation(),
        entropy=lambda: "healthy",
        counts=lambda: (7, 2, 1),
        aimed=3,
        wall_ms=lambda: 1_700_000_000_000,
    )
    yield reporter
    reporter.stop()


def test_a_change_is_told_at_once_signed_and_with_the_counts(relay, reporter):
    reporter.start()
    assert relay.came.acquire(timeout=5)
    reporter.say("observing")
    assert relay.came.acquire(timeout=5)
    assert [word.state for word in relay.words] == ["starting", "observing"]
    assert (relay.words[-1].made, relay.words[-1].dropped, relay.words[-1].entropy) == (7, 2, "healthy")


def test_what_has_not_changed_is_not_told_again_soon(relay, reporter):
    reporter.start()
    assert relay.came.acquire(timeout=5)
    reporter.say("starting")
    assert not relay.came.acquire(timeout=0.2)


def test_an_end_is_told_before_the_process_ends(relay, reporter):
    reporter.start()
    assert relay.came.acquire(timeout=5)
    reporter.stop()
    assert relay.words[-1].state == "ended"


def test_a_relay_that_is_away_does_not_hold_up_the_end(relay, reporter):
    relay.away = True
    reporter.start()
    assert relay.asked.acquire(timeout=5)
    reporter.stop()
    assert relay.words == []


def test_the_newest_word_reaches_a_relay_that_comes_back(relay, reporter, monkeypatch):
    monkeypatch.setattr("edge.report.RETRY", 0.02)
    relay.away = True
    reporter.start()
    assert relay.asked.acquire(timeout=5)
    reporter.say("observing")
    relay.away = False
    assert relay.came.acquire(timeout=5)
    if relay.words[-1].state != "observing":  # an attempt that was made meanwhile
        assert relay.came.acquire(timeout=5)
    assert relay.words[-1].state == "observing"


def test_a_connection_that_broke_since_the_last_word_does_not_cost_the_last_one(relay, reporter):
    reporter.start()
    assert relay.came.acquire(timeout=5)
    relay.breaks = 1
    reporter.stop()
    assert relay.words[-1].state == "ended"
