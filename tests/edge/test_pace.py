import threading
from fractions import Fraction

from edge.pace import Pace

SECOND = 10**9


class Clock:
    """A monotonic clock that moves only while something waits."""

    def __init__(self):
        self.now = 100 * SECOND

    def __call__(self):
        return self.now


class PassingEvent(threading.Event):
    """An event whose wait moves the clock instead of sleeping."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def wait(self, timeout=None):
        self.clock.now += round(timeout * SECOND)
        return self.is_set()


def arrivals(pace, clock, stop, delays):
    """When the camera was asked for each frame, and when it came."""
    asked, came = [], []
    for delay in delays:
        assert pace.wait(stop)
        asked.append(clock.now)
        clock.now += round(delay * SECOND)
        pace.taken()
        came.append(clock.now)
    return asked, came


def test_a_frame_is_asked_for_no_sooner_than_a_period_after_the_one_before_has_come():
    clock = Clock()
    asked, came = arrivals(Pace(Fraction(2), clock, resumed=False), clock, PassingEvent(clock), [0.1, 0.4, 3.0, 0.0])
    assert asked[0] == 100 * SECOND
    assert all(after - before >= SECOND // 2 for before, after in zip(came, asked[1:], strict=False))


def test_a_late_frame_is_not_made_up_for_by_an_early_one():
    clock = Clock()
    asked, _ = arrivals(Pace(Fraction(1), clock, resumed=False), clock, PassingEvent(clock), [3.5, 0.0, 0.0])
    assert asked == [100 * SECOND, 104_500_000_000, 105_500_000_000]


def test_after_a_restart_a_whole_period_passes_before_the_first_frame():
    clock = Clock()
    asked, _ = arrivals(Pace(Fraction(1, 600), clock, resumed=True), clock, PassingEvent(clock), [0.0])
    assert asked == [700 * SECOND]


def test_a_stop_ends_the_wait():
    stop = threading.Event()
    stop.set()
    assert not Pace(Fraction(1), Clock(), resumed=True).wait(stop)
