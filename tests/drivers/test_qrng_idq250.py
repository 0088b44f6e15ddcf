import pytest

from drivers.emulated.faults import FaultKind, parse_fault, seeded
from drivers.emulated.idq250 import EmulatedIdq250
from drivers.errors import QrngError, QrngReason
from drivers.qrng.idq250 import CREDIT, LINK_TEST, Idq250

AT_OPEN = 16 * LINK_TEST


class Time:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)


class Answers:
    """A bus that gives the answers of a list, and notes what was asked."""

    simulated = True

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def open(self):
        pass

    def close(self):
        pass

    def read(self, register, count):
        self.asked.append((register, count))
        return bytearray(self.answers.pop(0))


def packet(number, *, header=0xA2, health=0):
    return bytes((header, health)) + bytes(range(number, number + 16))


GOOD = (b"\0", *(packet(number) for number in range(1, LINK_TEST + 1)))


def source_of(*faults, **options):
    time = Time()
    chip = EmulatedIdq250(noise=seeded(1), faults=tuple(map(parse_fault, faults)))
    return Idq250(bus=chip, clock=time, sleep=time.sleep, **options), chip, time


def opened_with(*answers, **options):
    time = Time()
    bus = Answers(*GOOD, *answers)
    source = Idq250(bus=bus, clock=time, sleep=time.sleep, **options)
    source.open()
    return source, bus, time


def failure(act, *arguments):
    with pytest.raises(QrngError) as caught:
        act(*arguments)
    assert caught.value.remedy.endswith(".")
    return caught.value


def test_samples_are_the_sixteen_bytes_after_header_and_health_of_each_packet_in_order():
    source, bus, _ = opened_with(packet(40), packet(80))
    assert source.read(20) == bytes(range(40, 56)) + bytes(range(80, 84))
    assert bus.asked == [(0x10, 1), *[(0x12, 18)] * (LINK_TEST + 2)]


def test_what_is_left_of_a_packet_is_dropped_and_not_given_to_the_next_reader():
    source, _, _ = opened_with(packet(40), packet(80))
    assert source.read(1) == bytes((40,))
    assert source.read(1) == bytes((80,))


def test_opening_wakes_the_chip_waits_three_milliseconds_and_throws_the_packets_of_the_link_test_away():
    source, chip, time = source_of()
    identity = source.open()
    assert time.slept == [0.003]
    assert chip.drawn == AT_OPEN
    assert identity.credit == CREDIT
    assert identity.simulated
    assert identity.model == "emulated IDQ250C2"


def test_a_power_line_is_held_low_then_high_at_opening_and_low_again_when_the_source_closes():
    time = Time()
    chip = EmulatedIdq250(noise=seeded(1))
    source = Idq250(bus=chip, power=chip.power, clock=time, sleep=time.sleep)
    source.open()
    assert chip.power.high
    assert time.slept == [0.003, 0.003]
    source.close()
    assert not chip.power.high


def test_a_chip_without_power_is_one_that_does_not_answer_at_its_address():
    source, chip, _ = source_of()
    chip.power.set(high=False)
    error = failure(source.open)
    assert error.reason is QrngReason.UNPLUGGED
    assert "nothing answers" in error.detail


def test_a_chip_whose_address_was_not_given_is_not_looked_for():
    error = failure(Idq250(device="/dev/i2c-1").open)
    assert error.reason is QrngReason.NOT_FOUND
    assert "address" in error.detail


def test_a_packet_that_was_given_before_is_read_again_until_a_new_one_comes():
    old = packet(3, health=0x08)
    source, bus, time = opened_with(old, old, packet(40))
    before = len(time.slept)
    assert source.read(16) == bytes(range(40, 56))
    assert len(time.slept) == before + 2
    assert not bus.answers


def test_a_chip_that_never_has_a_new_packet_is_given_up_at_the_deadline():
    source, chip, time = source_of("not-ready@64", timeout=0.5)
    source.open()
    error = failure(source.read, 64)
    assert error.reason is QrngReason.NOT_READY
    assert 0.5 <= time.now < 0.6
    assert chip.drawn == AT_OPEN


def test_a_deadline_begins_anew_with_every_packet():
    source, _, time = source_of(timeout=0.5)
    source.open()
    for _ in range(10):
        time.now += 0.4
        assert len(source.read(16)) == 16


@pytest.mark.parametrize("health", [0x01, 0x04, 0x09, 0x80, 0xFF])
def test_any_other_health_byte_is_a_failure_at_once_and_not_read_over(health):
    source, bus, _ = opened_with(packet(40), packet(80, health=health), packet(100))
    error = failure(source.read, 48)
    assert error.reason is QrngReason.STATUS
    assert f"{health:#04x}" in error.detail
    assert len(bus.answers) == 1


def test_a_packet_that_comes_twice_as_a_new_one_is_refused_even_between_two_reads():
    source, _, _ = opened_with(packet(40), packet(40))
    source.read(16)
    assert failure(source.read, 16).reason is QrngReason.IMPLAUSIBLE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (bytes(18), QrngReason.IMPLAUSIBLE),
        (b"\xff" * 18, QrngReason.IMPLAUSIBLE),
        (packet(40, header=0xA3), QrngReason.BUS),
        (packet(40)[:17], QrngReason.SHORT),
        (b"", QrngReason.SHORT),
    ],
)
def test_a_burst_that_is_no_packet_ends_the_read_and_closes_the_source(answer, reason):
    source, _, _ = opened_with(packet(1), answer, packet(80))
    assert failure(source.read, 48).reason is reason
    assert failure(source.read, 1).reason is QrngReason.CLOSED


@pytest.mark.parametrize("answer", [b"\x01", b"\xff"])
def test_a_chip_whose_register_10_is_not_zero_is_another_chip_or_asleep(answer):
    source = Idq250(bus=Answers(answer), sleep=lambda _: None)
    assert failure(source.open).reason is QrngReason.WRONG_DEVICE


OF_OPENING = {
    "stuck-00": QrngReason.IMPLAUSIBLE,
    "stuck-ff": QrngReason.WRONG_DEVICE,
    "echo": QrngReason.WRONG_DEVICE,
    "bit-slip": QrngReason.WRONG_DEVICE,
    "drop": QrngReason.WRONG_DEVICE,
    "eio": QrngReason.BUS,
    "emsgsize": QrngReason.BUS,
    "etimedout": QrngReason.BUS,
    "short": QrngReason.SHORT,
    "unplug": QrngReason.UNPLUGGED,
    "status": QrngReason.STATUS,
    "wrong-chip": QrngReason.WRONG_DEVICE,
    "not-ready": QrngReason.NOT_READY,
    "stuck": QrngReason.IMPLAUSIBLE,
    "repeat=16": QrngReason.IMPLAUSIBLE,
}
OF_READING = OF_OPENING | {
    "stuck-ff": QrngReason.IMPLAUSIBLE,
    "echo": QrngReason.BUS,
    "bit-slip": QrngReason.BUS,
    "drop": QrngReason.BUS,
    "duplicate": QrngReason.BUS,
    "wrong-chip": QrngReason.BUS,
    "dead": QrngReason.IMPLAUSIBLE,
}


@pytest.mark.parametrize(("fault", "reason"), OF_OPENING.items())
def test_a_chip_that_is_broken_when_it_is_opened_is_refused(fault, reason):
    source, _, _ = source_of(fault)
    assert failure(source.open).reason is reason


@pytest.mark.parametrize(("fault", "reason"), OF_READING.items())
def test_a_chip_that_breaks_while_it_is_read_is_found_within_three_packets(fault, reason):
    source, chip, _ = source_of(f"{fault}@{AT_OPEN + 160}")
    source.open()
    assert failure(source.read, 4096).reason is reason
    assert chip.drawn - (AT_OPEN + 160) <= 48
    assert failure(source.read, 1).reason is QrngReason.CLOSED


def test_a_slow_chip_is_waited_for_and_none_of_its_old_packets_is_used():
    healthy, _, _ = source_of()
    slow, _, time = source_of("slow-ready=7@160")
    healthy.open()
    slow.open()
    assert healthy.read(512) == slow.read(512)
    assert len(time.slept) == 1 + 7


def test_an_error_never_quotes_a_sample():
    source, _, _ = source_of("stuck=0xb7@160")
    source.open()
    error = failure(source.read, 4096)
    assert "b7" not in f"{error!r}{error.detail}"
    assert "183" not in f"{error!r}{error.detail}"


@pytest.mark.parametrize("kind", [FaultKind.SLIP, FaultKind.MODE, FaultKind.SPEED])
def test_a_fault_of_something_that_the_chip_does_not_have_changes_nothing(kind):
    healthy, _, _ = source_of()
    faulty, _, _ = source_of(kind.value)
    assert healthy.open() == faulty.open()
    assert healthy.read(512) == faulty.read(512)
