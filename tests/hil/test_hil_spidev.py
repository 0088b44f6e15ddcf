"""The real spidev extension, with the habits that the driver is written around, and our messages beside it."""

import pytest

from drivers.emulated.faults import parse_fault, seeded
from drivers.emulated.microrng import EmulatedMicroRng


def chip(*faults):
    return EmulatedMicroRng(noise=seeded(1), faults=tuple(map(parse_fault, faults)))


class Loop:
    """A bus whose chip answers the complement of each byte, and which notes what came together."""

    simulated = True

    def __init__(self):
        self.seen = []

    def open(self):
        pass

    def close(self):
        pass

    def set_speed(self, speed_hz):
        self.seen.append(("speed", speed_hz))

    def transfer(self, tx):
        self.seen.append(("transfer", len(tx)))
        return bytes(byte ^ 0xFF for byte in tx)

    def each(self, tx):
        self.seen.append(("each", len(tx)))
        return bytes(byte ^ 0xFF for byte in tx)


def test_the_package_opens_the_node_and_reads_back_what_was_set(run_with):
    answer = run_with(
        Loop(),
        """
        import spidev
        spi = spidev.SpiDev(); spi.open(0, 0); spi.mode = 1; spi.max_speed_hz = 1_500_000; spi.bits_per_word = 8
        answer = [spi.mode, spi.max_speed_hz, spi.bits_per_word, spidev.__file__]
        """,
    )
    assert answer[:3] == [1, 1_500_000, 8]
    assert answer[3].endswith(".so")


def test_xfer2_writes_the_answer_over_the_list_that_it_is_given(run_with):
    answer = run_with(
        Loop(),
        """
        import spidev
        spi = spidev.SpiDev(); spi.open(0, 0)
        given = [1, 2, 3]; got = spi.xfer2(given)
        answer = [got is given, given]
        """,
    )
    assert answer == [True, [254, 253, 252]]


def test_arrays_and_long_lists_are_refused_by_xfer2(run_with):
    answer = run_with(
        Loop(),
        """
        import numpy, spidev
        spi = spidev.SpiDev(); spi.open(0, 0)
        answer = []
        for given in (numpy.zeros(4, numpy.uint8), [0] * 4097):
            try:
                spi.xfer2(given)
            except (TypeError, OverflowError) as error:
                answer.append(type(error).__name__)
        """,
    )
    assert answer == ["TypeError", "OverflowError"]


def test_xfer3_drops_chip_select_between_its_blocks(run_with):
    bus = Loop()
    run_with(
        bus,
        """
        import spidev
        spi = spidev.SpiDev(); spi.open(0, 0)
        answer = len(spi.xfer3([0] * 10_000))
        """,
    )
    assert len([what for what, _ in bus.seen if what == "transfer"]) > 1


@pytest.mark.parametrize("buffer", [4096, 65536])
def test_a_row_of_ours_reaches_the_chip_as_single_transfers_and_a_long_transfer_whole(run_with, buffer):
    bus = Loop()
    answer = run_with(
        bus,
        f"""
        from drivers.qrng.spi import SpidevBus
        bus = SpidevBus("/dev/spidev0.0", speed_hz=1_000_000, buffer={buffer}); bus.open()
        row, whole = bytes(range(256)) * 4, b"ab" * 3000
        answer = [
            bus.each(row) == bytes(byte ^ 255 for byte in row),
            bus.transfer(whole) == bytes(byte ^ 255 for byte in whole),
            bus.transfer(b"x") == bytes([ord("x") ^ 255]),
        ]
        bus.set_speed(2_000_000)
        """,
    )
    assert answer == [True, True, True]
    rows = [length for what, length in bus.seen if what == "each" and length > 1]
    assert max(rows) == min(511, buffer // 128)
    assert sum(rows) + bus.seen.count(("each", 1)) >= 1024
    assert ("transfer", 6000) in bus.seen
    assert bus.seen[-1] == ("speed", 2_000_000)


READ = """
import hashlib
from drivers.errors import QrngError
from drivers.qrng.microrng import MicroRng
source = MicroRng(device="/dev/spidev0.0", speed_hz={speed})
try:
    identity = source.open()
    answer = [identity.simulated, source.speed_hz, hashlib.sha256(bytes(source.read(3000))).hexdigest()]
except QrngError as error:
    answer = [error.reason.value, error.detail, error.remedy]
"""


@pytest.mark.parametrize("speed", [250_000, None])
def test_the_driver_reads_the_same_samples_through_the_real_package_as_from_the_model(run_with, speed):
    import hashlib

    from drivers.qrng.microrng import MicroRng

    model = MicroRng(bus=chip("speed=1300000"), speed_hz=speed)
    model.open()
    answer = run_with(chip("speed=1300000"), READ.format(speed=speed))
    assert answer == [False, speed or 750_000, hashlib.sha256(bytes(model.read(3000))).hexdigest()]


FAULTS = [
    ("eio@700", "bus-error", "EIO"),
    ("emsgsize@700", "bus-error", "EMSGSIZE"),
    ("etimedout@700", "bus-error", "ETIMEDOUT"),
    ("unplug@700", "unplugged", "ENODEV"),
    ("short@700", "short-read", "fewer bytes"),
    ("slip@700", "link-test-failed", "counter"),
    ("status@700", "device-reports-fault", "0x01"),
    ("stuck-ff@700", "implausible-bytes", "all ones"),
    ("wrong-chip", "link-test-failed", "counter"),
]


@pytest.mark.parametrize(("fault", "reason", "detail"), FAULTS)
def test_a_fault_behind_the_real_package_has_its_reason_and_a_remedy(run_with, fault, reason, detail):
    answer = run_with(chip(fault), READ.format(speed=250_000))
    assert answer[0] == reason
    assert detail in answer[1]
    assert answer[2].endswith(".")
