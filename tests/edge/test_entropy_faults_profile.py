"""Every fault of the library in a chip that a profile drives, behind the real pool (docs/devices/profile.md)."""

import io

import pytest
from entropy_rig import WITHIN_TWO_TRIALS, WITHIN_TWO_WINDOWS, Rig

from drivers.emulated.faults import FaultKind, parse_fault, seeded
from drivers.emulated.profile import EmulatedChip
from drivers.qrng.profile import SHIPPED, ProfiledChip, load_profile
from edge.entropy import State
from edge.errors import Reason

AFTER = 5000
PROFILES = {name: load_profile(SHIPPED / f"{name}.toml") for name in ("microrng", "idq-packet", "rdrng")}
WITHIN_A_BLOCK = 257
"""Samples to the next look of the driver at the chip: a block of 256, and one that a late answer drops."""
WITHIN_A_PACKET = 16
WITHIN_THREE_PACKETS = 48
"""The rest of one packet, and two that are equal."""
WITHIN_A_PERIOD = 65535 + WITHIN_TWO_TRIALS
DROPPED = 40
DEVICE, REPETITION, REPLAY = Reason.ENTROPY_DEVICE, Reason.ENTROPY_REPETITION, Reason.ENTROPY_REPLAY
BITS = Reason.ENTROPY_BITS
EITHER = f"{BITS} {Reason.ENTROPY_PROPORTION}"
"""Strong correlation fails both tests at once, and which of them is named depends on the bytes."""

OF_THE_WIRE = [kind.value for kind in FaultKind][: list(FaultKind).index(FaultKind.STATUS)]
OF_LOST_BYTES = ["drop", "duplicate"]
ALIKE = [
    ("repeat", REPLAY, WITHIN_TWO_TRIALS),
    ("repeat=300", REPLAY, WITHIN_TWO_TRIALS),
    ("startup-once", REPLAY, WITHIN_TWO_TRIALS),
    ("bias", BITS, WITHIN_TWO_TRIALS),
    ("correlated", EITHER, WITHIN_TWO_TRIALS),
    ("correlated=0.7", BITS, WITHIN_TWO_TRIALS),
    ("lfsr", REPLAY, WITHIN_A_PERIOD),
]
FOUND = {
    "microrng": [
        *((fault, DEVICE, WITHIN_A_BLOCK) for fault in OF_THE_WIRE),
        *((fault, DEVICE, WITHIN_A_BLOCK) for fault in ("status", "wrong-chip", "slip", "mode", "speed=100000")),
        *((fault, REPETITION, WITHIN_TWO_WINDOWS) for fault in ("stuck", "dead")),
        *ALIKE,
    ],
    "idq-packet": [
        *((fault, DEVICE, WITHIN_A_PACKET) for fault in OF_THE_WIRE),
        *((fault, DEVICE, WITHIN_A_PACKET) for fault in ("status", "wrong-chip", "not-ready", "mode", "speed")),
        *((fault, DEVICE, WITHIN_THREE_PACKETS) for fault in ("stuck", "dead")),
        *ALIKE,
    ],
    "rdrng": [
        *((fault, DEVICE, WITHIN_A_BLOCK) for fault in OF_THE_WIRE if fault not in OF_LOST_BYTES),
        *((fault, DEVICE, WITHIN_A_BLOCK) for fault in ("wrong-chip", "mode", "speed=50000")),
        *((fault, REPETITION, WITHIN_TWO_WINDOWS) for fault in ("stuck", "dead")),
        *ALIKE,
    ],
}
WITHOUT_MEANING = {
    "microrng": {"not-ready", "slow-ready"},
    "idq-packet": {"slip"},
    "rdrng": {"status", "slip", "not-ready", "slow-ready"},
}
WAITED_FOR = {"microrng": set(), "idq-packet": {"slow-ready"}, "rdrng": set()}
UNSEEN = {"microrng": set(), "idq-packet": set(), "rdrng": set(OF_LOST_BYTES)}


class Time:
    now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def rig_of(name, *faults):
    time, profile = Time(), PROFILES[name]
    noise = io.BytesIO(seeded(1)(300_000)).read  # the same bytes however many are drawn at a time
    chip = EmulatedChip(profile, noise=noise, faults=tuple(map(parse_fault, faults)))
    return Rig(ProfiledChip(profile, bus=chip, clock=time, sleep=time.sleep), chip)


@pytest.mark.parametrize(
    ("name", "fault", "reason", "samples"), [(name, *row) for name, rows in FOUND.items() for row in rows]
)
def test_a_fault_of_a_profiled_chip_is_found_in_time_named_latched_and_nothing_of_its_window_comes_out(
    name, fault, reason, samples
):
    rig = rig_of(name, f"{fault}@{AFTER}")
    error = rig.run(1000)
    assert error is not None
    assert error.reason.value in reason
    assert error.remedy
    assert rig.samples_since(AFTER) <= samples + DROPPED * (samples > WITHIN_A_BLOCK)
    assert len(rig.out) >= 100
    rig.assert_failed(error.reason)


@pytest.mark.parametrize("name", PROFILES)
def test_every_kind_of_fault_has_its_place_in_the_tables_of_every_profile(name):
    found = {parse_fault(fault).kind for fault, *_ in FOUND[name]}
    others = WITHOUT_MEANING[name] | WAITED_FOR[name] | UNSEEN[name]
    assert found | {FaultKind(kind) for kind in others} == set(FaultKind)
    assert found.isdisjoint(others)


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name, faults in WITHOUT_MEANING.items() for fault in sorted(faults)]
)
def test_a_fault_of_something_that_a_chip_does_not_have_changes_nothing(name, fault):
    healthy, faulty = rig_of(name), rig_of(name, f"{fault}@{AFTER}")
    assert healthy.run(30) is None
    assert faulty.run(30) is None
    assert healthy.out == faulty.out


def test_a_chip_that_is_slow_once_is_waited_for_and_its_old_packets_are_not_used():
    healthy, slow = rig_of("idq-packet"), rig_of("idq-packet", f"slow-ready=7@{AFTER}")
    assert healthy.run(30) is None
    assert slow.run(30) is None
    assert healthy.out == slow.out


@pytest.mark.parametrize("fault", OF_LOST_BYTES)
def test_a_byte_lost_in_a_chip_without_header_status_and_counter_is_not_found_and_spoils_two_samples_at_most(fault):
    """The blind spot of a profile that has nothing to check a burst by: a fill byte or a repeated one is used."""
    healthy, faulty = rig_of("rdrng"), rig_of("rdrng", f"{fault}@{AFTER}")
    assert healthy.run(30) is None
    assert faulty.run(30) is None
    assert 1 <= sum(a != b for a, b in zip(healthy.out, faulty.out, strict=True)) <= 2


@pytest.mark.parametrize("name", PROFILES)
def test_a_profiled_chip_that_is_broken_from_the_start_never_becomes_healthy(name):
    over_at_once = {"slip", "duplicate", "startup-once", "lfsr"}
    for fault, *_ in FOUND[name]:
        if fault in over_at_once:
            continue
        rig = rig_of(name, fault)
        assert rig.run(1) is not None, fault
        assert rig.pool.state is not State.HEALTHY
        assert rig.out == b""


@pytest.mark.parametrize("name", PROFILES)
def test_startup_tests_that_fail_once_are_made_again_and_pass(name):
    rig = rig_of(name, "startup-once")
    assert rig.run(1) is None
    assert rig.pool.state is State.HEALTHY
    assert rig.faults.drawn > 2 * 4096
