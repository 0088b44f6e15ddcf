"""Any order of calls, faults and hours: only a healthy pool emits, and what failed stays failed."""

from entropy_rig import Plain, Rig
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.emulated.faults import Faults, parse_fault, seeded
from edge.entropy import State
from edge.errors import EntropyUnavailable, Reason

FAULTS = [
    "stuck@{}",
    "stuck@{}+7",
    "stuck@{}+30",
    "bias=0.7@{}",
    "bias=0.5@{}+600",
    "repeat@{}+300",
    "eio@{}",
    "unplug@{}",
]


class PoolInUse(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.faults = Faults(seeded(5))
        self.rig = Rig(Plain(self.faults), self.faults)
        self.failure = None

    def attempt(self, act, *, needs_start=True):
        before, error = self.rig.pool.state, None
        try:
            act()
        except EntropyUnavailable as raised:
            error = raised
        if error is None:
            assert self.rig.pool.state is State.HEALTHY
            assert before is State.HEALTHY or not needs_start
        elif before is State.FAILED:
            assert error.reason is Reason.ENTROPY_LATCHED
            assert self.failure.value in error.detail
        elif before is State.ABSENT and needs_start:
            assert error.reason is Reason.ENTROPY_NOT_STARTED
        else:
            assert self.rig.pool.state is State.FAILED
            self.failure = error.reason

    @rule()
    def start(self):
        self.attempt(self.rig.pool.start, needs_start=False)

    @rule(size=st.sampled_from([0, 1, 64, 400, 3000]))
    def take(self, size):
        held = len(self.rig.out)
        try:
            self.attempt(lambda: self.rig.take(size))
        finally:
            assert len(self.rig.out) in (held, held + size)

    @rule()
    def check(self):
        self.attempt(self.rig.pool.check)

    @rule()
    def retest(self):
        self.attempt(self.rig.pool.retest)

    @rule()
    def stop(self):
        failed = self.rig.pool.state is State.FAILED
        self.rig.pool.stop()
        assert self.rig.pool.state is (State.FAILED if failed else State.ABSENT)

    @precondition(lambda self: self.failure is None)
    @rule(fault=st.sampled_from(FAULTS), after=st.integers(0, 6000))
    def break_something(self, fault, after):
        self.faults.inject(parse_fault(fault.format(after)))

    @rule(hours=st.sampled_from([0.1, 2, 30]))
    def let_time_pass(self, hours):
        self.rig.clock.now += hours * 3600

    @invariant()
    def only_samples_that_passed_came_out(self):
        assert self.rig.out == self.rig.passed()
        assert b"\xa5" * 6 not in self.rig.out

    @invariant()
    def a_failure_is_for_ever_and_keeps_its_name(self):
        assert (self.rig.pool.state is State.FAILED) is (self.failure is not None)
        assert self.rig.pool.reason is self.failure

    @invariant()
    def no_sample_is_left_in_memory(self):
        assert not any(any(samples) for samples in self.rig.source.handed)


PoolInUse.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)


class TestPoolInUse(PoolInUse.TestCase):
    pass
