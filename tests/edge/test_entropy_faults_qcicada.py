"""Every fault of the library in a QCicada on a serial line, through the real pool."""

import io

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from entropy_rig import WITHIN_TWO_TRIALS, WITHIN_TWO_WINDOWS, Rig

from drivers.emulated.faults import FaultKind, parse_fault, seeded
from drivers.emulated.qcicada import EmulatedQCicada
from drivers.qrng.qcicada import BLOCK, QCicada
from drivers.qrng.qcicada_signature import pem
from edge.entropy import State
from edge.errors import EntropyUnavailable, Reason

AFTER = 8000
"""Beyond what is drawn at opening and for the start-up tests."""
WITHIN_A_BLOCK = BLOCK
WITHIN_A_READ = 4096
WITHIN_A_PERIOD = 65535 + WITHIN_TWO_TRIALS
DEVICE, REPETITION, REPLAY = Reason.ENTROPY_DEVICE, Reason.ENTROPY_REPETITION, Reason.ENTROPY_REPLAY
BITS = Reason.ENTROPY_BITS
EITHER = f"{BITS} {Reason.ENTROPY_PROPORTION}"
"""Strong correlation fails both tests at once, and which of them is named depends on the bytes."""

FOUND = [
    *((fault, DEVICE, WITHIN_A_BLOCK) for fault in ("eio", "emsgsize", "etimedout", "unplug")),
    *((fault, DEVICE, WITHIN_A_BLOCK) for fault in ("stuck-00", "stuck-ff", "echo", "bit-slip")),
    *((fault, DEVICE, WITHIN_A_BLOCK) for fault in ("drop", "duplicate", "short")),
    *((f"status={1 << bit}", DEVICE, WITHIN_A_BLOCK) for bit in range(8)),
    *((fault, DEVICE, WITHIN_A_BLOCK) for fault in ("wrong-chip", "not-ready", "slow-ready")),
    ("slip", DEVICE, WITHIN_A_READ),
    ("stuck", REPETITION, WITHIN_TWO_WINDOWS),
    ("dead", REPETITION, WITHIN_TWO_WINDOWS),
    ("repeat", REPLAY, WITHIN_TWO_TRIALS),
    ("repeat=300", REPLAY, WITHIN_TWO_TRIALS),
    ("startup-once", REPLAY, WITHIN_TWO_TRIALS),
    ("bias", BITS, WITHIN_TWO_TRIALS),
    ("correlated", EITHER, WITHIN_TWO_TRIALS),
    ("correlated=0.7", BITS, WITHIN_TWO_TRIALS),
    ("lfsr", REPLAY, WITHIN_A_PERIOD),
]
ONLY_AT_OPENING = {"mode"}
WITHOUT_MEANING = {"speed"}
NOT_FROM_THE_START = {"drop", "duplicate", "short", "slip", "slow-ready", "startup-once", "lfsr"}
"""What synchronising or waiting gets over, what happened before anybody looked, or is too long to show at once."""


class Time:
    now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def rig_of(*faults, **options):
    time = Time()
    noise = io.BytesIO(seeded(1)(900_000)).read  # the same bytes however many are drawn at a time
    chip = EmulatedQCicada(noise=noise, faults=tuple(map(parse_fault, faults)))
    return Rig(QCicada(port=chip, clock=time, sleep=time.sleep, **options), chip)


def take_for_long(rig):
    for _ in range(1000):
        rig.take(400)


@pytest.mark.parametrize(("fault", "reason", "samples"), FOUND)
def test_a_fault_of_a_qcicada_is_found_in_time_named_latched_and_nothing_of_its_window_comes_out(
    fault, reason, samples
):
    rig = rig_of(f"{fault}@{AFTER}")
    error = rig.run(1000)
    assert error is not None
    assert error.reason.value in reason
    assert error.remedy
    assert rig.samples_since(AFTER) <= samples
    assert len(rig.out) >= 100
    rig.assert_failed(error.reason)


def test_every_kind_of_fault_has_its_place_in_the_table_of_the_qcicada():
    found = {parse_fault(fault).kind for fault, *_ in FOUND}
    others = {FaultKind(kind) for kind in ONLY_AT_OPENING | WITHOUT_MEANING}
    assert found | others == set(FaultKind)
    assert found.isdisjoint(others)


@pytest.mark.parametrize("fault", sorted(ONLY_AT_OPENING | WITHOUT_MEANING))
def test_a_fault_that_has_no_meaning_while_a_qcicada_is_read_changes_no_sample(fault):
    healthy, faulty = rig_of(), rig_of(f"{fault}@{AFTER}")
    assert healthy.run(30) is None
    assert faulty.run(30) is None
    assert healthy.out == faulty.out


@pytest.mark.parametrize(
    "fault", [fault for fault, *_ in FOUND if fault not in NOT_FROM_THE_START] + sorted(ONLY_AT_OPENING)
)
def test_a_qcicada_that_is_broken_from_the_start_never_becomes_healthy(fault):
    rig = rig_of(fault)
    assert rig.run(1) is not None
    assert rig.pool.state is not State.HEALTHY
    assert rig.out == b""


@pytest.mark.parametrize("fault", ["drop", "duplicate", "short", "slow-ready"])
def test_what_synchronising_and_waiting_get_over_changes_no_sample(fault):
    healthy, faulty = rig_of(), rig_of(fault)
    assert healthy.run(10) is None
    assert faulty.run(10) is None
    assert healthy.out == faulty.out


def test_startup_tests_of_a_qcicada_that_fail_once_are_made_again_and_pass():
    rig = rig_of("startup-once@2000")
    assert rig.run(1) is None
    assert rig.pool.state is State.HEALTHY
    assert rig.faults.drawn > 2 * 4096


def test_a_bias_of_one_percent_of_a_qcicada_is_not_found():
    """The blind spot of all health tests: the credit is far below what such bytes still hold."""
    assert rig_of("bias=0.51").run(20) is None


def test_a_forged_signature_latches_the_pool_and_nothing_of_its_block_comes_out(tmp_path):
    path = tmp_path / "key.pem"
    rig = rig_of(public_key=str(path))
    path.write_text(pem(rig.faults.public_key))
    assert rig.run(5) is None
    before = rig.faults.drawn
    rig.faults.key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(EntropyUnavailable, match="signature") as caught:
        take_for_long(rig)
    assert caught.value.reason is DEVICE
    assert rig.samples_since(before) <= WITHIN_A_BLOCK
    rig.assert_failed(DEVICE)
