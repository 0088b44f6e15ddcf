from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.microrng import DEFAULT_VALUES, EmulatedMicroRng, Fault, FaultKind, parse_fault, seeded
from drivers.errors import QrngError, QrngReason
from drivers.qrng.microrng import BLOCK, MicroRng


class Recorder:
    """A bus that notes every command on its way to the chip."""

    simulated = True

    def __init__(self, chip):
        self.chip = chip
        self.sent = []

    def open(self):
        self.chip.open()

    def transfer(self, tx):
        self.sent.append(tx)
        return self.chip.transfer(tx)

    def close(self):
        self.chip.close()


def opened(*faults, seed=1):
    chip = EmulatedMicroRng(noise=seeded(seed), faults=tuple(parse_fault(fault) for fault in faults))
    driver = MicroRng(bus=chip)
    driver.open()
    return chip, driver


def test_the_chip_answers_a_command_one_transfer_later():
    chip = EmulatedMicroRng()
    chip.open()
    chip.transfer(b"t")
    first = chip.transfer(b"s")[0]
    assert chip.transfer(b"t") == b"\x00"
    assert chip.transfer(b"t")[0] == (first + 2) % 256


def test_a_sleeping_chip_says_so_and_opening_wakes_it():
    chip, driver = opened()
    chip.transfer(b"D")
    assert chip.transfer(b"D") == b"\xc8"
    driver.open()
    assert len(set(driver.read(256))) > 100


def test_opening_tests_the_link_over_every_value_of_the_counter_and_reads_the_status():
    bus = Recorder(EmulatedMicroRng())
    MicroRng(bus=bus).open()
    assert bus.sent == [b"t"] * 258 + [b"U"] * 2 + [b"s"] * 2 + [b"t"] * 2


def test_the_driver_returns_the_noise_of_the_chip_in_order_and_drops_the_pipeline_rest():
    _, driver = opened(seed=5)
    noise = seeded(5)(4096)
    assert driver.read(BLOCK) == noise[:BLOCK]
    assert driver.read(10) == noise[BLOCK + 1 : BLOCK + 11]


def test_status_and_counter_are_read_after_every_block_and_after_the_last_byte():
    bus = Recorder(EmulatedMicroRng())
    driver = MicroRng(bus=bus)
    driver.open()
    bus.sent.clear()
    driver.read(2 * BLOCK + 3)
    assert bus.sent.count(b"s") == bus.sent.count(b"t") == 6
    assert bus.sent[-4:] == [b"s", b"s", b"t", b"t"]
    assert all(len(command) == 1 for command in bus.sent)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong-chip", QrngReason.LINK),
        ("stuck-00", QrngReason.LINK),
        ("stuck-ff", QrngReason.LINK),
        ("echo", QrngReason.LINK),
        ("status", QrngReason.STATUS),
        ("eio", QrngReason.BUS),
        ("unplug", QrngReason.UNPLUGGED),
    ],
)
def test_a_chip_that_is_broken_from_the_start_does_not_open(fault, reason):
    with pytest.raises(QrngError) as caught:
        opened(fault)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong-chip@300", QrngReason.LINK),
        ("slip@300", QrngReason.LINK),
        ("status@300", QrngReason.STATUS),
        ("status=8@300", QrngReason.STATUS),
        ("stuck-00@300", QrngReason.LINK),
        ("stuck-ff@300", QrngReason.IMPLAUSIBLE),
        ("echo@300", QrngReason.STATUS),
        ("eio@300", QrngReason.BUS),
        ("unplug@300", QrngReason.UNPLUGGED),
    ],
)
def test_a_fault_in_the_middle_of_a_read_ends_it_within_a_block_and_closes_the_source(fault, reason):
    chip, driver = opened(fault)
    with pytest.raises(QrngError) as caught:
        driver.read(4096)
    assert caught.value.reason is reason
    assert chip.drawn <= 300 + BLOCK
    with pytest.raises(QrngError) as closed:
        driver.read(1)
    assert closed.value.reason is QrngReason.CLOSED


@pytest.mark.parametrize("fault", [Fault(FaultKind.STUCK_LOW), Fault(FaultKind.STUCK_HIGH), Fault(FaultKind.ECHO)])
def test_a_block_that_only_a_broken_wire_would_give_is_implausible(fault):
    chip, driver = opened()
    chip.inject(fault)
    with pytest.raises(QrngError) as caught:
        driver.read(BLOCK)
    assert caught.value.reason is QrngReason.IMPLAUSIBLE


def test_a_fault_that_has_passed_lets_the_source_open_again():
    chip, driver = opened("eio@10")
    with pytest.raises(QrngError):
        driver.read(64)
    driver.open()
    assert len(driver.read(64)) == 64
    assert chip.drawn > 64


def test_noise_faults_do_what_their_names_say():
    def bits(*faults):
        _, driver = opened(*faults)
        samples = driver.read(8192)
        return [sample >> (7 - position) & 1 for sample in samples for position in range(8)]

    assert set(opened("stuck=0x5a")[1].read(64)) == {0x5A}
    assert len(set(opened("dead@32")[1].read(128)[40:])) == 1
    repeated = opened("repeat=10")[1].read(200)
    assert repeated[:190] == repeated[10:]
    assert abs(sum(bits("bias=0.6")) / 65536 - 0.6) < 0.01
    correlated = bits("correlated")
    same = sum(a == b for a, b in pairwise(correlated))
    assert abs(same / 65535 - 0.9) < 0.01


def test_a_fault_with_a_length_ends():
    samples = opened("stuck=7@16+8")[1].read(64)
    assert samples[16:24] == bytes([7] * 8)
    assert len(set(samples[24:])) > 20


def test_the_same_seed_gives_the_same_samples_and_no_seed_gives_others():
    assert opened(seed=3)[1].read(99) == opened(seed=3)[1].read(99)
    assert MicroRng_without_seed() != MicroRng_without_seed()


def MicroRng_without_seed():
    driver = MicroRng(bus=EmulatedMicroRng())
    driver.open()
    return driver.read(99)


VALUES = {
    FaultKind.STATUS: st.integers(0, 255),
    FaultKind.STUCK: st.integers(0, 255),
    FaultKind.REPEAT: st.integers(1, 99999),
    FaultKind.BIAS: st.integers(0, 1000).map(lambda n: Fraction(n, 1000)),
    FaultKind.CORRELATED: st.integers(0, 1000).map(lambda n: Fraction(n, 1000)),
}


@st.composite
def faults(draw):
    kind = draw(st.sampled_from(FaultKind))
    value = draw(st.none() | VALUES[kind]) if kind in VALUES else None
    return Fault(kind, draw(st.integers(0, 10**6)), value if value is None else Fraction(value), draw(st.none()))


@given(faults(), st.none() | st.integers(1, 10**6))
def test_every_fault_can_be_written_as_text(fault, length):
    fault = Fault(fault.kind, fault.after, fault.value, length)
    value = "" if fault.value is None else f"={float(fault.value)}"
    text = f"{fault.kind}{value}@{fault.after}" + ("" if length is None else f"+{length}")
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["", "broken", "stuck=256", "bias=1.1", "eio=3", "repeat=0", "stuck@-1", "stuck=0xzz"])
def test_text_that_is_no_fault_is_refused_with_the_list_of_faults(text):
    with pytest.raises(ValueError, match="stuck-00, stuck-ff"):
        parse_fault(text)


def test_every_fault_with_a_value_has_a_default():
    assert set(VALUES) == set(DEFAULT_VALUES)
