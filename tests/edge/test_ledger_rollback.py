"""A ledger that was put back from a copy: what the marks beside it notice, and what the collector's word does."""

import shutil
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import LedgerError, Reason, RelayError
from edge.history import CollectorHistory
from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.terms import one_pair
from edge.relay.heard import Heard
from edge.relay.link import CaptureLink, Listener, Reply, Status
from edge.relay.outbox import Fork, Outbox
from wire.schema import Acknowledgement

EPOCH = bytes(range(16))
WINDOW = Mechanism(LinearLut(255), 16, 3, 4, 10, 255 * 200)
HASHES = st.binary(min_size=32, max_size=32)


class Collector:
    """What a collector would say of the receipts that it was given."""

    def __init__(self) -> None:
        self.word: Heard | None = None

    def __call__(self) -> list[Heard]:
        return [self.word] if self.word else []

    def store(self, ledger: Ledger, position: int) -> None:
        self.word = Heard(ledger.epoch, position, ledger._hashes[position - 1])


@pytest.fixture
def collector() -> Collector:
    return Collector()


def opened(path: Path, collector: Collector, *, new_epoch: bool = False) -> Ledger:
    return Ledger(
        path,
        device="ward-3",
        configuration=bytes(32),
        terms=one_pair(Fraction(1, 100), Fraction(1)),
        clock=lambda: 1_760_000_000_000,
        history=collector,
        new_epoch=new_epoch,
    )


def charge(ledger: Ledger) -> int:
    return ledger.charge("map", WINDOW, ledger.next_frame).position


@pytest.fixture
def put_back(tmp_path: Path, collector: Collector) -> Path:
    """A ledger with its marks, both as they were one charge before the collector stored position 3."""
    ledger = opened(tmp_path / "ledger", collector)
    charge(ledger)
    for name in ("ledger", "ledger.head"):
        shutil.copy(tmp_path / name, tmp_path / f"{name}.copy")
    collector.store(ledger, charge(ledger))
    ledger.close()
    for name in ("ledger", "ledger.head"):
        shutil.copy(tmp_path / f"{name}.copy", tmp_path / name)
    return tmp_path / "ledger"


def test_a_copy_that_the_collector_knows_to_be_old_is_charged_nothing(put_back: Path, collector: Collector) -> None:
    ledger = opened(put_back, collector)
    before = put_back.read_bytes()
    with pytest.raises(LedgerError) as caught:
        charge(ledger)
    assert caught.value.reason is Reason.LEDGER_ROLLBACK
    assert "position 3" in caught.value.detail
    assert "ends at 2" in caught.value.detail
    assert put_back.read_bytes() == before
    ledger.close()


def test_a_copy_that_went_on_before_the_collector_was_heard_is_noticed_by_the_hash(
    put_back: Path, collector: Collector
) -> None:
    word, collector.word = collector.word, None
    ledger = opened(put_back, collector)
    ledger.charge("state", WINDOW, ledger.next_frame)
    collector.word = word
    with pytest.raises(LedgerError, match="another one here") as caught:
        charge(ledger)
    assert caught.value.reason is Reason.LEDGER_ROLLBACK
    ledger.close()


def test_a_person_may_begin_a_new_epoch_on_a_copy(put_back: Path, collector: Collector) -> None:
    ledger = opened(put_back, collector, new_epoch=True)
    assert charge(ledger) == 4
    ledger.close()


def test_the_ledger_alone_put_back_is_noticed_by_its_marks(put_back: Path, collector: Collector) -> None:
    ledger = opened(put_back, Collector())
    charge(ledger)
    ledger.close()
    shutil.copy(put_back.with_name("ledger.copy"), put_back)
    with pytest.raises(LedgerError) as caught:
        opened(put_back, collector)
    assert caught.value.reason is Reason.LEDGER_TAIL


def test_the_ledger_put_back_alone_and_gone_on_elsewhere_does_not_fit_its_marks(put_back: Path) -> None:
    """As many entries as the marks know, and other ones."""
    ledger = opened(put_back, Collector())
    charge(ledger)
    ledger.close()
    marks = put_back.with_name("ledger.head").read_bytes()
    for name in ("ledger", "ledger.head"):
        shutil.copy(put_back.with_name(f"{name}.copy"), put_back.with_name(name))
    ledger = opened(put_back, Collector())
    ledger.charge("state", WINDOW, ledger.next_frame)
    ledger.close()
    put_back.with_name("ledger.head").write_bytes(marks)
    with pytest.raises(LedgerError, match="do not fit") as caught:
        opened(put_back, Collector())
    assert caught.value.reason is Reason.LEDGER_TAIL


def test_what_the_collector_says_of_this_ledger_or_of_another_epoch_stops_nothing(
    tmp_path: Path, collector: Collector
) -> None:
    ledger = opened(tmp_path / "ledger", collector)
    collector.store(ledger, charge(ledger))
    charge(ledger)
    collector.word = Heard(bytes(16), 999, bytes(32))
    assert charge(ledger) == 4
    ledger.close()


# The relay in between


def acknowledgement(upto: int, digest: bytes) -> Acknowledgement:
    return Acknowledgement(device="cam", epoch=EPOCH, since=1, upto=upto, hash=digest, gaps=[])


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite")
    yield box
    box.close()


def test_the_word_of_another_history_frees_nothing_and_is_counted_and_passed_on(outbox: Outbox) -> None:
    for position in (1, 2):
        outbox.put(EPOCH, position, b"%d" % position, link=bytes([position] * 32))
    with pytest.raises(Fork):
        outbox.acknowledged(acknowledgement(2, bytes(32)))
    assert [row.position for row in outbox.waiting()] == [1, 2]
    assert outbox.counters()["forked"] == 1
    assert outbox.heard(EPOCH) == Heard(EPOCH, 2, bytes(32))
    assert outbox.acknowledged(acknowledgement(2, bytes([2] * 32)))
    assert outbox.waiting() == []


def test_a_word_of_what_was_freed_before_is_compared_too(outbox: Outbox) -> None:
    outbox.put(EPOCH, 1, b"one", link=bytes([1] * 32))
    outbox.acknowledged(acknowledgement(1, bytes([1] * 32)))
    with pytest.raises(Fork):
        outbox.acknowledged(acknowledgement(1, bytes([9] * 32)))


def test_the_farthest_word_is_kept_over_a_restart(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite")
    box.acknowledged(acknowledgement(7, bytes([7] * 32)))
    box.acknowledged(acknowledgement(3, bytes([3] * 32)))
    box.close()
    again = Outbox(tmp_path / "o.sqlite")
    assert again.heard(EPOCH) == Heard(EPOCH, 7, bytes([7] * 32))
    assert again.heard(bytes(16)) is None
    again.close()


def test_what_was_handed_over_counts_before_the_collector_has_said_anything(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite")
    for position, farthest in ((1, 1), (3, 3), (2, 3)):
        box.put(EPOCH, position, b"%d" % position, link=bytes([position] * 32))
        assert box.heard(EPOCH) == Heard(EPOCH, farthest, bytes([farthest] * 32))
    box.acknowledged(acknowledgement(2, bytes([2] * 32)))
    box.close()
    again = Outbox(tmp_path / "o.sqlite")
    assert again.heard(EPOCH) == Heard(EPOCH, 3, bytes([3] * 32))
    again.acknowledged(acknowledgement(3, bytes([3] * 32)))
    assert again.heard(EPOCH) == Heard(EPOCH, 3, bytes([3] * 32))
    again.close()


def test_the_word_of_another_history_is_passed_on_although_more_was_handed_over(outbox: Outbox) -> None:
    for position in (1, 2):
        outbox.put(EPOCH, position, b"%d" % position, link=bytes([position] * 32))
    with pytest.raises(Fork):
        outbox.acknowledged(acknowledgement(1, bytes([9] * 32)))
    assert outbox.heard(EPOCH) == Heard(EPOCH, 1, bytes([9] * 32))


def test_an_observation_from_before_hashes_were_kept_says_nothing(outbox: Outbox) -> None:
    outbox.put(EPOCH, 1, b"one")
    assert outbox.heard(EPOCH) is None


@given(st.one_of(st.none(), st.builds(Heard, st.binary(min_size=16, max_size=16), st.integers(1, 2**62), HASHES)))
def test_what_was_heard_crosses_the_socket_unchanged(heard: Heard | None) -> None:
    reply = Reply(Status.ACCEPTED, heard=heard)
    assert Reply.from_bytes(reply.to_bytes()) == reply


@pytest.mark.parametrize("tail", [b"x", bytes(55), bytes(57)])
def test_an_acceptance_of_another_length_is_no_reply(tail: bytes) -> None:
    with pytest.raises(ValueError, match="not a reply"):
        Reply.from_bytes(bytes([Status.ACCEPTED]) + tail)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """A relay's end of the socket that has heard of position 5, and what it was asked."""
    path, asked, end = tmp_path / "s", [], threading.Event()
    listener = Listener(path)

    def answer(data: bytes | None) -> Reply:
        asked.append(data or b"")
        return Reply(Status.ACCEPTED, heard=Heard(EPOCH, 5, bytes([5] * 32)))

    def serve() -> None:
        while not end.is_set():
            listener.serve(0.02, answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield path, asked
    end.set()
    thread.join()
    listener.close()


def test_capture_learns_how_far_the_collector_is_before_its_first_charge_and_with_each_observation(
    relay: tuple[Path, list[bytes]],
) -> None:
    path, asked = relay
    link = CaptureLink(path)
    history = CollectorHistory(link)
    assert history.words() == []
    history.ask(EPOCH)
    assert asked == [EPOCH]
    assert history.words() == [Heard(EPOCH, 5, bytes([5] * 32))]
    history.send(b"an envelope that is longer than a question")
    assert history.words() == []
    link.close()


def test_without_a_relay_capture_starts_and_knows_nothing(tmp_path: Path) -> None:
    history = CollectorHistory(CaptureLink(tmp_path / "nobody"))
    history.ask(EPOCH)
    assert history.words() == []
    with pytest.raises(RelayError):
        history.send(b"kept by whoever sends it")


class ScriptedLink:
    """A relay that is away until `answers` are given: one for each question or envelope."""

    def __init__(self) -> None:
        self.answers: list[Heard | None] = []
        self.took: list[bytes] = []

    def ask(self, epoch: bytes) -> Heard | None:
        return self.send(epoch)

    def send(self, envelope: bytes) -> Heard | None:
        if not self.answers:
            raise RelayError(Reason.RELAY, "away", "wait")
        self.took.append(envelope)
        return self.answers.pop(0)


def test_a_relay_that_comes_later_is_asked_before_anything_is_handed_over_and_every_word_is_kept() -> None:
    link = ScriptedLink()
    history = CollectorHistory(link)
    history.ask(EPOCH)
    link.answers = [Heard(EPOCH, 8, bytes([8] * 32)), Heard(EPOCH, 9, bytes([9] * 32)), None]
    history.send(b"first")
    history.send(b"second")
    assert link.took == [EPOCH, b"first", b"second"]
    assert history.words() == [Heard(EPOCH, 8, bytes([8] * 32)), Heard(EPOCH, 9, bytes([9] * 32))]
    assert history.words() == []


def test_a_relay_that_knows_nothing_is_asked_once() -> None:
    link = ScriptedLink()
    link.answers = [None] * 3
    history = CollectorHistory(link)
    history.ask(EPOCH)
    history.send(b"first")
    history.send(b"second")
    assert link.took == [EPOCH, b"first", b"second"]


def test_once_a_ledger_was_found_to_be_a_copy_it_charges_nothing_any_more(put_back: Path, collector: Collector) -> None:
    ledger = opened(put_back, collector)
    before = put_back.read_bytes()
    with pytest.raises(LedgerError):
        charge(ledger)
    collector.word = None
    with pytest.raises(LedgerError, match="closed"):
        charge(ledger)
    assert put_back.read_bytes() == before
