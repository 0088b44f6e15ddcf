"""Where every observation went, from capture's signature to the collector's word."""

import tempfile
from contextlib import closing
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.relay.bounds import Bounds
from edge.relay.outbox import Outbox
from wire.schema import Acknowledgement, Attestation, CaptureReport

EPOCH = bytes(16)
ATTESTATION = Attestation(
    code=bytes(32),
    configuration=bytes(32),
    locked_memory=True,
    swap="none",
    core_dumps=False,
    network=False,
    filtered=True,
    privileges=False,
    read_only_root=True,
    exposure={},
)


def report(made, dropped=0, waiting=0):
    return CaptureReport(
        device="cam",
        at=0,
        state="observing",
        entropy="healthy",
        made=made,
        dropped=dropped,
        waiting=waiting,
        aimed=0,
        attestation=ATTESTATION,
    )


def word(since, upto):
    return Acknowledgement(device="cam", epoch=EPOCH, since=since, upto=upto, hash=bytes(32), gaps=[])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def box(path):
    with closing(Outbox(path)) as box:
        yield box


def put(box, *positions):
    for position in positions:
        box.put(EPOCH, position, b"%d" % position)


def numbers(box):
    account = box.account()
    return account.made, account.dropped, account.spooled, account.lost


def test_before_capture_has_said_anything_its_counts_are_not_known(box):
    put(box, 1)
    assert numbers(box) == (None, None, None, 0)


def test_nothing_is_lost_while_everything_is_somewhere(box):
    box.reported(report(0))
    put(box, 1, 2, 3)
    box.acknowledged(word(1, 2))
    box.reported(report(6, dropped=1, waiting=2))
    assert numbers(box) == (6, 1, 2, 0)


def test_what_the_relay_has_accepted_and_capture_does_not_know_of_yet_is_not_a_loss(box):
    box.reported(report(0))
    put(box, 1, 2)
    box.reported(report(2, waiting=2))
    box.reported(report(2, waiting=2))
    assert numbers(box)[3] == 0
    box.reported(report(3))
    assert numbers(box)[3] == 1  # the third was accepted by nobody here


def test_what_capture_handed_over_and_the_outbox_never_saw_is_lost(box):
    box.reported(report(0))
    put(box, 1, 2)
    box.reported(report(5))
    assert numbers(box)[3] == 3


def test_rows_that_vanish_from_the_outbox_are_lost(path):
    with closing(Outbox(path)) as box:
        box.reported(report(0))
        put(box, 1, 2, 3)
        box.reported(report(3))
        box._database.execute("DELETE FROM observation WHERE position = 2")
    with closing(Outbox(path)) as box:
        assert (box.held, numbers(box)[3]) == (2, 1)


def test_what_the_bounds_evict_is_accounted_for(path):
    with closing(Outbox(path, bounds=Bounds(size=300_000))) as box:
        box.reported(report(0))
        for position in range(1, 41):
            box.put(EPOCH, position, bytes(20_000))
        box.reported(report(40))
        assert box.counters()["evicted:size"] > 20
        assert numbers(box)[3] == 0


def test_an_outbox_that_is_older_than_captures_counts_finds_out_what_came_before(box):
    put(box, 1, 2, 3)
    box.reported(report(2))
    assert numbers(box)[3] == 0
    put(box, 4)
    box.reported(report(3))
    box.reported(report(3))  # nothing happened between the two
    put(box, 5)
    box.reported(report(4))
    assert numbers(box)[3] == 0
    box.reported(report(5))
    assert numbers(box)[3] == 1


def test_an_outbox_that_is_younger_than_captures_counts_takes_what_was_before_for_no_loss(box):
    for made in (100, 100, 101):
        box.reported(report(made))
    assert numbers(box)[3] == 1


def test_nothing_is_concluded_while_an_observation_is_on_its_way(box):
    put(box, 1, 2)
    for _ in range(3):
        box.reported(report(2, waiting=1))  # the second was accepted, and capture has not heard of it
    box.reported(report(2))
    box.reported(report(2))
    put(box, 3)
    box.reported(report(3))
    assert numbers(box)[3] == 0


def test_counts_that_went_back_are_of_another_folder_and_begin_anew(box):
    box.reported(report(0))
    put(box, 1, 2, 3)
    box.reported(report(3))
    put(box, 4)
    for _ in range(2):
        box.reported(report(1))
    assert numbers(box) == (1, 0, 0, 0)
    box.reported(report(2))
    assert numbers(box)[3] == 1


def test_the_account_survives_a_restart(path):
    with closing(Outbox(path)) as box:
        box.reported(report(0))
        put(box, 1)
        box.reported(report(2))
    with closing(Outbox(path)) as box:
        assert numbers(box) == (2, 0, 0, 1)
        box.reported(report(2))
        box.reported(report(2))
        assert numbers(box)[3] == 1


class EveryObservationIsSomewhere(RuleBasedStateMachine):
    """Capture makes, drops and hands over; the relay answers or not, evicts, hears words; counts come late."""

    @initialize(before=st.integers(0, 3))
    def begin(self, before):
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.path = Path(self.folder.name) / "outbox.sqlite"
        self.bounds = Bounds(size=180_000)
        self.box = Outbox(self.path, bounds=self.bounds)
        self.next = 1
        self.made = self.dropped = 0
        self.spool = []
        self.late = None
        if before == 0:
            self.box.reported(report(0))

    @rule()
    def make(self):
        self.spool.append(self.next)
        self.next += 1
        self.made += 1

    @precondition(lambda self: self.spool)
    @rule(answered=st.booleans())
    def hand_over(self, answered):
        self.box.put(EPOCH, self.spool[0], self.spool[0].to_bytes(2, "big") * 8_000)
        if answered:
            self.spool.pop(0)

    @precondition(lambda self: self.spool)
    @rule()
    def drop(self):
        self.spool.pop(0)
        self.dropped += 1

    @rule()
    def count(self):
        self.late = report(self.made, self.dropped, len(self.spool))

    @precondition(lambda self: self.late)
    @rule(again=st.integers(0, 2))
    def hear_the_counts(self, again):
        """Capture counts anew each time, after its last word was heard."""
        self.box.reported(self.late)
        for _ in range(again):
            self.box.reported(report(self.made, self.dropped, len(self.spool)))
        self.late = None

    @rule(since=st.integers(1, 30), length=st.integers(0, 10))
    def hear_a_word(self, since, length):
        self.box.acknowledged(word(since, since + length))

    @rule()
    def restart(self):
        self.box.close()
        self.box = Outbox(self.path, bounds=self.bounds)

    @invariant()
    def nothing_is_called_lost(self):
        if hasattr(self, "box"):
            assert self.box.account().lost == 0

    def teardown(self):
        if hasattr(self, "box"):
            self.box.close()
            self.folder.cleanup()


TestEveryObservationIsSomewhere = EveryObservationIsSomewhere.TestCase
TestEveryObservationIsSomewhere.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
