from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.faults import Fault, FaultKind, parse_fault, seeded
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.errors import QrngError, QrngReason
from drivers.qrng.microrng import BLOCK, CEILING_HZ, LINK_TEST, LONG_LINK_TEST, STEP_HZ, MicroRng


class Recorder:
    """A bus that notes every command and every clock on its way to the chip."""

    simulated = True

    def __init__(self, chip):
        self.chip = chip
        self.sent = []
        self.clocks = []
        self.open, self.close = chip.open, chip.close

    def set_speed(self, speed_hz):
        self.clocks.append(speed_hz)
        self.chip.set_speed(speed_hz)

    def each(self, tx):
        self.sent += [tx[at : at + 1] for at in range(len(tx))]
        return self.chip.each(tx)


def opened(*faults, seed=1):
    chip = EmulatedMicroRng(noise=seeded(seed), faults=tuple(parse_fault(fault) for fault in faults))
    driver = MicroRng(bus=chip, speed_hz=250_000)
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
    MicroRng(bus=bus, speed_hz=250_000).open()
    assert bus.sent == [b"t"] * 258 + [b"U"] * 2 + [b"s"] * 2 + [b"t"] * 2


def test_the_driver_returns_the_noise_of_the_chip_in_order_and_drops_the_pipeline_rest():
    _, driver = opened(seed=5)
    noise = seeded(5)(4096)
    assert driver.read(BLOCK) == noise[:BLOCK]
    assert driver.read(10) == noise[BLOCK + 1 : BLOCK + 11]


def test_status_and_counter_are_read_after_every_block_and_after_the_last_byte():
    bus = Recorder(EmulatedMicroRng())
    driver = MicroRng(bus=bus, speed_hz=250_000)
    driver.open()
    bus.sent.clear()
    driver.read(2 * BLOCK + 3)
    assert bus.sent.count(b"s") == bus.sent.count(b"t") == 6
    assert bus.sent[-4:] == [b"s", b"s", b"t", b"t"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong-chip", QrngReason.LINK),
        ("mode", QrngReason.LINK),
        ("speed=200000", QrngReason.LINK),
        ("bit-slip", QrngReason.LINK),
        ("short", QrngReason.SHORT),
        ("emsgsize", QrngReason.BUS),
        ("etimedout", QrngReason.BUS),
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
        ("mode@300", QrngReason.LINK),
        ("speed=100000@300", QrngReason.LINK),
        ("short@300", QrngReason.SHORT),
        ("emsgsize@300", QrngReason.BUS),
        ("etimedout@300", QrngReason.BUS),
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


@pytest.mark.parametrize(("limit", "chosen"), [(1_000_000, 750_000), (3_100_000, 2_250_000), (260_000, 250_000)])
def test_a_search_settles_three_quarters_below_the_fastest_clock_that_works(limit, chosen):
    bus = Recorder(EmulatedMicroRng(faults=(parse_fault(f"speed={limit}"),)))
    driver = MicroRng(bus=bus)
    assert driver.speed_hz is None
    driver.open()
    assert driver.speed_hz == chosen == bus.clocks[-1]
    assert bus.clocks[:-1] == list(range(STEP_HZ, limit // STEP_HZ * STEP_HZ + STEP_HZ + 1, STEP_HZ))
    assert len(driver.read(1000)) == 1000


def test_a_search_ends_at_its_ceiling_and_tests_what_it_settles_on_for_longer():
    bus = Recorder(EmulatedMicroRng())
    MicroRng(bus=bus).open()
    assert max(bus.clocks) == CEILING_HZ
    assert bus.clocks[-1] == CEILING_HZ * 3 // 4
    assert bus.sent[-(LONG_LINK_TEST + 6) :].count(b"t") >= LONG_LINK_TEST
    assert len(bus.sent) < (CEILING_HZ // STEP_HZ) * (LINK_TEST + 1) + LONG_LINK_TEST + 10


def test_a_clock_that_the_controller_does_not_take_ends_the_search_below_it():
    class Picky(EmulatedMicroRng):
        def set_speed(self, speed_hz):
            if speed_hz > 1_000_000:
                raise QrngError(QrngReason.WRONG_DEVICE, "no such clock", "Choose another.")
            super().set_speed(speed_hz)

    driver = MicroRng(bus=Picky())
    driver.open()
    assert driver.speed_hz == 750_000


def test_a_chip_that_fails_at_the_slowest_clock_says_why():
    for fault, reason in (("wrong-chip", QrngReason.LINK), ("unplug", QrngReason.UNPLUGGED)):
        with pytest.raises(QrngError) as caught:
            MicroRng(bus=EmulatedMicroRng(faults=(parse_fault(fault),))).open()
        assert caught.value.reason is reason


@given(st.binary(min_size=1, max_size=60), st.lists(st.integers(1, 60), max_size=20))
def test_a_row_is_answered_as_its_transfers_one_by_one(commands, sizes):
    tx = bytes(b"rstUD"[byte % 5] for byte in commands)
    alone, together = (EmulatedMicroRng(noise=seeded(4), faults=FAULTY) for _ in range(2))
    alone.open()
    together.open()
    single = b"".join(alone.transfer(tx[at : at + 1]) for at in range(len(tx)))
    rows, left = b"", tx
    for size in [*sizes, len(tx)]:
        rows, left = rows + together.each(left[:size]), left[size:]
    assert rows == single


FAULTY = tuple(map(parse_fault, ("stuck=7@3+4", "slip@9", "stuck-ff@12+2", "status=5@20+3", "dead@25")))


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


def test_a_byte_lost_or_doubled_among_the_samples_is_not_noticed_and_is_noise_all_the_same():
    """What moves within one row of transfers leaves the counter right: a sample is lost, none is invented twice over.

    A doubled byte repeats one sample, a dropped one adds the idle line's 0xff: one sample in the 256 of a block.
    """
    for fault in ("drop@300", "duplicate@300"):
        _, driver = opened(fault)
        samples = driver.read(1024)
        healthy = opened()[1].read(1024)
        assert sum(a != b for a, b in zip(samples, healthy, strict=True)) <= BLOCK


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
