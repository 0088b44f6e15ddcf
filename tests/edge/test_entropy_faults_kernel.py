"""Every fault of the library in the devices behind I2C, a TPM node and a character device, through the real pool."""

import io

import pytest
from entropy_rig import WITHIN_TWO_TRIALS, WITHIN_TWO_WINDOWS, Rig

from drivers.emulated.character import EmulatedCharacter
from drivers.emulated.faults import FaultKind, parse_fault, seeded
from drivers.emulated.idq250 import EmulatedIdq250
from drivers.emulated.tpm import EmulatedTpm
from drivers.qrng.character import CharacterDevice
from drivers.qrng.idq250 import Idq250
from drivers.qrng.tpm import Tpm
from edge.entropy import EntropyPool, State
from edge.errors import EntropyUnavailable, Reason

AFTER = 5000
WITHIN_A_PACKET = 16
WITHIN_TWO_PACKETS = 32
WITHIN_THREE_PACKETS = 48
WITHIN_AN_ANSWER = 32
WITHIN_THREE_ANSWERS = 96
WITHIN_TWO_BLOCKS = 512
WITHIN_A_PERIOD = 65535 + WITHIN_TWO_TRIALS
DEVICE, REPETITION, REPLAY = Reason.ENTROPY_DEVICE, Reason.ENTROPY_REPETITION, Reason.ENTROPY_REPLAY
BITS = Reason.ENTROPY_BITS
EITHER = f"{BITS} {Reason.ENTROPY_PROPORTION}"
"""Strong correlation fails both tests at once, and which of them is named depends on the bytes; so does repetition."""

OF_A_CALL = ["eio", "emsgsize", "etimedout", "unplug"]
OF_A_LINE = ["stuck-00", "stuck-ff", "echo", "bit-slip", "drop", "duplicate", "short"]
ALIKE = [
    ("repeat", f"{REPLAY} {Reason.ENTROPY_PROPORTION}", WITHIN_TWO_TRIALS),
    ("repeat=300", REPLAY, WITHIN_TWO_TRIALS),
    ("startup-once", REPLAY, WITHIN_TWO_TRIALS),
    ("bias", BITS, WITHIN_TWO_TRIALS),
    ("correlated", EITHER, WITHIN_TWO_TRIALS),
    ("correlated=0.7", BITS, WITHIN_TWO_TRIALS),
    ("lfsr", REPLAY, WITHIN_A_PERIOD),
]
FOUND = {
    "idq250": [
        *((fault, DEVICE, WITHIN_A_PACKET) for fault in OF_A_CALL + OF_A_LINE),
        *((fault, DEVICE, WITHIN_TWO_PACKETS) for fault in ("status", "wrong-chip", "not-ready")),
        *((fault, DEVICE, WITHIN_THREE_PACKETS) for fault in ("stuck", "dead", "repeat=16")),
        *ALIKE,
    ],
    "tpm": [
        *((fault, DEVICE, WITHIN_AN_ANSWER) for fault in OF_A_CALL + OF_A_LINE),
        *((fault, DEVICE, WITHIN_AN_ANSWER) for fault in ("status", "wrong-chip", "not-ready")),
        *((fault, DEVICE, WITHIN_THREE_ANSWERS) for fault in ("stuck", "dead", "repeat=32")),
        *ALIKE,
    ],
    "character": [
        *((fault, DEVICE, WITHIN_TWO_BLOCKS) for fault in [*OF_A_CALL, "echo"]),
        *((fault, f"{DEVICE} {REPETITION}", WITHIN_TWO_BLOCKS) for fault in ("stuck-00", "stuck-ff")),
        *((fault, DEVICE, WITHIN_TWO_BLOCKS) for fault in ("status", "wrong-chip", "not-ready")),
        *((fault, REPETITION, WITHIN_TWO_WINDOWS) for fault in ("stuck", "dead")),
        *ALIKE,
    ],
}
WITHOUT_MEANING = {"slip", "mode", "speed"}
UNSEEN = {"idq250": set(), "tpm": set(), "character": {"bit-slip", "drop", "duplicate", "short"}}
NOT_FROM_THE_START = {
    "idq250": {"duplicate", "startup-once", "lfsr"},
    "tpm": {"startup-once", "lfsr"},
    "character": {"startup-once", "lfsr", "status"},
}
"""What is over at once, or too long to show at once; and the other source, which is a fault only where it was not."""


class Time:
    now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def source_of(device, *faults):
    noise = io.BytesIO(seeded(1)(900_000)).read  # the same bytes however many are drawn at a time
    time, options = Time(), {"noise": noise, "faults": tuple(map(parse_fault, faults))}
    match device:
        case "idq250":
            chip = EmulatedIdq250(**options)
            return Idq250(bus=chip, clock=time, sleep=time.sleep), chip
        case "tpm":
            chip = EmulatedTpm(**options)
            return Tpm(channel=chip, clock=time, sleep=time.sleep), chip
    chip = EmulatedCharacter(**options)
    return CharacterDevice(channel=chip, clock=time, sleep=time.sleep), chip


def rig_of(device, *faults):
    return Rig(*source_of(device, *faults))


@pytest.mark.parametrize(
    ("device", "fault", "reason", "samples"), [(device, *row) for device, rows in FOUND.items() for row in rows]
)
def test_a_fault_of_a_kernel_device_is_found_in_time_named_latched_and_nothing_of_its_window_comes_out(
    device, fault, reason, samples
):
    rig = rig_of(device, f"{fault}@{AFTER}")
    error = rig.run(1000)
    assert error is not None
    assert error.reason.value in reason
    assert error.remedy
    assert rig.samples_since(AFTER) <= samples
    assert len(rig.out) >= 100
    rig.assert_failed(error.reason)


@pytest.mark.parametrize("device", FOUND)
def test_every_kind_of_fault_has_its_place_in_the_table_of_every_kernel_device(device):
    found = {parse_fault(fault).kind for fault, *_ in FOUND[device]}
    others = {"slow-ready"} | WITHOUT_MEANING | UNSEEN[device]
    assert found | {FaultKind(kind) for kind in others} == set(FaultKind)
    assert found.isdisjoint(others)


@pytest.mark.parametrize("device", FOUND)
@pytest.mark.parametrize("fault", sorted(WITHOUT_MEANING | {"slow-ready"}))
def test_a_fault_that_a_kernel_device_does_not_have_or_is_waited_for_changes_no_sample(device, fault):
    healthy, faulty = rig_of(device), rig_of(device, f"{fault}@{AFTER}")
    assert healthy.run(30) is None
    assert faulty.run(30) is None
    assert healthy.out == faulty.out


@pytest.mark.parametrize("fault", sorted(UNSEEN["character"]))
def test_a_shift_or_a_loss_in_a_stream_without_frames_is_not_found_and_repeats_two_samples_at_most(fault):
    """The blind spot: what arrives is the same noise, later; no bit of it is used twice but those of a doubled byte."""
    rig = rig_of("character", f"{fault}@{AFTER}")
    assert rig.run(60) is None
    assert rig.pool.state is State.HEALTHY


@pytest.mark.parametrize("device", FOUND)
def test_a_kernel_device_that_is_broken_from_the_start_never_becomes_healthy(device):
    for fault, *_ in FOUND[device]:
        if fault in NOT_FROM_THE_START[device]:
            continue
        rig = rig_of(device, fault)
        assert rig.run(1) is not None, fault
        assert rig.pool.state is not State.HEALTHY
        assert rig.out == b""


@pytest.mark.parametrize("device", FOUND)
def test_startup_tests_of_a_kernel_device_that_fail_once_are_made_again_and_pass(device):
    rig = rig_of(device, "startup-once@200")
    assert rig.run(1) is None
    assert rig.pool.state is State.HEALTHY
    assert rig.faults.drawn > 2 * 4096


@pytest.mark.parametrize("device", FOUND)
def test_a_bias_of_one_percent_of_a_kernel_device_is_not_found(device):
    """The blind spot of all health tests: the credit is far below what such bytes still hold."""
    assert rig_of(device, "bias=0.51").run(20) is None


@pytest.mark.parametrize("broken", ["tpm", "character"])
def test_a_partner_behind_the_kernel_stops_the_pool_that_it_is_in_and_is_named(broken):
    chip, _ = source_of("idq250")
    sources = {device: source_of(device) for device in ("tpm", "character")}
    partners = tuple(source for source, _ in sources.values())
    pool = EntropyPool(chip, clock=Time(), partners=partners)
    pool.start()
    assert len(pool.take(1000)) == 1000
    sources[broken][1].inject(parse_fault("unplug"))
    with pytest.raises(EntropyUnavailable) as caught:
        pool.take(1000)
    assert caught.value.reason is DEVICE
    assert broken in caught.value.detail
    assert pool.state is State.FAILED
    pool.stop()
