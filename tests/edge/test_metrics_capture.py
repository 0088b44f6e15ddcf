"""What the figures of capture are counted by: the ledger, and the pace of the frames."""

from fractions import Fraction

from edge.metrics.capture import CaptureFigures, capture_text
from edge.pace import Pace
from edge.privacy.ledger import Ledger, read_entries
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.terms import one_pair

SECOND = 10**9
WINDOW = Mechanism(LinearLut(255), 16, 3, 4, 10, 255 * 200)


def open_ledger(path, **more):
    return Ledger(
        path,
        device="ward-3",
        configuration=bytes(32),
        terms=one_pair(Fraction(1, 100), Fraction(1, 600)),
        clock=lambda: 1_760_000_000_000,
        **more,
    )


def test_windows_charged_are_those_in_the_file_and_go_on_over_a_restart(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = open_ledger(path)
    assert ledger.charges == {}
    for first in (0, 10):
        ledger.charge("hours", WINDOW, first)
    ledger.charge("day", WINDOW, 10)
    assert ledger.charges == {"hours": 2, "day": 1}
    ledger.close()
    again = open_ledger(path)
    assert again.charges == {"hours": 2, "day": 1}
    again.charge("hours", WINDOW, 20)
    assert again.charges["hours"] == sum(entry.get("level") == "hours" for entry in read_entries(path))
    again.close()


def test_a_new_epoch_counts_its_own_windows(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = open_ledger(path)
    ledger.charge("hours", WINDOW, 0)
    ledger.close()
    fresh = open_ledger(path, new_epoch=True)
    assert fresh.charges == {}
    fresh.charge("hours", WINDOW, fresh.next_frame)
    assert fresh.charges == {"hours": 1}
    fresh.close()


def test_who_is_told_the_charges_cannot_change_them(tmp_path):
    ledger = open_ledger(tmp_path / "ledger.jsonl")
    ledger.charges["hours"] += 5
    assert ledger.charges == {}
    ledger.close()


def test_a_frame_is_late_when_another_could_have_come_before_it():
    now = [0]
    pace = Pace(Fraction(1), lambda: now[0], resumed=False)
    for passed in (0, 1, 1.9, 2, 1, 60):
        now[0] += round(passed * SECOND)
        pace.taken()
    assert pace.late == 2


def test_charges_and_late_frames_are_among_the_figures():
    text = capture_text(CaptureFigures(software="s 1", frames=1, gaps=3, charged={"day": 2}))
    assert "speckled_frame_gaps_total 3\n" in text
    assert 'speckled_ledger_charges{level="day"} 2\n' in text
