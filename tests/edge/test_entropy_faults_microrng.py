"""Every fault of the library in a MicroRNG on its bus, through the real pool; its page has the same table."""

import re
from pathlib import Path

import pytest
from entropy_rig import WITHIN_TWO_TRIALS, Rig

from drivers.emulated.faults import FaultKind, parse_fault, seeded
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.qrng.microrng import BLOCK, MicroRng
from edge.entropy import EntropyPool, State
from edge.errors import EntropyUnavailable, Reason

AFTER = 5000
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "devices" / "microrng.md"
DRIVER, REPETITION = {Reason.ENTROPY_DEVICE}, {Reason.ENTROPY_REPETITION}
REPLAY, BITS = {Reason.ENTROPY_REPLAY}, {Reason.ENTROPY_BITS}
EITHER = BITS | {Reason.ENTROPY_PROPORTION}
WITHIN_A_BLOCK = BLOCK + 1
FOUND = [
    *((fault, DRIVER, WITHIN_A_BLOCK) for fault in ("stuck-00", "stuck-ff", "echo", "bit-slip", "short")),
    *((fault, DRIVER, WITHIN_A_BLOCK) for fault in ("eio", "emsgsize", "etimedout", "unplug")),
    *((fault, DRIVER, WITHIN_A_BLOCK) for fault in ("status", "wrong-chip", "slip", "mode", "speed=100000")),
    ("stuck", REPETITION, 1024),
    ("dead", REPETITION, 1024),
    ("repeat", REPLAY, WITHIN_TWO_TRIALS),
    ("startup-once", REPLAY, WITHIN_TWO_TRIALS),
    ("bias", BITS, WITHIN_TWO_TRIALS),
    ("correlated", EITHER, WITHIN_TWO_TRIALS),
    ("lfsr", REPLAY, 65535 + WITHIN_TWO_TRIALS),
]
UNSEEN = {"drop", "duplicate"}
WITHOUT_MEANING = {"not-ready", "slow-ready"}


def rig_of(*faults, seed=1):
    chip = EmulatedMicroRng(noise=seeded(seed), faults=tuple(map(parse_fault, faults)))
    return Rig(MicroRng(bus=chip, speed_hz=250_000), chip)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("fault", "reasons", "samples"), FOUND)
def test_a_fault_of_a_microrng_is_found_in_time_named_latched_and_nothing_of_its_window_comes_out(
    fault, reasons, samples, seed
):
    rig = rig_of(f"{fault}@{AFTER}", seed=seed)
    error = rig.run(1000)
    assert error is not None
    assert error.reason in reasons
    assert error.remedy
    assert rig.samples_since(AFTER) <= samples
    assert rig.out
    rig.assert_failed(error.reason)


def test_every_kind_of_fault_has_its_place_in_the_table_of_the_microrng():
    found = {parse_fault(fault).kind for fault, *_ in FOUND}
    others = {FaultKind(kind) for kind in UNSEEN | WITHOUT_MEANING}
    assert found | others == set(FaultKind)
    assert found.isdisjoint(others)


@pytest.mark.parametrize("fault", sorted(UNSEEN | WITHOUT_MEANING))
def test_a_byte_lost_or_doubled_on_the_wire_is_not_found_and_changes_no_state(fault):
    rig = rig_of(f"{fault}@{AFTER}")
    assert rig.run(40) is None
    assert rig.pool.state is State.HEALTHY


def test_a_microrng_whose_startup_tests_fail_once_becomes_healthy():
    rig = rig_of("startup-once@300")
    assert rig.run(1) is None
    assert rig.pool.startups == 2


def test_the_document_says_of_every_fault_what_the_tests_show():
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([0-9]+)[^|]* \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    said = {fault.strip(): int(samples) for faults, samples in rows for fault in faults.split(",")}
    assert said == {fault.split("=")[0]: samples for fault, _, samples in FOUND}


def test_a_pool_over_a_chip_whose_clock_is_searched_for_gives_bytes():
    chip = EmulatedMicroRng(faults=(parse_fault("speed=1100000"),))
    source = MicroRng(bus=chip)
    pool = EntropyPool(source, clock=lambda: 0.0)
    pool.start()
    assert len(pool.take(5000)) == 5000
    assert source.speed_hz == 750_000
    chip.inject(parse_fault("unplug"))
    with pytest.raises(EntropyUnavailable):
        pool.take(5000)
