"""Every fault of noise against the pool: nothing of a failing window comes out, and the reason is named."""

import pytest
from entropy_rig import WITHIN_TWO_TRIALS, WITHIN_TWO_WINDOWS, Plain, Rig
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulated.faults import Fault, FaultKind, Faults, parse_fault, seeded
from edge.entropy import State
from edge.entropy.health import WINDOW
from edge.entropy.source import BATCH
from edge.errors import EntropyUnavailable, Reason

AFTER = 5000


def rig_of(*faults, seed=1):
    made = Faults(seeded(seed), tuple(map(parse_fault, faults)))
    return Rig(Plain(made), made)


REPEATED = {Reason.ENTROPY_REPLAY, Reason.ENTROPY_PROPORTION}
CORRELATED = {Reason.ENTROPY_BITS, Reason.ENTROPY_PROPORTION}
"""Either, as chance has it: two tests see it, and the first of equally grave findings is named."""
FAULTS = [
    ("stuck", {Reason.ENTROPY_REPETITION}, WITHIN_TWO_WINDOWS),
    ("stuck=0x00", {Reason.ENTROPY_REPETITION}, WITHIN_TWO_WINDOWS),
    ("dead", {Reason.ENTROPY_REPETITION}, WITHIN_TWO_WINDOWS),
    ("repeat", REPEATED, WITHIN_TWO_TRIALS),
    ("repeat=300", REPEATED, WITHIN_TWO_TRIALS),
    ("bias=0.6", {Reason.ENTROPY_BITS}, WITHIN_TWO_TRIALS),
    ("correlated", CORRELATED, WITHIN_TWO_TRIALS),
    ("correlated=0.7", CORRELATED, WITHIN_TWO_TRIALS),
    ("lfsr", {Reason.ENTROPY_REPLAY}, 2**16 + WITHIN_TWO_TRIALS),
    ("stuck-00", {Reason.ENTROPY_REPETITION}, WITHIN_TWO_WINDOWS),
    ("unplug", {Reason.ENTROPY_DEVICE}, WITHIN_TWO_WINDOWS),
    ("eio", {Reason.ENTROPY_DEVICE}, WITHIN_TWO_WINDOWS),
    ("short", {Reason.ENTROPY_DEVICE}, WITHIN_TWO_WINDOWS),
]
"""Faults of the noise, which every device can have and only the tests see, and what errors and short reads become."""


@pytest.mark.parametrize(("fault", "reasons", "samples"), FAULTS)
def test_a_fault_is_found_in_time_named_latched_and_lets_nothing_of_its_window_out(fault, reasons, samples):
    rig = rig_of(f"{fault}@{AFTER}")
    error = rig.run(1000)
    assert error is not None
    assert error.reason in reasons
    assert error.remedy
    assert rig.samples_since(AFTER) <= samples
    assert rig.out
    rig.assert_failed(error.reason)


@pytest.mark.parametrize(("fault", "reasons", "samples"), FAULTS)
def test_in_a_long_call_a_fault_is_found_two_batches_later_at_most_and_the_call_gives_nothing(fault, reasons, samples):
    rig = rig_of(f"{fault}@{AFTER + 4096}")
    error = rig.run(1, 200_000)
    assert error is not None
    assert error.reason in reasons
    assert rig.samples_since(AFTER + 4096) <= samples + 2 * BATCH * WINDOW
    assert rig.out == b""
    rig.assert_failed(error.reason)


def test_every_fault_of_the_noise_is_in_the_table():
    wire = [kind for kind in FaultKind if Faults(seeded(1), (Fault(kind),)).draw(300) == seeded(1)(300)]
    noise = set(FaultKind) - set(wire) - {FaultKind.STARTUP_ONCE}  # which is over when the source starts again
    assert noise <= {parse_fault(fault).kind for fault, *_ in FAULTS}
    assert len(noise) == 6


@pytest.mark.parametrize("fault", [fault for fault, *_ in FAULTS if fault != "lfsr"])  # which looks good for a period
def test_a_source_that_is_broken_from_the_start_never_becomes_healthy(fault):
    rig = rig_of(fault)
    error = rig.run(1)
    assert error is not None
    assert rig.pool.state is not State.HEALTHY
    assert rig.out == b""


def test_a_source_that_repeats_itself_during_startup_only_is_started_twice():
    rig = rig_of("startup-once")
    assert rig.run(1) is None
    assert rig.pool.startups == 2


@pytest.mark.parametrize("bias", ["0.51", "0.49"])
def test_a_bias_of_one_percent_is_not_found(bias):
    """The blind spot: 0.97 bits of min-entropy are left in each bit, and 0.5 are credited."""
    assert rig_of(f"bias={bias}").run(100) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(4200, 9000), st.integers(10, 400), st.integers(0, 1000))
def test_no_byte_of_a_stuck_source_comes_out_wherever_in_a_window_it_begins(after, length, seed):
    rig = rig_of(f"stuck=0xa5@{after}+{length}", seed=seed)
    error = rig.run(100)
    assert error is not None or length < 10  # fewer than ten in a row are forgiven once
    assert b"\xa5" * 6 not in rig.out


def test_a_short_fault_costs_a_new_startup_and_nothing_else():
    rig = rig_of("stuck@5000+8")
    assert rig.run(40) is None
    assert rig.pool.state is State.HEALTHY
    states = [state for state, _ in rig.source.reads]
    again = states.index(State.STARTUP, 1)
    assert states.count(State.STARTUP) == 2
    assert not rig.leaked(rig.source.reads[again - 1][1])
    assert not rig.leaked(rig.source.reads[again][1])
    assert len(rig.out) == 40 * 400


def test_a_call_in_which_the_source_became_suspect_is_made_of_later_windows_only():
    rig = rig_of("stuck@6000+8")
    assert rig.run(1, 4000) is None
    states = [state for state, _ in rig.source.reads]
    assert states.count(State.STARTUP) == 2
    assert rig.out == rig.passed()
    assert not any(rig.leaked(read) for _, read in rig.source.reads[: states.index(State.STARTUP, 1) + 1])


@pytest.mark.parametrize(("seconds", "state"), [(3599, State.FAILED), (3600, State.HEALTHY)])
def test_a_second_short_fault_is_fatal_within_an_hour_and_not_later(seconds, state):
    rig = rig_of("stuck@5000+8")
    assert rig.run(20) is None
    rig.clock.now += seconds
    rig.faults.inject(parse_fault("stuck@600+8"))
    error = rig.run(20)
    assert rig.pool.state is state
    if error is not None:
        assert error.reason is Reason.ENTROPY_REPETITION
        assert "second time within an hour" in error.detail


def test_a_check_finds_a_source_that_died_between_two_takes():
    rig = rig_of()
    assert rig.run(1) is None
    rig.pool.check()
    rig.faults.inject(parse_fault("stuck"))
    with pytest.raises(EntropyUnavailable) as caught:
        rig.pool.check()
    assert caught.value.reason is Reason.ENTROPY_REPETITION


def test_an_error_never_quotes_a_sample():
    rig = rig_of("stuck=0xa5@5000")
    error = rig.run(100)
    assert "165" not in str(error)
    assert "a5" not in str(error)
