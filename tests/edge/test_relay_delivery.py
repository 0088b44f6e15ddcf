import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.relay.deliver import OUTSTANDING, STUBBORN, WINDOW, Delivery, Patience
from edge.relay.outbox import Outbox
from edge.relay.troubles import Troubles
from wire.codec import encode
from wire.cose import sign
from wire.errors import WireError
from wire.events import NO_SUBSCRIBERS, NOT_SENT, Published
from wire.schema import Acknowledgement
from wire.topics import Topics

EPOCH, OTHER = bytes(16), bytes([1] * 16)
COLLECTOR = Ed25519PrivateKey.from_private_bytes(bytes(32))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
TOPICS = Topics("speckled", "cam")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def word(since, upto, gaps=(), *, epoch=EPOCH, key=COLLECTOR, device="cam", topic=TOPICS.ack):
    value = Acknowledgement(device=device, epoch=epoch, since=since, upto=upto, hash=bytes(32), gaps=list(gaps))
    return sign(encode(value), key, topic)


class Bench:
    """A delivery, its outbox and a broker that is played by hand."""

    def __init__(self, path, first=30.0, longest=600.0):
        self.clock = Clock()
        self.outbox = Outbox(path)
        self.patience = Patience(first, longest)
        self.mids = iter(range(1, 10**9))
        self.restart()

    def restart(self):
        self.delivery = Delivery(
            self.outbox,
            topics=TOPICS,
            collector=COLLECTOR.public_key(),
            patience=self.patience,
            troubles=Troubles(self.clock),
            clock=self.clock,
            jitter=lambda: 0.0,
        )

    def put(self, *positions, epoch=EPOCH):
        for position in positions:
            self.outbox.put(epoch, position, b"%d" % position)

    def send(self):
        """The mids and envelopes that were handed to the broker now."""
        sent = {}
        for row, envelope in self.delivery.outgoing():
            mid = next(self.mids)
            self.delivery.sent(row, mid)
            sent[mid] = envelope
        return sent

    def positions(self):
        return [int(envelope) for envelope in self.send().values()]

    def answer(self, *mids, accepted=True, code=0):
        for mid in mids:
            assert self.delivery.published(Published(mid, accepted, "a reason", code))


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / "outbox.sqlite")
    yield bench
    bench.outbox.close()


def test_nothing_is_sent_without_a_connection(bench):
    bench.put(1)
    assert bench.send() == {}


def test_the_oldest_goes_first(bench):
    bench.put(5, 3, 9)
    bench.delivery.connected(65535)
    assert bench.positions() == [5, 3, 9]


@pytest.mark.parametrize(("receive_maximum", "window"), [(1, 1), (7, 7), (65535, WINDOW)])
def test_never_more_is_in_flight_than_the_broker_and_we_allow(bench, receive_maximum, window):
    bench.put(*range(1, 50))
    bench.delivery.connected(receive_maximum)
    sent = bench.send()
    assert len(sent) == window
    assert bench.send() == {}
    bench.answer(next(iter(sent)))
    assert len(bench.send()) == 1


def test_the_brokers_yes_frees_nothing(bench):
    bench.put(1)
    bench.delivery.connected(20)
    bench.answer(*bench.send())
    assert bench.delivery.waiting == len(bench.outbox.waiting()) == 1


def test_the_collectors_word_frees_what_it_covers(bench):
    bench.put(1, 2, 3)
    bench.delivery.connected(20)
    bench.answer(*bench.send())
    assert bench.delivery.acknowledge(word(1, 3, gaps=[(2, 2)])) == 2
    assert [row.position for row in bench.outbox.waiting()] == [2]
    assert bench.delivery.waiting == 1


@pytest.mark.parametrize(
    "forged",
    [
        word(1, 9, key=STRANGER),
        word(1, 9, topic=TOPICS.observation),
        word(1, 9, topic=Topics("speckled", "cab").ack),
        word(1, 9, device="cab"),
        b"",
        b"\xd2garbage",
        word(1, 9)[:-1],
    ],
)
def test_a_word_that_is_not_the_collectors_for_this_device_frees_nothing(bench, forged):
    bench.put(1)
    with pytest.raises(WireError):
        bench.delivery.acknowledge(forged)
    assert bench.delivery.waiting == 1


def test_a_word_about_another_epoch_frees_nothing_of_this_one(bench):
    bench.put(1)
    assert bench.delivery.acknowledge(word(1, 9, epoch=OTHER)) == 0
    assert bench.delivery.waiting == 1


def test_without_the_collectors_word_it_is_sent_again_with_growing_patience(bench):
    bench.put(1)
    bench.delivery.connected(20)
    for seconds in (30, 60, 120, 240, 480, 600, 600):
        bench.answer(*bench.send())
        bench.clock.now += seconds - 0.01
        assert bench.send() == {}
        bench.clock.now += 0.02
    assert bench.positions() == [1]


def test_what_was_in_flight_when_the_connection_broke_is_sent_on_the_next(bench):
    bench.put(1, 2)
    bench.delivery.connected(20)
    old = bench.send()
    bench.delivery.disconnected()
    assert bench.send() == {}
    bench.delivery.connected(20)
    assert sorted(bench.positions()) == [1, 2]
    assert not bench.delivery.published(Published(next(iter(old)), True, "late"))


def test_a_publish_that_found_no_connection_waits_for_the_next_one(bench):
    bench.put(1)
    bench.delivery.connected(20)
    bench.answer(*bench.send(), accepted=False, code=NOT_SENT)
    assert not bench.delivery.open
    bench.delivery.connected(20)
    assert bench.positions() == [1]


@pytest.mark.parametrize(
    ("accepted", "code", "says"), [(False, 0x87, "refuses"), (True, NO_SUBSCRIBERS, "no collector subscribes")]
)
def test_a_broker_that_says_no_rests_all_sending_for_longer_each_time(bench, caplog, accepted, code, says):
    bench.put(*range(1, 10))
    bench.delivery.connected(1)
    for seconds in (1, 2, 4, 8):
        bench.answer(*bench.send(), accepted=accepted, code=code)
        bench.clock.now += seconds - 0.01
        assert bench.send() == {}
        bench.clock.now += 0.02
    assert says in caplog.text
    assert bench.delivery.waiting == 9
    bench.answer(*bench.send())
    assert len(bench.send()) == 1


def test_a_whole_window_of_refusals_rests_sending_once_and_is_said_once(bench, caplog):
    bench.put(*range(1, 50))
    bench.delivery.connected(WINDOW)
    bench.answer(*bench.send(), code=NO_SUBSCRIBERS)
    bench.clock.now += 1.01
    bench.answer(*bench.send(), code=NO_SUBSCRIBERS)
    bench.clock.now += 2.01
    assert bench.send()
    assert caplog.text.count("no collector subscribes") == 1


def test_an_observation_that_the_collector_never_takes_is_said(bench, caplog):
    bench.put(1)
    bench.delivery.connected(20)
    for attempt in range(1, STUBBORN + 1):
        assert "dead letters" not in caplog.text
        bench.answer(*bench.send())
        bench.clock.now += 30 * 2**attempt
    assert "dead letters" in caplog.text


def test_an_absent_collector_costs_a_bounded_number_of_publishes(bench):
    bench.put(*range(1, OUTSTANDING + 50))
    bench.delivery.connected(20)
    count = 0
    while sent := bench.send():
        count += len(sent)
        bench.answer(*sent)
    assert count == OUTSTANDING


def test_each_word_of_the_collector_makes_room_for_more(bench):
    total = 2 * OUTSTANDING + 50
    bench.put(*range(1, total + 1))
    bench.delivery.connected(20)
    count = 0
    for _ in range(3):
        while sent := bench.send():
            count += len(sent)
            bench.answer(*sent)
        bench.delivery.acknowledge(word(1, count))
    assert (count, bench.delivery.waiting) == (total, 0)


def test_observations_that_nobody_accepts_do_not_hold_up_the_others(bench):
    bench.put(*range(1, OUTSTANDING + 50))
    bench.delivery.connected(20)
    seen = set()
    for _ in range(3):
        while sent := bench.send():
            seen |= {int(envelope) for envelope in sent.values()}
            bench.answer(*sent)
        bench.clock.now += 61
    assert seen == set(range(1, OUTSTANDING + 50))


def test_after_a_restart_everything_unacknowledged_is_sent_again(bench):
    bench.put(1, 2, 3)
    bench.delivery.connected(20)
    bench.answer(*bench.send())
    bench.delivery.acknowledge(word(2, 2))
    bench.restart()
    bench.delivery.connected(20)
    assert bench.positions() == [1, 3]


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Puts, sends, answers, losses, words and restarts in any order, against a model of what may be forgotten."""

    @initialize(receive_maximum=st.integers(1, 30))
    def begin(self, receive_maximum):
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.bench = Bench(Path(self.folder.name) / "outbox.sqlite")
        self.receive_maximum = receive_maximum
        self.held = set()
        self.freed = set()
        self.unanswered = []

    @rule(positions=st.lists(st.integers(1, 60), max_size=12), epoch=st.sampled_from([EPOCH, OTHER]))
    def put(self, positions, epoch):
        self.bench.put(*positions, epoch=epoch)
        self.held |= {(epoch, position) for position in positions} - self.freed

    @rule()
    def connect(self):
        self.bench.delivery.connected(self.receive_maximum)

    @rule()
    def lose_the_connection(self):
        self.bench.delivery.disconnected()
        self.unanswered = []

    @rule()
    def send(self):
        self.unanswered += self.bench.send()

    @precondition(lambda self: self.unanswered)
    @rule(data=st.data(), verdict=st.sampled_from([(True, 0), (True, 0), (True, 0x10), (False, 0x97)]))
    def answer(self, data, verdict):
        mid = data.draw(st.sampled_from(self.unanswered))
        self.unanswered.remove(mid)
        self.bench.answer(mid, accepted=verdict[0], code=verdict[1])

    @rule(since=st.integers(1, 60), length=st.integers(0, 30), gap=st.integers(1, 60), honest=st.booleans())
    def hear_a_word(self, since, length, gap, honest):
        gaps = [(gap, gap)] if since <= gap <= since + length else []
        envelope = word(since, since + length, gaps, key=COLLECTOR if honest else STRANGER)
        if honest:
            self.bench.delivery.acknowledge(envelope)
            covered = {n for n in range(since, since + length + 1) if (n, n) not in gaps}
            self.freed |= self.held & {(EPOCH, n) for n in covered}
            self.held -= self.freed
        else:
            with pytest.raises(WireError):
                self.bench.delivery.acknowledge(envelope)

    @rule(seconds=st.sampled_from([0.5, 5.0, 45.0, 700.0]))
    def time_passes(self, seconds):
        self.bench.clock.now += seconds

    @rule()
    def restart(self):
        self.bench.restart()
        self.unanswered = []

    @invariant()
    def nothing_is_lost_and_nothing_is_freed_without_a_word(self):
        if hasattr(self, "bench"):
            assert {(row.epoch, row.position) for row in self.bench.outbox.waiting()} == self.held
            assert self.bench.delivery.waiting == len(self.held)

    @invariant()
    def the_window_is_kept(self):
        if hasattr(self, "bench"):
            assert self.bench.delivery.in_flight == len(self.unanswered)
            assert self.bench.delivery.in_flight <= min(WINDOW, self.receive_maximum)

    def teardown(self):
        if hasattr(self, "bench"):
            self.everything_held_is_sent_in_the_end()
            self.bench.outbox.close()
            self.folder.cleanup()

    def everything_held_is_sent_in_the_end(self):
        self.lose_the_connection()
        self.connect()
        seen = set()
        for _ in range(3):
            while sent := self.bench.send():
                seen |= {int(envelope) for envelope in sent.values()}
                self.bench.answer(*sent)
            self.bench.clock.now += 1000
        assert {position for _, position in self.held} <= seen


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
TestAnyOrderOfEvents.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
