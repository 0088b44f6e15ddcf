from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import LedgerError, Reason
from edge.privacy.ledger import Ledger
from edge.privacy.lut import LinearLut
from edge.privacy.mechanism import Mechanism
from edge.privacy.spacing import Spacing
from edge.privacy.terms import one_pair

SECOND = 10**9


class Clock:
    def __init__(self) -> None:
        self.now = 50 * SECOND

    def __call__(self) -> int:
        return self.now


def reason(caught: pytest.ExceptionInfo[LedgerError]) -> Reason:
    return caught.value.reason


def test_a_frame_that_is_asked_for_too_early_is_refused_before_the_camera_is_asked() -> None:
    clock = Clock()
    spacing = Spacing(Fraction(2), clock, resumed=False)
    with spacing.frame():
        clock.now += 3 * SECOND
    clock.now += SECOND // 2 - 1
    with pytest.raises(LedgerError) as caught, spacing.frame():
        pytest.fail("the camera was asked")
    assert reason(caught) is Reason.LEDGER_PACE
    clock.now += 1
    with spacing.frame():
        pass


def test_a_frame_that_failed_counts_as_taken() -> None:
    clock = Clock()
    spacing = Spacing(Fraction(1), clock, resumed=False)
    with suppress(TimeoutError), spacing.frame():
        clock.now += 1
        raise TimeoutError
    with pytest.raises(LedgerError), spacing.frame():
        pass


def test_after_a_restart_the_first_frame_waits_a_whole_period() -> None:
    clock = Clock()
    spacing = Spacing(Fraction(1, 600), clock, resumed=True)
    clock.now += 600 * SECOND - 1
    with pytest.raises(LedgerError), spacing.frame():
        pass
    clock.now += 1
    with spacing.frame():
        pass


PAUSES = st.lists(st.tuples(*[st.integers(0, 5 * SECOND)] * 3), min_size=2, max_size=30)


@given(pauses=PAUSES)
def test_however_the_process_is_paused_frames_are_exposed_a_period_apart(
    pauses: list[tuple[int, int, int]],
) -> None:
    """A program that never waits, and is stopped for a while before it asks, before and after the exposure."""
    clock = Clock()
    spacing = Spacing(Fraction(1), clock, resumed=False)
    exposed: list[int] = []
    for before, within, after in pauses:
        clock.now += before
        with suppress(LedgerError), spacing.frame():
            clock.now += within
            exposed.append(clock.now)
            clock.now += after
    assert all(later - earlier >= SECOND for earlier, later in pairwise(exposed))


def make_ledger(path: Path, monotonic: Clock, **changes: object) -> Ledger:
    settings: dict[str, object] = {
        "device": "ward-3",
        "configuration": bytes(32),
        "terms": one_pair(Fraction(1, 100), Fraction(1)),
        "clock": lambda: 1_760_000_000_000,
        "monotonic": monotonic,
    }
    return Ledger(path, **(settings | changes))  # type: ignore[arg-type]  # a test names any of them


WINDOW = Mechanism(LinearLut(255), 16, 3, 4, 2, 255 * 200)


def test_the_ledger_keeps_frames_apart_over_a_restart_and_counts_each_once(tmp_path: Path) -> None:
    clock = Clock()
    ledger = make_ledger(tmp_path / "ledger", clock)
    ledger.charge("map", WINDOW, 0)
    with ledger.frame(0):
        pass
    clock.now += SECOND
    with pytest.raises(LedgerError) as caught, ledger.frame(0):
        pass
    assert reason(caught) is Reason.LEDGER_OVERSPENT
    with pytest.raises(LedgerError) as caught:
        ledger.charge("state", WINDOW, 0)
    assert reason(caught) is Reason.LEDGER_OVERSPENT, "a window over a frame that was there before it"
    ledger.close()
    ledger = make_ledger(tmp_path / "ledger", clock)
    with pytest.raises(LedgerError) as caught, ledger.frame(ledger.next_frame):
        pass
    assert reason(caught) is Reason.LEDGER_PACE
    ledger.close()


def test_a_simulated_camera_may_be_hurried(tmp_path: Path) -> None:
    clock = Clock()
    ledger = make_ledger(tmp_path / "ledger", clock, speedup=10)
    for number in range(3):
        clock.now += SECOND // 10
        with ledger.frame(number):
            pass
    ledger.close()
