import io

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.emulated.faults import FaultKind, parse_fault, seeded
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.emulated.profile import EmulatedChip
from drivers.errors import QrngError, QrngReason
from drivers.qrng.microrng import MicroRng
from drivers.qrng.profile import SHIPPED, ProfiledChip, load_profile

NAMES = ["microrng", "idq-packet", "rdrng"]
PROFILES = {name: load_profile(SHIPPED / f"{name}.toml") for name in NAMES}
PACKET = PROFILES["idq-packet"]


class Time:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Recorder:
    """A bus that notes everything on its way to the chip, and gives each() to a bus that has only transfer()."""

    simulated = True

    def __init__(self, chip):
        self.chip = chip
        self.sent = []
        self.open, self.close = chip.open, chip.close

    def transfer(self, tx):
        self.sent.append(tx)
        return self.chip.transfer(tx)

    def each(self, tx):
        return b"".join(self.transfer(tx[at : at + 1]) for at in range(len(tx)))


class Scripted:
    """A bus whose answers are written down; after the last one it gives zeros."""

    simulated = False

    def __init__(self, answers):
        self.answers = {bytes.fromhex(tx): [bytes.fromhex(each) for each in given] for tx, given in answers.items()}
        self.sent = []

    def open(self):
        pass

    def close(self):
        pass

    def transfer(self, tx):
        self.sent.append(tx)
        waiting = self.answers.get(tx, [])
        return waiting.pop(0) if waiting else bytes(len(tx))


def stream(seed):
    """Noise that is the same however many bytes are drawn at a time."""
    data = io.BytesIO(seeded(seed)(50_000))
    return data.read


def variant(tmp_path, name, *changes, more=""):
    """A shipped profile with some of its text replaced."""
    text = (SHIPPED / f"{name}.toml").read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "variant.toml"
    path.write_text(text + more)
    return load_profile(path)


def chip_of(profile, *faults, noise=None, time=None):
    time = time or Time()
    bus = EmulatedChip(profile, noise=noise or seeded(1), faults=tuple(map(parse_fault, faults)))
    return bus, ProfiledChip(profile, bus=bus, clock=time, sleep=time.sleep)


def opened(profile, *faults, time=None):
    bus, chip = chip_of(profile, *faults, time=time)
    chip.open()
    return bus, chip


def error_of(act):
    with pytest.raises(QrngError) as caught:
        act()
    assert caught.value.remedy.endswith(".")
    assert "\n" not in str(caught.value)
    return caught.value


@given(st.lists(st.integers(0, 1500), min_size=1, max_size=6), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_microrng_profile_gives_the_samples_of_the_microrng_driver(counts, seed):
    driver = MicroRng(bus=EmulatedMicroRng(noise=seeded(seed)))
    profiled = ProfiledChip(
        PROFILES["microrng"], bus=Recorder(EmulatedMicroRng(noise=seeded(seed))), sleep=Time().sleep
    )
    identity, other = driver.open(), profiled.open()
    assert (identity.credit, identity.raw, identity.sample_bits) == (other.credit, other.raw, other.sample_bits)
    assert [driver.read(count) for count in counts] == [profiled.read(count) for count in counts]


def test_the_microrng_profile_sends_what_the_microrng_driver_sends():
    bus = Recorder(EmulatedMicroRng())
    profiled = ProfiledChip(PROFILES["microrng"], bus=bus)
    profiled.open()
    assert bus.sent == [b"U"] * 2 + [b"t"] * 258 + [b"s"] * 2
    bus.sent.clear()
    profiled.read(300)
    checks = [b"s"] * 2 + [b"t"] * 2
    assert bus.sent == [b"r"] * 257 + checks + [b"r"] * 45 + checks


def test_the_emulated_chip_of_the_microrng_profile_gives_the_same_samples_as_an_emulated_microrng():
    real = ProfiledChip(PROFILES["microrng"], bus=Recorder(EmulatedMicroRng(noise=stream(4))))
    model = ProfiledChip(PROFILES["microrng"], bus=EmulatedChip(PROFILES["microrng"], noise=stream(4)))
    assert real.open() == model.open()
    for count in (256, 1, 700, 4096):
        assert real.read(count) == model.read(count)


def test_the_microrng_driver_cannot_tell_the_emulated_chip_of_the_profile_from_a_microrng():
    chip = EmulatedChip(PROFILES["microrng"], noise=seeded(1))
    driver = MicroRng(bus=chip)
    driver.open()
    assert len(set(driver.read(1000))) > 200


@pytest.mark.parametrize("name", NAMES)
def test_identity_says_what_the_profile_says(name):
    _, chip = chip_of(PROFILES[name])
    identity = chip.open()
    assert identity.driver == "profile"
    assert identity.model == PROFILES[name].name
    assert identity.simulated
    assert identity.credit == PROFILES[name].sample.credit


@pytest.mark.parametrize("name", NAMES)
def test_a_profiled_chip_keeps_the_contract_of_a_source(name):
    _, chip = chip_of(PROFILES[name])
    assert error_of(lambda: chip.read(1)).reason is QrngReason.CLOSED
    first = chip.open()
    for count in (0, 1, 15, 16, 17, 255, 257, 4096):
        samples = chip.read(count)
        assert isinstance(samples, bytearray)
        assert len(samples) == count
    assert chip.read(64) != chip.read(64)
    chip.close()
    chip.close()
    assert error_of(lambda: chip.read(1)).reason is QrngReason.CLOSED
    assert chip.open() == first


def test_only_the_payload_of_packets_is_samples():
    bus = Scripted(
        {"9000": ["0000"], "9200": ["00a2"], "92" + "00" * 18: [f"00a200{n:02x}{'5b' * 15}" for n in (1, 2)]}
    )
    chip = ProfiledChip(PACKET, bus=bus)
    chip.open()
    assert chip.read(20) == bytes([1] + [0x5B] * 15 + [2] + [0x5B] * 3)
    assert bus.sent[:2] == [b"\x90\x00", b"\x92\x00"]


def test_what_is_left_of_a_packet_is_not_kept_for_the_next_read():
    noise = stream(7)(32)
    _, chip = chip_of(PACKET, noise=stream(7))
    chip.open()
    assert chip.read(10) == noise[:10]
    assert chip.read(6) == noise[16:22]


@pytest.mark.parametrize(
    ("packet", "reason", "detail"),
    [
        ("00a300" + "5b" * 16, QrngReason.BUS, "does not begin as packets"),
        ("00a204" + "5b" * 16, QrngReason.STATUS, "health byte of a packet is not ok"),
        ("00a200" + "5b" * 15, QrngReason.SHORT, "fewer bytes"),
        ("ff" * 19, QrngReason.IMPLAUSIBLE, "all ones"),
        ("00" * 19, QrngReason.IMPLAUSIBLE, "all zeros"),
        ("00a200" + "00" * 16, QrngReason.IMPLAUSIBLE, "all zeros"),
        ("00a200" + "ff" * 16, QrngReason.IMPLAUSIBLE, "all ones"),
    ],
)
def test_a_bad_packet_ends_the_read_and_closes_the_chip(packet, reason, detail):
    good = "00a200" + "5c" * 16
    bus = Scripted({"9000": ["0000"], "9200": ["00a2"], "92" + "00" * 18: [good, packet]})
    chip = ProfiledChip(PACKET, bus=bus)
    chip.open()
    chip.read(16)
    error = error_of(lambda: chip.read(16))
    assert error.reason is reason
    assert detail in error.detail
    assert "5b" not in str(error)
    assert error_of(lambda: chip.read(1)).reason is QrngReason.CLOSED


def test_a_packet_that_comes_twice_is_refused():
    packet = "00a200" + bytes(range(16)).hex()
    bus = Scripted({"9000": ["0000"], "9200": ["00a2"], "92" + "00" * 18: [packet, packet]})
    chip = ProfiledChip(PACKET, bus=bus)
    chip.open()
    assert error_of(lambda: chip.read(32)).reason is QrngReason.IMPLAUSIBLE


def test_a_packet_that_the_chip_calls_old_is_dropped_and_read_again():
    old, new = "00a208" + "11" * 16, "00a200" + "22" * 16
    bus = Scripted({"9000": ["0000"], "9200": ["00a2"], "92" + "00" * 18: [old, old, new]})
    time = Time()
    chip = ProfiledChip(PACKET, bus=bus, clock=time, sleep=time.sleep)
    chip.open()
    assert chip.read(16) == b"\x22" * 16
    assert time.now > 0


def test_a_chip_that_is_never_ready_is_given_up_after_its_timeout_and_not_before():
    time = Time()
    bus, chip = opened(PACKET, "not-ready@16", time=time)
    began = time.now
    error = error_of(lambda: chip.read(32))
    assert error.reason is QrngReason.NOT_READY
    assert "within 100 ms" in error.detail
    assert 0.1 <= time.now - began < 0.102
    assert bus.drawn == 16


def test_a_chip_that_is_slowly_ready_is_waited_for(tmp_path):
    asking = variant(tmp_path, "idq-packet", ("[ready]", '[ready]\ntx = "41 00"\nrx_index = 1\nok = "01"'))
    for profile in (PACKET, asking):
        time = Time()
        _, chip = opened(profile, "slow-ready=20@16", time=time)
        assert len(chip.read(64)) == 64
        assert time.now >= 20 * 0.0002 - 1e-9


def test_a_chip_that_says_when_it_is_ready_is_asked_before_every_burst(tmp_path):
    profile = variant(tmp_path, "idq-packet", ("[ready]", '[ready]\ntx = "41 00"\nrx_index = 1\nok = "01"'))
    bus = Recorder(EmulatedChip(profile))
    chip = ProfiledChip(profile, bus=bus)
    chip.open()
    bus.sent.clear()
    chip.read(32)
    assert bus.sent == [b"\x41\x00", b"\x92" + bytes(18)] * 2
    error = error_of(lambda: opened(profile, "not-ready"))
    assert error.reason is QrngReason.NOT_READY


def test_a_wrong_chip_is_named_with_the_line_that_told():
    error = error_of(lambda: opened(PACKET, "wrong-chip"))
    assert error.reason is QrngReason.WRONG_DEVICE
    assert "identify[0]: the chip does not answer as IDQ packet over SPI (fixture) does" in error.detail
    assert "the profile is the one of this chip" in error.remedy


def test_a_start_command_that_is_not_answered_as_expected_is_a_fault(tmp_path):
    profile = variant(tmp_path, "idq-packet", more='[[start]]\ntx = "10 00"\nexpect = "00 07"\ndelay_us = 3000\n')
    time = Time()
    opened(profile, time=time)
    assert time.now == 0.003
    bus = Scripted({"9000": ["0000"], "9200": ["00a2"], "1000": ["0006"]})
    assert error_of(ProfiledChip(profile, bus=bus, sleep=Time().sleep).open).reason is QrngReason.STATUS


def test_stop_is_sent_when_the_chip_is_closed_even_after_a_failure(tmp_path):
    profile = variant(tmp_path, "idq-packet", more='[[stop]]\ntx = "10 ff"\n')
    for faults in ((), ("status@0",)):
        bus = Recorder(EmulatedChip(profile, faults=tuple(map(parse_fault, faults))))
        chip = ProfiledChip(profile, bus=bus)
        chip.open()
        if faults:
            error_of(lambda chip=chip: chip.read(1))
        chip.close()
        chip.close()
        assert bus.sent.count(b"\x10\xff") == 1


def test_closing_an_unplugged_chip_is_harmless(tmp_path):
    profile = variant(tmp_path, "idq-packet", more='[[stop]]\ntx = "10 ff"\n')
    bus, chip = opened(profile)
    bus.inject(parse_fault("unplug"))
    chip.close()
    assert error_of(chip.open).reason is QrngReason.UNPLUGGED


@pytest.mark.parametrize(("count", "asked"), [(32, 1), (256, 1), (257, 2), (513, 3), (1, 1)])
def test_status_is_read_as_often_as_the_profile_says_and_after_the_last_sample(tmp_path, count, asked):
    profile = variant(tmp_path, "idq-packet", more='[status]\ntx = "91 00"\nrx_index = 1\nok = "40"\nmask = "c0"\n')
    bus = Recorder(EmulatedChip(profile))
    chip = ProfiledChip(profile, bus=bus)
    chip.open()
    assert bus.sent.count(b"\x91\x00") == 1
    bus.sent.clear()
    chip.read(count)
    assert bus.sent.count(b"\x91\x00") == asked
    assert bus.sent[-1] == b"\x91\x00"


def test_a_status_that_is_not_ok_in_the_bits_of_the_mask_is_a_fault(tmp_path):
    profile = variant(tmp_path, "idq-packet", more='[status]\ntx = "91 00"\nrx_index = 1\nok = "40"\nmask = "c0"\n')
    for answer, reason in [("007f", None), ("0080", QrngReason.STATUS), ("ffff", QrngReason.IMPLAUSIBLE)]:
        chip = ProfiledChip(profile, bus=Scripted({"9000": ["0000"], "9200": ["00a2"], "9100": [answer]}))
        if reason is None:
            chip.open()
        else:
            assert error_of(chip.open).reason is reason


def test_a_bad_status_is_quoted_at_opening_and_never_later_when_it_may_be_a_sample():
    assert "0x4d" in error_of(lambda: opened(PROFILES["microrng"], "status=0x4d")).detail
    _, chip = opened(PROFILES["microrng"], "status=0x4d@10")
    error = error_of(lambda: chip.read(100))
    assert error.reason is QrngReason.STATUS
    assert "4d" not in str(error)


SELF_TESTS = {
    "counter of answers": 'kind = "counter"\ncmd = "33 00"\nlength = 300\ncounts = "answers"\nevery_bytes = 64',
    "counter of transfers": 'kind = "counter"\ncmd = "33 00"\nlength = 20\nevery_bytes = 64',
    "pattern": 'kind = "pattern"\ncmd = "33"\nlength = 31\nexpect = "55 aa 0f"',
    "known answer": 'kind = "kat"\ncmd = "33 01"\nlength = 4\nexpect = "de ad be ef"',
}


@pytest.mark.parametrize("delay", [0, 1, 2])
@pytest.mark.parametrize("test", SELF_TESTS)
def test_a_self_test_passes_on_the_chip_and_fails_on_every_wire(tmp_path, test, delay):
    profile = variant(
        tmp_path,
        "idq-packet",
        ("burst = 18", f"burst = 18\npipeline_delay = {delay}"),
        more=f"[selftest]\n{SELF_TESTS[test]}\n",
    )
    _, chip = opened(profile)
    assert len(chip.read(1000)) == 1000
    for wire in ("stuck-00", "stuck-ff", "echo", "bit-slip"):
        _, chip = chip_of(msgspec.structs.replace(profile, identify=()), wire)
        assert error_of(chip.open).reason is QrngReason.LINK


@pytest.mark.parametrize("test", [name for name in SELF_TESTS if "counter" in name])
def test_a_counter_is_followed_while_samples_are_read(tmp_path, test):
    profile = variant(tmp_path, "idq-packet", more=f"[selftest]\n{SELF_TESTS[test]}\n")
    bus, chip = opened(profile, "slip@100")
    assert error_of(lambda: chip.read(4096)).reason is QrngReason.LINK
    assert bus.drawn <= 100 + 64 + 16


def test_a_chip_that_answers_one_transfer_late_is_asked_twice_and_the_first_answer_is_dropped(tmp_path):
    late = variant(tmp_path, "idq-packet", ("burst = 18", "burst = 18\npipeline_delay = 1"))
    _, chip = chip_of(late, noise=stream(3))
    chip.open()
    noise = stream(3)(1000)
    assert chip.read(48) == noise[0:16] + noise[32:48] + noise[64:80]


def test_a_register_that_may_be_read_again_shows_that_the_bus_still_works():
    rdrng = PROFILES["rdrng"]
    bus, chip = opened(rdrng, "bit-slip@100")
    error = error_of(lambda: chip.read(4096))
    assert error.reason is QrngReason.LINK
    assert bus.drawn <= 100 + 256


def test_only_questions_marked_again_are_asked_while_samples_are_read(tmp_path):
    profile = variant(tmp_path, "idq-packet", ('expect = "00 00"', 'expect = "00 00"\nagain = true'))
    bus = Recorder(EmulatedChip(profile))
    chip = ProfiledChip(profile, bus=bus)
    chip.open()
    bus.sent.clear()
    chip.read(512)
    assert bus.sent.count(b"\x90\x00") == 2
    assert bus.sent.count(b"\x92\x00") == 0


def test_one_byte_transfers_that_are_made_in_a_row_are_handed_to_the_bus_at_once():
    chip = EmulatedChip(PROFILES["microrng"])
    rows = []
    each = chip.each
    chip.each = lambda tx: rows.append(len(tx)) or each(tx)
    source = ProfiledChip(PROFILES["microrng"], bus=chip)
    source.open()
    source.read(256)
    assert rows == [2, 258, 2, 257, 2, 2]


def test_a_line_that_is_tied_to_mosi_is_named():
    bus, chip = opened(PROFILES["microrng"])
    bus.inject(parse_fault("echo"))
    assert "an echo of what is sent" in error_of(lambda: chip.read(256)).detail


def test_a_pause_is_made_after_every_burst(tmp_path):
    time = Time()
    _, chip = opened(variant(tmp_path, "rdrng", ("pause_us = 0", "pause_us = 500000")), time=time)
    chip.read(8)
    assert time.now == 2.0


def test_few_credited_bits_are_judged_by_their_looks_only_when_there_are_enough():
    """At two bits in a sample, 31 zeros in a row happen once in 2^62, and 32 are refused."""
    rdrng = PROFILES["rdrng"]
    for count, refused in ((30, False), (32, True)):
        _, chip = opened(rdrng)
        chip._bus.inject(parse_fault("stuck=0x00"))
        if refused:
            assert error_of(lambda chip=chip: chip.read(32)).reason is QrngReason.IMPLAUSIBLE
        else:
            assert chip.read(count) == bytes(count)


def test_the_clock_and_mode_of_the_profile_go_to_the_bus():
    chip = ProfiledChip(PACKET, device="/dev/spidev1.2")
    bus = chip._bus
    assert (bus._device, bus._mode, bus._speed) == ("/dev/spidev1.2", 0, 2_000_000)
    assert not bus.simulated


def test_a_bus_that_is_not_there_says_so_and_the_chip_stays_closed():
    chip = ProfiledChip(PACKET, device="/dev/serial0")
    assert error_of(chip.open).reason is QrngReason.NOT_FOUND
    assert error_of(lambda: chip.read(1)).reason is QrngReason.CLOSED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", FaultKind)
def test_no_fault_of_the_library_ever_shows_as_anything_but_a_driver_error(name, kind):
    for after in (0, 40, 700):
        _, chip = chip_of(PROFILES[name], f"{kind.value}@{after}")
        try:
            chip.open()
            samples = chip.read(1024)
        except QrngError:
            assert error_of(lambda chip=chip: chip.read(1)).reason is QrngReason.CLOSED
        else:
            assert len(samples) == 1024
        chip.close()


def test_a_failure_wipes_what_was_read():
    _, chip = opened(PACKET, "status@600")
    seen = []
    fill = chip._fill
    chip._fill = lambda link, view: (seen.append(view.obj), fill(link, view))
    error_of(lambda: chip.read(1024))
    assert len(seen[0]) == 1024
    assert not any(seen[0])
    assert not any(chip._last)
