import threading
from fractions import Fraction

from edge.pace import Pace


class Clock:
    """A monotonic clock that moves only while something waits."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class PassingEvent(threading.Event):
    """An event whose wait moves the clock instead of sleeping."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock

    def wait(self, timeout=None):
        self.clock.now += timeout
        return self.is_set()


def taken(pace, clock, stop, late):
    times = []
    for delay in late:
        assert pace.wait(stop)
        times.append(clock.now)
        clock.now += delay
    return times


def test_successive_frames_are_at_least_one_period_apart():
    clock = Clock()
    times = taken(Pace(Fraction(2), clock), clock, PassingEvent(clock), [0.1, 0.4, 0.0, 0.2])
    assert all(b - a >= 0.5 for a, b in zip(times, times[1:], strict=False))


def test_a_late_frame_is_not_made_up_for_by_an_early_one():
    clock = Clock()
    times = taken(Pace(Fraction(1), clock), clock, PassingEvent(clock), [3.7, 0.0, 0.0])
    assert times == [100.0, 103.7, 104.7]


def test_a_stop_ends_the_wait():
    stop = threading.Event()
    stop.set()
    assert not Pace(Fraction(1), Clock()).wait(stop)
